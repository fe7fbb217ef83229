// Who has how many of a cluster's places. One connection of HTTP/2 can ask for a hundred answers that it never takes, and a few of them
// could hold all places of an endpoint; so no connection gets more than it leaves for all others. With one request at a time,
// as in HTTP/1.1, that is as many as there are; and a single connection never comes near to it, unless places are few.

/** A connection that may have many requests under way; it is compared and nothing else. */
export type Sharer = object;

export class Shares {
  readonly #taken = new Map<Sharer, number>();

  /** `free`: places that nobody has. Returns what gives it back, true the first time; undefined: the connection has too many already. */
  take(sharer: Sharer, free: number): (() => boolean) | undefined {
    const taken = this.#taken.get(sharer) ?? 0;
    if (taken >= free) return undefined;
    this.#taken.set(sharer, taken + 1);
    let given = false;
    return () => {
      if (given) return false;
      given = true;
      this.#giveBack(sharer);
      return true;
    };
  }

  #giveBack(sharer: Sharer): void {
    const left = (this.#taken.get(sharer) ?? 0) - 1;
    if (left > 0) this.#taken.set(sharer, left);
    else this.#taken.delete(sharer);
  }
}
