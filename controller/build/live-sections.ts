// The five sections of the table while they are kept up to date in place. An entry that is put again with the same
// content keeps its identity, and every key that really changed is noted: copying ten thousand keys to change one would
// cost more than all the rest of a run.
import { equal } from '../../proxy/table/equal.ts';
import { SECTION_NAMES } from '../../proxy/table/snapshot.ts';
import type { SectionName, Sections } from '../../proxy/table/snapshot.ts';

/** Keys that were added, replaced or removed; a key that is not in the section any more was removed. */
export type Touched = { readonly [S in SectionName]: ReadonlySet<string> };

type Mutable = { readonly [S in SectionName]: Record<string, Sections[S][string]> };

export class LiveSections {
  readonly #sections: Mutable = { listeners: {}, virtualHosts: {}, clusters: {}, endpoints: {}, certificates: {} };
  #touched = noKeys();

  get sections(): Sections {
    return this.#sections;
  }

  put<S extends SectionName>(section: S, key: string, value: Sections[S][string]): void {
    const entries: Record<string, Sections[S][string]> = this.#sections[section];
    const before = entries[key];
    if (before === value || (before !== undefined && equal(before, value))) return;
    entries[key] = value;
    this.#touched[section].add(key);
  }

  remove(section: SectionName, key: string): void {
    const entries = this.#sections[section];
    if (!Object.hasOwn(entries, key)) return;
    delete entries[key];
    this.#touched[section].add(key);
  }

  /** What changed since this was last called. */
  takeTouched(): Touched {
    const touched = this.#touched;
    this.#touched = noKeys();
    return touched;
  }
}

function noKeys(): { readonly [S in SectionName]: Set<string> } {
  return Object.fromEntries(SECTION_NAMES.map((name) => [name, new Set<string>()])) as { [S in SectionName]: Set<string> };
}
