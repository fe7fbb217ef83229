// The table as it was last published, and its versions. A new table becomes a delta that holds what differs and nothing
// else: the pipeline returns the same object for an entry that did not change, so most comparisons are `===`; an entry that
// was rebuilt with the same content is found equal and is not sent either.
import { equal } from '../../proxy/table/equal.ts';
import { SECTION_NAMES } from '../../proxy/table/snapshot.ts';
import type { Delta, SectionName, Sections, Snapshot } from '../../proxy/table/snapshot.ts';

/** An entry of any section. */
export type Entry = Sections[SectionName][string];

/** One entry that appeared (`before` undefined), changed, or went (`after` undefined). */
export interface Edit {
  readonly section: SectionName;
  readonly key: string;
  readonly before: Entry | undefined;
  readonly after: Entry | undefined;
}

/** Keys that may differ from the table before; sections that are left out did not change. */
export type Touched = { readonly [S in SectionName]?: Iterable<string> };

export class Versions {
  readonly #entries: { readonly [S in SectionName]: Map<string, Entry> } = {
    listeners: new Map(),
    virtualHosts: new Map(),
    clusters: new Map(),
    endpoints: new Map(),
    certificates: new Map(),
  };
  #version = 0;

  /** Of the published table; 0: nothing has been published yet. */
  get version(): number {
    return this.#version;
  }

  /**
   * Takes the next table. Returns what changed, with the delta that says so; undefined if it is equal, unless it is the first.
   * `touched` names the entries to look at; without it all are compared.
   */
  advance(sections: Sections, touched?: Touched): { readonly delta: Delta; readonly edits: readonly Edit[] } | undefined {
    const edits = SECTION_NAMES.flatMap((section) => [...this.#compare(section, sections[section], touched === undefined ? undefined : (touched[section] ?? []))]);
    if (edits.length === 0 && this.#version > 0) return undefined;
    const base = this.#version++;
    return { edits, delta: { base, version: this.#version, ...this.#changes(edits) } };
  }

  /** The published table as a whole. */
  snapshot(): Snapshot {
    const sections = Object.fromEntries(SECTION_NAMES.map((section) => [section, Object.fromEntries(this.#entries[section])]));
    return { version: this.#version, ...(sections as unknown as Sections) };
  }

  *#compare(section: SectionName, next: Readonly<Record<string, Entry>>, touched: Iterable<string> | undefined): Generator<Edit> {
    const live = this.#entries[section];
    for (const key of touched ?? new Set([...live.keys(), ...Object.keys(next)])) {
      const before = live.get(key);
      const after = Object.hasOwn(next, key) ? next[key] : undefined;
      if (before === after) continue;
      if (after === undefined) live.delete(key);
      else live.set(key, after);
      if (!equal(before, after)) yield { section, key, before, after };
    }
  }

  #changes(edits: readonly Edit[]): Pick<Delta, 'set' | 'remove'> {
    const set: { [S in SectionName]?: Record<string, Entry> } = {};
    const remove: { [S in SectionName]?: string[] } = {};
    for (const { section, key, after } of edits) {
      if (after === undefined) (remove[section] ??= []).push(key);
      else (set[section] ??= {})[key] = after;
    }
    return { set: set as Delta['set'], remove };
  }
}
