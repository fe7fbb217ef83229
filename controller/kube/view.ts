// What is known of one collection, kept right whatever the order in which it is told: events may come twice, late or in the
// wrong order, and a list may be older than what it replaces (etcd restored from a backup). Pure; knows no network.
import { isNotNewer, isOlder } from './version.ts';

/** One object: its version, and what its reader made of it. */
export interface Entry<T> {
  readonly uid: string;
  readonly version: string;
  readonly value: T;
}

/** What happened to one key. */
export interface EntryChange<T> {
  readonly key: string;
  readonly before: T | undefined;
  readonly now: T | undefined;
}

export type EventType = 'ADDED' | 'MODIFIED' | 'DELETED';

export class View<T> {
  #entries = new Map<string, Entry<T>>();
  /** Version of each removal that the floor does not cover yet. */
  readonly #removed = new Map<string, string>();
  /** Everything up to this version has been told: what is not there by then was not there. Empty: nothing is known yet. */
  #floor = '';
  #version = '';

  get size(): number {
    return this.#entries.size;
  }

  /** From where a watch resumes; empty before the first list. */
  get version(): string {
    return this.#version;
  }

  get(key: string): Entry<T> | undefined {
    return this.#entries.get(key);
  }

  entries(): IterableIterator<[string, Entry<T>]> {
    return this.#entries.entries();
  }

  /** An event of a watch. Undefined: it says nothing new. `value` is called only if it is needed. */
  event(type: EventType, key: string, uid: string, version: string, value: () => T): EntryChange<T> | undefined {
    if (!isNotNewer(version, this.#version)) this.#version = version;
    const known = this.#entries.get(key);
    if (type === 'DELETED') {
      if (known === undefined || isOlder(version, known.version)) {
        this.#remember(key, version);
        return undefined;
      }
      this.#entries.delete(key);
      this.#remember(key, version);
      return { key, before: known.value, now: undefined };
    }
    if (known === undefined ? isNotNewer(version, this.#floor) || isNotNewer(version, this.#removed.get(key) ?? '') : isNotNewer(version, known.version)) return undefined;
    const now = value();
    this.#entries.set(key, { uid, version, value: now });
    return { key, before: known?.value, now };
  }

  /** A bookmark: everything up to this version has been told. */
  bookmark(version: string): void {
    if (isOlder(version, this.#version)) return;
    this.#version = version;
    this.#floor = version;
    for (const [key, removedAt] of this.#removed) if (isNotNewer(removedAt, version)) this.#removed.delete(key);
  }

  /** How many of the objects that are known a list lacks. */
  missing(list: ReadonlyMap<string, Entry<T>>): number {
    let count = 0;
    for (const key of this.#entries.keys()) if (!list.has(key)) count++;
    return count;
  }

  /** A complete list takes the place of everything; `version` is the list's own. Entries that it shares with the view are no change. */
  replace(list: Map<string, Entry<T>>, version: string): EntryChange<T>[] {
    const changes: EntryChange<T>[] = [];
    for (const [key, { value }] of this.#entries) if (!list.has(key)) changes.push({ key, before: value, now: undefined });
    for (const [key, entry] of list) {
      const known = this.#entries.get(key);
      if (known !== entry) changes.push({ key, before: known?.value, now: entry.value });
    }
    this.#entries = list;
    this.#removed.clear();
    this.#floor = version;
    this.#version = version;
    return changes;
  }

  /** The entry that a list may reuse for an object of this version, because nothing can have changed. */
  unchanged(key: string, uid: string, version: string): Entry<T> | undefined {
    const known = this.#entries.get(key);
    return known !== undefined && known.uid === uid && known.version === version && version !== '' ? known : undefined;
  }

  #remember(key: string, version: string): void {
    const before = this.#removed.get(key);
    if (before === undefined || isOlder(before, version)) this.#removed.set(key, version);
  }
}
