// Least request: of two random endpoints the one with fewer requests under way.
import type { Policy, Random } from './policy.ts';
import type { Slot } from './slot.ts';
import { cheaperOfTwo } from './two-choices.ts';

const inFlight = (slot: Slot): number => slot.inFlight;

export function leastRequest(random: Random): Policy {
  let members: readonly Slot[] = [];
  return {
    rebuild(slots) {
      members = slots;
    },
    choose(_hashKey, usable) {
      return cheaperOfTwo(members, usable, inFlight, random);
    },
  };
}
