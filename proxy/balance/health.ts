// Passive health: an endpoint that refuses connections, times out or fails several times in a row is left out for a
// while: 1 s, doubling to 30 s while it goes on. Never more than half of the members at once, since when everything
// fails the fault is rarely the endpoints'. A success ends it; so does any change to the endpoint in the table.
import type { Outcome } from './balancer.ts';
import type { Slot } from './slot.ts';

const FAILURES_IN_ROW = 5;
const FIRST_MS = 1_000;
const LONGEST_MS = 30_000;

export class Health {
  readonly #clock: () => number;
  readonly #ejected = new Set<Slot>();

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  /** How many endpoints are left out, at most: of some the time may be over. */
  get ejected(): number {
    return this.#ejected.size;
  }

  /** Those that are. */
  out(): readonly Slot[] {
    return [...this.#ejected].filter((slot) => this.isEjected(slot));
  }

  isEjected(slot: Slot): boolean {
    if (slot.ejectedUntil === 0) return false;
    if (this.#clock() < slot.ejectedUntil) return true;
    this.#end(slot);
    return false;
  }

  /** An attempt ended. `members`: how many endpoints there are to choose from. */
  record(slot: Slot, outcome: Outcome, members: number): void {
    if (outcome === 'cancelled') return;
    if (outcome === 'success') {
      slot.failuresInRow = 0;
      slot.ejectionMs = 0;
      this.#end(slot);
      return;
    }
    slot.failuresInRow++;
    if (outcome === 'failure' && slot.failuresInRow < FAILURES_IN_ROW) return;
    // What was sent before the ejection may fail after it: that is the same trouble, not a second one.
    if (this.isEjected(slot)) return;
    for (const other of this.#ejected) this.isEjected(other);
    if (this.#ejected.size + 1 > members / 2) return;
    slot.ejectionMs = slot.ejectionMs === 0 ? FIRST_MS : Math.min(slot.ejectionMs * 2, LONGEST_MS);
    slot.ejectedUntil = this.#clock() + slot.ejectionMs;
    this.#ejected.add(slot);
  }

  /** The endpoint changed or left: what was known of it no longer counts. */
  forget(slot: Slot): void {
    slot.failuresInRow = 0;
    slot.ejectionMs = 0;
    this.#end(slot);
  }

  #end(slot: Slot): void {
    slot.ejectedUntil = 0;
    this.#ejected.delete(slot);
  }
}
