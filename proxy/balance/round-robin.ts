// Round robin: one after the other. Every balancer starts at a random place, so that many workers with little traffic do
// not all begin with the same endpoint.
import type { Policy, Random } from './policy.ts';
import type { Slot } from './slot.ts';

export function roundRobin(random: Random): Policy {
  let members: readonly Slot[] = [];
  let next = -1;
  return {
    rebuild(slots) {
      members = slots;
      if (next < 0) next = Math.floor(random() * slots.length);
    },
    choose(_hashKey, usable) {
      const count = members.length;
      for (let step = 0; step < count; step++) {
        const place = (next + step) % count;
        const slot = members[place];
        if (slot !== undefined && usable(slot)) {
          next = place + 1;
          return slot;
        }
      }
      return undefined;
    },
  };
}
