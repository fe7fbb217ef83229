// Memory that large reads go to. A block that is lent goes round: from a read through an answer into a write, and back, without
// a new ArrayBuffer for each. Whoever gives bytes back says that nobody has them any longer. Whoever does not say so costs an allocation,
// and nothing else: such a block is left to the garbage collector.

/** Sizes of blocks: what is read is lent in the smallest one that takes it. The last is what one read takes at most, and what a client holds that stops reading. */
const SIZES = [64, 256, 1024, 4 * 1024, 8 * 1024, 16 * 1024, 20 * 1024] as const;
/** Blocks that were not needed for so long are let go, half of them at a time. */
const UNUSED_MS = 1_000;

class Shelf {
  readonly #octets: number;
  readonly #blocks: Buffer[] = [];
  /** So many of them nobody has taken since they were looked through last. */
  #unused = 0;

  constructor(octets: number) {
    this.#octets = octets;
  }

  take(): Buffer {
    const block = this.#blocks.pop();
    if (block === undefined) return Buffer.allocUnsafeSlow(this.#octets);
    if (this.#blocks.length < this.#unused) this.#unused = this.#blocks.length;
    return block;
  }

  put(block: Buffer): void {
    this.#blocks.push(block);
  }

  /** False: there is none left. */
  thin(): boolean {
    this.#blocks.splice(0, Math.ceil(this.#unused / 2));
    this.#unused = this.#blocks.length;
    return this.#unused > 0;
  }
}

const shelves: ReadonlyMap<number, Shelf> = new Map(SIZES.map((octets) => [octets, new Shelf(octets)]));
const largest = shelves.get(SIZES[SIZES.length - 1] as number) as Shelf;
/** Octets of each block that somebody has. */
const lent = new WeakMap<ArrayBufferLike, number>();
let thinning: NodeJS.Timeout | undefined;

function thin(): void {
  let left = false;
  for (const shelf of shelves.values()) left = shelf.thin() || left;
  if (left) return;
  clearInterval(thinning);
  thinning = undefined;
}

/** Memory for one read, as large as it may be, that nobody else has. */
export function takeBlock(): Buffer {
  return largest.take();
}

/** The smallest block that takes so many octets; of more than the largest one takes, memory of its own. */
export function takeRoom(octets: number): Buffer {
  const size = SIZES.find((each) => each >= octets);
  return size === undefined ? Buffer.allocUnsafeSlow(octets) : (shelves.get(size) as Shelf).take();
}

/** A block that nothing was made of. */
export function putBack(block: Buffer): void {
  shelves.get(block.length)?.put(block);
  thinning ??= setInterval(thin, UNUSED_MS).unref();
}

/** What was read into a block, from its beginning: it is lent until all octets are given back. */
export function lend(block: Buffer, octets: number): Buffer {
  lent.set(block.buffer, octets);
  return block.subarray(0, octets);
}

/** A copy of the first octets of a buffer, in a block that is lent; of more than the largest one takes, in memory of its own. */
export function lendCopy(bytes: Buffer, octets: number): Buffer {
  const copy = lend(takeRoom(octets), octets);
  bytes.copy(copy, 0, 0, octets);
  return copy;
}

/** Somebody waits for these bytes to be given back. */
export function isLent(bytes: Buffer): boolean {
  return lent.has(bytes.buffer);
}

/** Somebody goes on having these bytes: what they lie in does not go round any longer, whoever else gives it back. */
export function keep(bytes: Buffer): void {
  lent.delete(bytes.buffer);
}

/** Nobody has these bytes any longer. Each of them is given back once; of bytes that were not lent nothing is known here. */
export function giveBack(bytes: Buffer): void {
  const { buffer, length } = bytes;
  const left = lent.get(buffer);
  if (left === undefined) return;
  if (left > length) {
    lent.set(buffer, left - length);
    return;
  }
  lent.delete(buffer);
  // More than was out: somebody has given back what was not theirs, and who knows who has it.
  if (left === length) putBack(Buffer.from(buffer));
}

/** The same for so many octets of what these bytes were read into, wherever between them: heads, sizes of chunks, what was copied. */
export function giveBackFraming(bytes: Buffer, octets: number): void {
  if (octets > 0 && isLent(bytes)) giveBack(bytes.subarray(0, octets));
}
