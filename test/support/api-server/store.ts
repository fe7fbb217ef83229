// What etcd and the watch cache are to the real thing: all objects, one revision that grows with every write, and the
// events of the recent past. Nothing here knows of HTTP.
import { expired } from './failure.ts';
import type { ApiObject } from './json.ts';

/** An object as written at one revision; `json` is its text, made once. */
export interface Stored {
  readonly object: ApiObject;
  readonly json: string;
}

export interface StoreEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly revision: number;
  /** `namespace/name`, with an empty namespace where there is none. */
  readonly key: string;
  /** What a selector has to have selected before for the event to be of interest. */
  readonly before: Stored | undefined;
  readonly now: Stored;
}

type Listener = (event: StoreEvent) => void;

interface Table {
  readonly objects: Map<string, Stored>;
  readonly events: StoreEvent[];
  readonly listeners: Set<Listener>;
  /** Events up to this revision are no longer known. */
  compactedAt: number;
}

export class Store {
  readonly #tables = new Map<string, Table>();
  readonly #historyLimit: number;
  #revision = 1;

  /** `historyLimit`: events remembered per resource. */
  constructor(historyLimit = 100_000) {
    this.#historyLimit = historyLimit;
  }

  get revision(): number {
    return this.#revision;
  }

  /** Those that ever had an object. */
  resources(): string[] {
    return [...this.#tables.keys()];
  }

  get(resource: string, key: string): Stored | undefined {
    return this.#table(resource).objects.get(key);
  }

  /** Sorted by key; `namespace` empty: all. */
  list(resource: string, namespace: string): Stored[] {
    const entries = [...this.#table(resource).objects].filter(([key]) => namespace === '' || key.startsWith(`${namespace}/`));
    return entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, stored]) => stored);
  }

  /** Writes the object under the next revision, which it gets as its resourceVersion, and returns it. */
  put(resource: string, key: string, object: ApiObject): ApiObject {
    const table = this.#table(resource);
    const before = table.objects.get(key);
    const now = this.#stored(object);
    table.objects.set(key, now);
    this.#emit(table, { type: before === undefined ? 'ADDED' : 'MODIFIED', revision: this.#revision, key, before, now });
    return now.object;
  }

  /** Returns the object as it was, with the revision of its removal; undefined if there is none. */
  remove(resource: string, key: string): ApiObject | undefined {
    const table = this.#table(resource);
    const before = table.objects.get(key);
    if (before === undefined) return undefined;
    table.objects.delete(key);
    const now = this.#stored(before.object);
    this.#emit(table, { type: 'DELETED', revision: this.#revision, key, before, now });
    return now.object;
  }

  /** Events after `revision`, oldest first. Throws 410 if not all of them are known any more. */
  eventsAfter(resource: string, revision: number): StoreEvent[] {
    const table = this.#table(resource);
    if (revision < table.compactedAt) throw expired(`too old resource version: ${revision} (${table.compactedAt})`);
    return table.events.filter((event) => event.revision > revision);
  }

  /** Calls `listener` for every later event of the resource until the returned function is called. */
  subscribe(resource: string, listener: Listener): () => void {
    const { listeners } = this.#table(resource);
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  /** Forgets the past: every watch that resumes from before now gets 410. */
  compact(): void {
    this.#revision++;
    for (const table of this.#tables.values()) {
      table.events.length = 0;
      table.compactedAt = this.#revision;
    }
  }

  /** Remembers everything as it is now. The returned function puts it back, as restoring etcd from a backup does: revisions go backwards. */
  backup(): () => void {
    const revision = this.#revision;
    const objects = new Map([...this.#tables].map(([resource, table]) => [resource, new Map(table.objects)]));
    return () => {
      this.#revision = revision;
      for (const [resource, table] of this.#tables) {
        table.objects.clear();
        for (const [key, stored] of objects.get(resource) ?? []) table.objects.set(key, stored);
        table.events.length = 0;
        table.compactedAt = revision;
      }
    };
  }

  #stored(object: ApiObject): Stored {
    this.#revision++;
    const written: ApiObject = { ...object, metadata: { ...object.metadata, resourceVersion: String(this.#revision) } };
    return { object: written, json: JSON.stringify(written) };
  }

  #emit(table: Table, event: StoreEvent): void {
    table.events.push(event);
    if (table.events.length > this.#historyLimit) {
      for (const gone of table.events.splice(0, Math.ceil(this.#historyLimit / 10))) table.compactedAt = gone.revision;
    }
    for (const listener of table.listeners) listener(event);
  }

  #table(resource: string): Table {
    let table = this.#tables.get(resource);
    if (table === undefined) this.#tables.set(resource, (table = { objects: new Map(), events: [], listeners: new Set(), compactedAt: 0 }));
    return table;
  }
}
