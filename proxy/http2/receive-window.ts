// What the other side may send on a stream or on a whole connection (RFC 9113 §5.2): given back only as it is taken from us,
// so that who is not read holds little. A stream's begins small and doubles while what comes is taken.
import { DEFAULT_WINDOW } from './frames.ts';

/** What was taken is given back at the latest when it is so much: others may wait for it. */
const WITHHELD_BYTES = 128 * 1024;

export class ReceiveWindow {
  readonly #most: number;
  /** Octets that may still come. */
  #left: number;
  #size: number;
  /** Octets that were taken and not given back yet. */
  #taken = 0;

  /** `most`: octets that it grows to. `size`: that it begins with. */
  constructor(most: number, size = DEFAULT_WINDOW) {
    this.#most = most;
    this.#left = this.#size = size;
  }

  /** So many octets have come. False: more than it allowed. */
  receive(octets: number): boolean {
    this.#left -= octets;
    return this.#left >= 0;
  }

  /** So many octets are no longer held. Gives by how much the other side's window is to be raised now, 0: not yet. */
  take(octets: number): number {
    this.#taken += octets;
    if (this.#taken < Math.min(this.#size / 2, WITHHELD_BYTES)) return 0;
    const grown = Math.min(this.#size * 2, this.#most);
    const credit = this.#taken + grown - this.#size;
    this.#size = grown;
    this.#taken = 0;
    this.#left += credit;
    return credit;
  }
}
