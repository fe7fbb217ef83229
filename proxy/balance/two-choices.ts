// The power of two choices: of two random members the cheaper one. Nearly as even as always taking the cheapest, at a
// cost that does not depend on the number of members, and without the herd that follows a stale minimum.
// M. Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 1996.
import { anyUsable } from './policy.ts';
import type { Random, Usable } from './policy.ts';
import type { Slot } from './slot.ts';

/** How often a pair is drawn in which no member is usable before all members are looked at. */
const DRAWS = 4;

/** Undefined only if no member is usable. */
export function cheaperOfTwo(
  members: readonly Slot[],
  usable: Usable,
  cost: (slot: Slot) => number,
  random: Random,
): Slot | undefined {
  const count = members.length;
  for (let draw = 0; count > 1 && draw < DRAWS; draw++) {
    const first = Math.floor(random() * count);
    const other = Math.floor(random() * (count - 1));
    const a = members[first];
    const b = members[other < first ? other : other + 1];
    if (a === undefined || b === undefined) break;
    const aUsable = usable(a);
    const bUsable = usable(b);
    if (aUsable && bUsable) return cost(b) < cost(a) ? b : a;
    if (aUsable) return a;
    if (bUsable) return b;
  }
  return anyUsable(members, usable, random);
}
