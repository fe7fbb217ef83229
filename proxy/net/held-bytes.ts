// Pieces of a body that wait. A client may send it octet by octet, and every octet that is kept by itself costs hundreds: small
// pieces are put together, so that what is held is little more than what was sent.
import { kept } from './kept.ts';
import { giveBack } from './read-blocks.ts';

/** Pieces from this size on are kept as they are. */
const SMALL_BYTES = 1024;
const TOGETHER_BYTES = 8 * 1024;

export class HeldBytes {
  #pieces: Buffer[] = [];
  /** Small pieces, one behind the other, behind all of `#pieces`. */
  #together: Buffer | undefined;
  #used = 0;
  #length = 0;

  /** Octets that are held. */
  get length(): number {
    return this.#length;
  }

  push(data: Buffer): void {
    if (data.length === 0) return;
    this.#length += data.length;
    if (data.length >= SMALL_BYTES) {
      this.#seal();
      const own = kept(data);
      if (own !== data) giveBack(data);
      this.#pieces.push(own);
      return;
    }
    const wanted = this.#used + data.length;
    if (this.#together !== undefined && wanted > TOGETHER_BYTES) this.#seal();
    data.copy(this.#room(data.length), this.#used);
    this.#used += data.length;
    giveBack(data);
  }

  /** The next piece, which is no longer held; undefined: there is none. */
  shift(): Buffer | undefined {
    if (this.#pieces.length === 0) this.#seal();
    const piece = this.#pieces.shift();
    if (piece !== undefined) this.#length -= piece.length;
    return piece;
  }

  /** All pieces, none of which is held any longer. */
  splice(): Buffer[] {
    this.#seal();
    const pieces = this.#pieces;
    this.#pieces = [];
    this.#length = 0;
    return pieces;
  }

  clear(): void {
    this.#pieces = [];
    this.#together = undefined;
    this.#used = this.#length = 0;
  }

  #room(octets: number): Buffer {
    const before = this.#together;
    const wanted = this.#used + octets;
    if (before !== undefined && before.length >= wanted) return before;
    const room = Buffer.allocUnsafeSlow(before === undefined ? octets : Math.max(wanted, Math.min(TOGETHER_BYTES, before.length * 2)));
    before?.copy(room, 0, 0, this.#used);
    this.#together = room;
    return room;
  }

  #seal(): void {
    if (this.#together === undefined) return;
    this.#pieces.push(this.#together.subarray(0, this.#used));
    this.#together = undefined;
    this.#used = 0;
  }
}
