// Requests of one cluster whose clients take nothing of the answer. Each holds a place at its endpoint, and a few clients
// with many streams can hold all of them; so when others wait for a place, who has taken nothing for longest gives way.

/** How long a client may take nothing while others wait for its place. */
const MOST_MS = 1_000;

export interface Stalling {
  /** Ends the request, and with it frees its place. */
  giveWay(): void;
}

export class Stalled {
  /** Who, and since when (`performance.now()`); the longest first. */
  readonly #since = new Map<Stalling, number>();

  add(one: Stalling): void {
    this.#since.set(one, performance.now());
  }

  /** It takes something again, or is over. */
  delete(one: Stalling): void {
    this.#since.delete(one);
  }

  /** True: one place is free now, or was. */
  makeRoom(): boolean {
    for (const [one, since] of this.#since) {
      if (performance.now() - since < MOST_MS) return false;
      this.#since.delete(one);
      one.giveWay();
      return true;
    }
    return false;
  }
}
