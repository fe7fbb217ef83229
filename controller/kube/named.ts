// Secrets and ConfigMaps that somebody names, and no others. Each is watched by its name, for which a right to that one object
// is enough; but every watch holds a connection. Where very many are wanted, one watch over all takes their place if it is
// allowed: of what it brings, only what is wanted is kept. Those wanted later are watched by name until they are many again.
import { readArrived } from './arrived.ts';
import type { Arrived } from './arrived.ts';
import { identify } from './list.ts';
import type { Reflector } from './reflector.ts';
import { oneObject } from './resources.ts';
import type { Collection } from './resources.ts';
import type { EntryChange } from './view.ts';
import type { ObjectRef } from './wanted.ts';

type NamedKind = ObjectRef['kind'];

export interface NamedOptions {
  /** Namespaces that are watched; empty: all. */
  readonly namespaces: readonly string[];
  /** So many are watched by name at most, if there is another way. */
  readonly most: number;
  /** Makes a reflector and starts it. `mayFail`: that it is forbidden is nobody's fault. */
  reflect(collection: Collection, read: (raw: unknown, before: Arrived | undefined) => Arrived, onChange: (changes: readonly EntryChange<Arrived>[]) => void, mayFail: boolean): Reflector<Arrived>;
  /** Something about wanted objects changed. */
  apply(kind: NamedKind, changes: readonly EntryChange<Arrived>[]): void;
}

/** What is kept of an object that nobody wants: that it exists. */
const UNWANTED: Arrived = { object: undefined, problems: [], uid: '', points: [] };

/** The watches over all objects of a kind, and which of them they keep. */
interface Whole {
  readonly reflectors: readonly Reflector<Arrived>[];
  readonly covered: ReadonlySet<string>;
}

export class NamedObjects {
  readonly #options: NamedOptions;
  readonly #wanted: { readonly [K in NamedKind]: Set<string> } = { Secret: new Set(), ConfigMap: new Set() };
  readonly #byName: { readonly [K in NamedKind]: Map<string, Reflector<Arrived>> } = { Secret: new Map(), ConfigMap: new Map() };
  readonly #whole = new Map<NamedKind, Whole>();
  /** Kinds for which a watch over all is being tried, or was refused. */
  readonly #tried = new Set<NamedKind>();
  /** Watches over all that have not taken the place of others yet. */
  readonly #trying = new Set<Reflector<Arrived>>();
  #begun = false;

  constructor(options: NamedOptions) {
    this.#options = options;
  }

  /** Until then wishes are only noted. Resolves when everything that is wanted has been read. */
  async begin(): Promise<void> {
    this.#begun = true;
    for (const kind of ['Secret', 'ConfigMap'] as const) {
      const wanted = this.#wanted[kind];
      if (wanted.size > this.#options.most) await this.#watchWhole(kind);
      // Those that somebody began to want meanwhile are watched already.
      for (const key of wanted) if (this.#coveredBy(kind, key) === undefined && !this.#byName[kind].has(key)) this.#watchByName(kind, key);
    }
    await Promise.all([...this.reflectors()].map((reflector) => reflector.synced));
  }

  follow({ kind, key }: ObjectRef): void {
    this.#wanted[kind].add(key);
    if (!this.#begun) return;
    const known = this.#coveredBy(kind, key)?.view.get(key);
    if (known !== undefined) this.#options.apply(kind, [{ key, before: undefined, now: known.value }]);
    if (this.#coveredBy(kind, key) !== undefined) return;
    this.#watchByName(kind, key);
    if (this.#byName[kind].size > this.#options.most) void this.#watchWhole(kind);
  }

  /** The caller drops what it knows of the object. */
  unfollow({ kind, key }: ObjectRef): void {
    this.#wanted[kind].delete(key);
    void this.#byName[kind].get(key)?.stop();
    this.#byName[kind].delete(key);
  }

  *reflectors(): Generator<Reflector<Arrived>> {
    for (const { reflectors } of this.#whole.values()) yield* reflectors;
    for (const named of Object.values(this.#byName)) yield* named.values();
  }

  async stop(): Promise<void> {
    await Promise.all([...this.reflectors(), ...this.#trying].map((reflector) => reflector.stop()));
  }

  #watchByName(kind: NamedKind, key: string): void {
    const [namespace = '', name = ''] = key.split('/');
    const { reflect, apply } = this.#options;
    this.#byName[kind].set(key, reflect(oneObject(kind, namespace, name), (raw, before) => readArrived(kind, raw, before), (changes) => apply(kind, changes), false));
  }

  /** Undefined: nothing but a watch by name covers it. */
  #coveredBy(kind: NamedKind, key: string): Reflector<Arrived> | undefined {
    const whole = this.#whole.get(kind);
    if (whole === undefined || !whole.covered.has(key)) return undefined;
    return whole.reflectors.find(({ collection }) => collection.namespace === '' || key.startsWith(`${collection.namespace}/`));
  }

  /** Resolves when a watch over all has taken the place of those by name, or turned out to be forbidden. */
  async #watchWhole(kind: NamedKind): Promise<void> {
    if (this.#tried.has(kind)) return;
    this.#tried.add(kind);
    const { namespaces, reflect, apply } = this.#options;
    const wanted = this.#wanted[kind];
    const covered = new Set([...wanted].filter((key) => namespaces.length === 0 || namespaces.includes(key.slice(0, key.indexOf('/')))));
    const keep = (key: string): boolean => covered.has(key) && wanted.has(key);
    const reflectors = (namespaces.length === 0 ? [''] : namespaces).map((namespace) => reflect(
      { kind, namespace },
      (raw, before) => (covered.has(identify(kind, raw)?.key ?? '') ? readArrived(kind, raw, before) : UNWANTED),
      (changes) => apply(kind, changes.filter(({ key }) => keep(key))),
      true,
    ));
    for (const reflector of reflectors) this.#trying.add(reflector);
    await Promise.all(reflectors.map((reflector) => reflector.synced));
    for (const reflector of reflectors) this.#trying.delete(reflector);
    if (reflectors.some(({ stats }) => stats.denied !== '')) {
      await Promise.all(reflectors.map((reflector) => reflector.stop()));
      return;
    }
    const before = this.#whole.get(kind);
    this.#whole.set(kind, { reflectors, covered });
    for (const reflector of before?.reflectors ?? []) void reflector.stop();
    for (const key of covered) {
      void this.#byName[kind].get(key)?.stop();
      this.#byName[kind].delete(key);
    }
    this.#tried.delete(kind);
  }
}
