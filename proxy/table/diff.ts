// What changed between two tables, and how to change one. Generic over the sections: nothing here knows what they hold.
// An unchanged entry is usually the identical object, so a diff is mostly `===`; a new object that says the same is no change.
import { equal } from './equal.ts';
import { SECTION_NAMES } from './snapshot.ts';
import type { Delta, SectionName, Sections, Snapshot } from './snapshot.ts';

export type SectionChanges = Pick<Delta, 'set' | 'remove'>;

type AnyRecord = Readonly<Record<string, unknown>>;

/** What turns `a` into `b`; undefined: nothing does, they are equal. */
export function diff(a: Sections, b: Sections): SectionChanges | undefined {
  const set: Partial<Record<SectionName, Record<string, unknown>>> = {};
  const remove: Partial<Record<SectionName, string[]>> = {};
  for (const name of SECTION_NAMES) {
    if (a[name] === b[name]) continue;
    const before: AnyRecord = a[name];
    const after: AnyRecord = b[name];
    for (const key of Object.keys(after)) {
      if (Object.hasOwn(before, key) && (before[key] === after[key] || equal(before[key], after[key]))) continue;
      const section = (set[name] ??= {});
      section[key] = after[key];
    }
    for (const key of Object.keys(before)) {
      if (Object.hasOwn(after, key)) continue;
      const section = (remove[name] ??= []);
      section.push(key);
    }
  }
  if (Object.keys(set).length === 0 && Object.keys(remove).length === 0) return undefined;
  return { set: set as Delta['set'], remove };
}

/** The delta that turns the snapshot `a` into one with the sections `b`, as the next version; undefined: there is no difference. */
export function makeDelta(a: Snapshot, b: Sections): Delta | undefined {
  const changes = diff(a, b);
  return changes === undefined ? undefined : { base: a.version, version: a.version + 1, ...changes };
}

/** The snapshot after the delta; undefined: the delta belongs to another base. Sections and entries that it does not touch are shared with `a`, which stays as it is. */
export function apply(a: Snapshot, delta: Delta): Snapshot | undefined {
  if (delta.base !== a.version) return undefined;
  const next: Record<SectionName, AnyRecord> = { ...a };
  for (const name of SECTION_NAMES) {
    if (delta.set[name] !== undefined || delta.remove[name] !== undefined) next[name] = changed({ ...next[name] }, delta, name);
  }
  return { ...(next as unknown as Sections), version: delta.version };
}

/** A snapshot with one owner, who changes it in place: its sections are records that nobody else holds. Made by `ownSnapshot`. */
export interface OwnSnapshot extends Snapshot {
  version: number;
}

export function ownSnapshot(snapshot: Snapshot): OwnSnapshot {
  const { version, listeners, virtualHosts, clusters, endpoints, certificates } = snapshot;
  return {
    version,
    listeners: { ...listeners },
    virtualHosts: { ...virtualHosts },
    clusters: { ...clusters },
    endpoints: { ...endpoints },
    certificates: { ...certificates },
  };
}

/**
 * As `apply`, but changes the snapshot itself: copying a section of ten thousand entries costs two milliseconds, and a worker does not need the
 * table before. False: the delta belongs to another base, and nothing was done. What changed stands in the delta, by key.
 */
export function applyInPlace(own: OwnSnapshot, delta: Delta): boolean {
  if (delta.base !== own.version) return false;
  for (const name of SECTION_NAMES) changed(own[name] as Record<string, unknown>, delta, name);
  own.version = delta.version;
  return true;
}

function changed(section: Record<string, unknown>, delta: Delta, name: SectionName): AnyRecord {
  for (const key of delta.remove[name] ?? []) delete section[key];
  return Object.assign(section, delta.set[name]);
}
