// Peak EWMA: of two random endpoints the one with the lower cost, which is its decayed latency times the requests that it
// has under way. A slower answer counts at once (peak), a faster one only as time passes; an endpoint without traffic
// decays towards zero, so that one that was slow is tried again. New endpoints start at the average of the others, so
// that they are neither flooded nor starved.
import type { Policy, Random } from './policy.ts';
import type { Slot } from './slot.ts';
import { cheaperOfTwo } from './two-choices.ts';

/** After this time an old latency counts 1/e (as in ingress-nginx). */
const DECAY_MS = 10_000;
/** Keeps the count of requests in the comparison while nothing is measured. */
const FLOOR_MS = 0.1;

export function peakEwma(random: Random, clock: () => number): Policy {
  let members: readonly Slot[] = [];

  function latency(slot: Slot, now: number): number {
    return slot.latencyMs === undefined ? 0 : slot.latencyMs * Math.exp((slot.latencyAt - now) / DECAY_MS);
  }

  return {
    rebuild(slots) {
      members = slots;
      const now = clock();
      const known = slots.filter((slot) => slot.latencyMs !== undefined);
      if (known.length === 0) return;
      const average = known.reduce((sum, slot) => sum + latency(slot, now), 0) / known.length;
      for (const slot of slots) {
        if (slot.latencyMs !== undefined) continue;
        slot.latencyMs = average;
        slot.latencyAt = now;
      }
    },
    choose(_hashKey, usable) {
      const now = clock();
      return cheaperOfTwo(members, usable, (slot) => (latency(slot, now) + FLOOR_MS) * (slot.inFlight + 1), random);
    },
    observe(slot, outcome, elapsedMs) {
      // A refusal or an error page is fast and says nothing about how fast the endpoint works.
      if (outcome !== 'success' && outcome !== 'timeout') return;
      const now = clock();
      const weight = Math.exp((slot.latencyAt - now) / DECAY_MS);
      const before = latency(slot, now);
      slot.latencyMs = elapsedMs > before ? elapsedMs : before + elapsedMs * (1 - weight);
      slot.latencyAt = now;
    },
  };
}
