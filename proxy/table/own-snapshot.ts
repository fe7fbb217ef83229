// The table of one worker, changed in place by deltas: copying a section of ten thousand entries costs two milliseconds, and
// a worker does not need the table before. Generic over the sections: nothing here knows what they hold.
import { SECTION_NAMES } from './snapshot.ts';
import type { Delta, SectionName, Snapshot } from './snapshot.ts';

/** A snapshot with one owner, who changes it in place: its sections are records that nobody else holds. Made by `ownSnapshot`. */
export interface OwnSnapshot extends Snapshot {
  version: number;
}

/** A copy of the sections; their entries are shared. */
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

/** Puts the delta in force. False: it belongs to another base, and nothing was done. What changed stands in the delta, by key. */
export function applyInPlace(own: OwnSnapshot, delta: Delta): boolean {
  if (delta.base !== own.version) return false;
  for (const name of SECTION_NAMES) change(own[name] as Record<string, unknown>, delta, name);
  own.version = delta.version;
  return true;
}

function change(section: Record<string, unknown>, delta: Delta, name: SectionName): void {
  for (const key of delta.remove[name] ?? []) delete section[key];
  Object.assign(section, delta.set[name]);
}
