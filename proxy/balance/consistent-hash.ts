// Consistent hashing with several probes (B. Appleton, M. O'Reilly, "Multi-probe consistent hashing", 2015): every
// endpoint has 8 points on a ring of 32 bits; a key has 21, and the endpoint that follows one of them most closely gets it.
// A new endpoint takes keys only for itself and a leaving one gives away only its own. The probes keep any share from being
// much too large; one point per endpoint would do for that, but leave one that stands close behind another almost nothing.
// With a subset, a key goes to any of the few endpoints that follow its points most closely, chosen at random.
import { halves, hash, mix } from './hash.ts';
import { anyUsable } from './policy.ts';
import type { Policy, Random, Usable } from './policy.ts';
import type { Slot } from './slot.ts';

const POINTS = 8;
const PROBES = 21;
const RING = 2 ** 32;

/** `subsetSize`: endpoints that share a key. */
export function consistentHash(random: Random, subsetSize = 1): Policy {
  let owners: readonly Slot[] = [];
  let points = new Uint32Array(0);
  /** `starts[h >>> shift]`: the first point not before that part of the ring. */
  let starts = new Uint32Array(1);
  let shift = 31;

  /** The owner that follows one of the key's points most closely, among the usable ones if asked for. */
  function nearest(low: number, high: number, usable: Usable | undefined): Slot | undefined {
    let best: Slot | undefined;
    let bestDistance = Infinity;
    const count = points.length;
    for (let probe = 0; probe < PROBES; probe++) {
      const at = mix(low + Math.imul(probe, high));
      let place = starts[at >>> shift] ?? count;
      while (place < count && (points[place] ?? 0) < at) place++;
      for (let step = 0; step < count; step++, place++) {
        const index = place % count;
        const point = points[index] ?? 0;
        const distance = point >= at ? point - at : point - at + RING;
        if (distance >= bestDistance) break;
        const owner = owners[index];
        if (owner === undefined || (usable !== undefined && !usable(owner))) continue;
        best = owner;
        bestDistance = distance;
        break;
      }
    }
    return best;
  }

  /** One of the key's endpoints at random; another one of them if that cannot take it, and any other at last. */
  function fromSubset(low: number, high: number, usable: Usable): Slot | undefined {
    const subset: Slot[] = [];
    while (subset.length < subsetSize) {
      const next = nearest(low, high, (slot) => !subset.includes(slot));
      if (next === undefined) break;
      subset.push(next);
    }
    return anyUsable(subset, usable, random) ?? nearest(low, high, usable);
  }

  return {
    rebuild(members) {
      const placed = members.flatMap((slot) => {
        hash(slot.key);
        const { low, high } = halves;
        return Array.from({ length: POINTS }, (_, nth) => ({ slot, point: mix(low + Math.imul(nth, high | 1)) }));
      });
      // Members come sorted by key, and sort is stable: two endpoints on the same point always stand in the same order.
      placed.sort((a, b) => a.point - b.point);
      owners = placed.map((entry) => entry.slot);
      points = Uint32Array.from(placed, (entry) => entry.point);
      const bits = Math.max(1, Math.ceil(Math.log2(points.length + 1)));
      shift = 32 - bits;
      starts = new Uint32Array(2 ** bits);
      for (let part = 0, place = 0; part < starts.length; part++) {
        while (place < points.length && (points[place] ?? 0) < part * 2 ** shift) place++;
        starts[part] = place;
      }
    },
    choose(hashKey, usable) {
      if (hashKey === undefined || hashKey === '') return anyUsable(owners, usable, random);
      hash(hashKey);
      // An even step would visit only some points of the ring.
      const { low, high } = halves;
      if (subsetSize > 1) return fromSubset(low, high | 1, usable);
      const owner = nearest(low, high | 1, undefined);
      if (owner === undefined || usable(owner)) return owner;
      return nearest(low, high | 1, usable);
    },
  };
}
