// The part of a balancer that differs between algorithms: which of the members gets a request. What all have in common
// (membership, counting, health, caps) is in create.ts.
import type { Outcome } from './balancer.ts';
import type { Slot } from './slot.ts';

/** True: this slot may be chosen now (not tried, ejected or full). */
export type Usable = (slot: Slot) => boolean;

/** A number in [0, 1). */
export type Random = () => number;

export interface Policy {
  /** New members, sorted by key. */
  rebuild(members: readonly Slot[]): void;
  /** Undefined only if no member is usable. */
  choose(hashKey: string | undefined, usable: Usable): Slot | undefined;
  /** An attempt ended. */
  observe?(slot: Slot, outcome: Outcome, elapsedMs: number): void;
}

/** The first usable member from a random place on: the last resort of policies that choose at random. */
export function anyUsable(members: readonly Slot[], usable: Usable, random: Random): Slot | undefined {
  const start = Math.floor(random() * members.length);
  for (let step = 0; step < members.length; step++) {
    const slot = members[(start + step) % members.length];
    if (slot !== undefined && usable(slot)) return slot;
  }
  return undefined;
}
