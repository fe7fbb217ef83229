// The counts of many reflectors as one line per kind, for metrics and for whoever looks.
import type { Kind } from './objects.ts';
import type { ReflectorStats } from './reflector.ts';

export interface KindStats {
  readonly kind: Kind;
  readonly objects: number;
  readonly lists: number;
  readonly watches: number;
  /** Lists and watches that did not end as they should. */
  readonly failures: number;
  /** What arrived and was no object, or an object without a name or version. */
  readonly skipped: number;
  /** Lists that lacked more than half of what was known, and had to be confirmed. */
  readonly doubted: number;
  /** Milliseconds since the oldest part of the view was last known to be current; undefined: some part has never been. */
  readonly ageMs: number | undefined;
  readonly denied: boolean;
}

export function kindStats(reflectors: Iterable<{ readonly collection: { readonly kind: Kind }; readonly stats: ReflectorStats }>): KindStats[] {
  const byKind = new Map<Kind, KindStats>();
  for (const { collection: { kind }, stats } of reflectors) {
    const ageMs = stats.freshAt === undefined ? undefined : performance.now() - stats.freshAt;
    const sum = byKind.get(kind);
    byKind.set(kind, {
      kind,
      objects: stats.objects + (sum?.objects ?? 0),
      lists: stats.lists + (sum?.lists ?? 0),
      watches: stats.watches + (sum?.watches ?? 0),
      failures: stats.failures + (sum?.failures ?? 0),
      skipped: stats.skipped + (sum?.skipped ?? 0),
      doubted: stats.doubted + (sum?.doubted ?? 0),
      ageMs: sum === undefined ? ageMs : ageMs === undefined || sum.ageMs === undefined ? undefined : Math.max(ageMs, sum.ageMs),
      denied: stats.denied !== '' || sum?.denied === true,
    });
  }
  return [...byKind.values()];
}
