// Cuts what arrives on an HTTP/2 connection into frames (RFC 9113 §4.1), out of whatever pieces it comes in. Nothing is
// copied but a frame that comes in several pieces. Heads of frames are given back here, payloads by whoever gets them.
import { giveBackFraming, lend, putBack, takeRoom } from '../net/read-blocks.ts';
import { FRAME, FRAME_HEAD_BYTES, MAX_FRAME_BYTES } from './frames.ts';

const EMPTY = Buffer.alloc(0);

/** Takes one frame. The payload is a view of what was read. What it throws goes to whoever pushes. */
export type OnFrame = (type: number, flags: number, stream: number, payload: Buffer) => void;

export class FrameReader {
  readonly #onFrame: OnFrame;
  /** A frame of which only a part has come, with its head. */
  #partial: Buffer = EMPTY;
  #have = 0;
  #stopped = false;

  constructor(onFrame: OnFrame) {
    this.#onFrame = onFrame;
  }

  /** Whoever takes a frame wants no further head: `push` returns before the next one. What else there is up to there belongs to those that were taken. */
  stop(): void {
    this.#stopped = true;
  }

  /** How much of it was read: all, unless it was stopped. -1: a frame is larger than is allowed; nothing may be pushed behind it. */
  push(chunk: Buffer): number {
    this.#stopped = false;
    let at = 0;
    if (this.#have > 0) {
      at = this.#complete(chunk);
      if (at < 0 || this.#have > 0) return at;
    }
    while (chunk.length - at >= FRAME_HEAD_BYTES) {
      if (this.#stopped && chunk[at + 3] === FRAME.HEADERS) return at;
      const length = lengthAt(chunk, at);
      if (length > MAX_FRAME_BYTES) return -1;
      const end = at + FRAME_HEAD_BYTES + length;
      if (end > chunk.length) break;
      this.#give(chunk, at, end);
      at = end;
    }
    if (at < chunk.length) this.#keep(chunk, at);
    return chunk.length;
  }

  /** Completes the partial frame out of `chunk`; how far that was read, -1 if the frame is too large. */
  #complete(chunk: Buffer): number {
    let at = this.#add(chunk, 0, FRAME_HEAD_BYTES);
    if (this.#have < FRAME_HEAD_BYTES) return at;
    const length = lengthAt(this.#partial, 0);
    if (length > MAX_FRAME_BYTES) return -1;
    const whole = FRAME_HEAD_BYTES + length;
    at = this.#add(chunk, at, whole);
    if (this.#have < whole) return at;
    this.#have = 0;
    const frame = lend(this.#partial, whole);
    this.#partial = EMPTY;
    this.#give(frame, 0, whole);
    return at;
  }

  /** Adds to the partial frame until it has `wanted` octets. Room is made for what has come, not for what was announced. */
  #add(chunk: Buffer, at: number, wanted: number): number {
    const end = Math.min(chunk.length, at + Math.max(0, wanted - this.#have));
    const have = this.#have + end - at;
    if (this.#partial.length < have) {
      const smaller = this.#partial;
      this.#partial = takeRoom(have);
      smaller.copy(this.#partial, 0, 0, this.#have);
      if (smaller.length > 0) putBack(smaller);
    }
    chunk.copy(this.#partial, this.#have, at, end);
    giveBackFraming(chunk, end - at);
    this.#have = have;
    return end;
  }

  #keep(chunk: Buffer, at: number): void {
    this.#partial = takeRoom(chunk.length - at);
    this.#have = chunk.copy(this.#partial, 0, at);
    giveBackFraming(chunk, this.#have);
  }

  #give(bytes: Buffer, at: number, end: number): void {
    this.#onFrame(bytes[at + 3] as number, bytes[at + 4] as number, bytes.readUInt32BE(at + 5) & 0x7fffffff, bytes.subarray(at + FRAME_HEAD_BYTES, end));
    giveBackFraming(bytes, FRAME_HEAD_BYTES);
  }
}

function lengthAt(bytes: Buffer, at: number): number {
  return ((bytes[at] as number) << 16) | ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number);
}
