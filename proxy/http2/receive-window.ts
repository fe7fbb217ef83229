// What the other side may send on a stream or on a whole connection (RFC 9113 §5.2): given back only as it is taken from us,
// so that who is not read holds little. A window begins small and doubles while what comes is taken.
import { DEFAULT_WINDOW } from './frames.ts';

export class ReceiveWindow {
  readonly #most: number;
  /** Octets that may still come. */
  #left = DEFAULT_WINDOW;
  #size = DEFAULT_WINDOW;
  /** Octets that were taken and not given back yet. */
  #taken = 0;

  /** `most`: octets that it grows to. */
  constructor(most: number) {
    this.#most = most;
  }

  /** So many octets have come. False: more than it allowed. */
  receive(octets: number): boolean {
    this.#left -= octets;
    return this.#left >= 0;
  }

  /** So many octets are no longer held. Gives by how much the other side's window is to be raised now, 0: not yet. */
  take(octets: number): number {
    this.#taken += octets;
    if (this.#taken < this.#size / 2) return 0;
    const grown = Math.min(this.#size * 2, this.#most);
    const credit = this.#taken + grown - this.#size;
    this.#size = grown;
    this.#taken = 0;
    this.#left += credit;
    return credit;
  }
}
