// How often a client may do what costs it little and us much: frames that ask for nothing and bring nothing, and streams that
// end before their time (rapid reset, and its kin). So many at once, and so many more with every second; what is done for a
// client earns it some frames more. Whoever does it more often loses the connection.
import { CODE } from '../../http2/frames.ts';
import { Http2Violation } from '../../http2/receiver.ts';

/** Streams that a client may reset before they are answered, or make us reset, at once and again per second: all that it may have, twice, and at least so many. */
const LEAST_RESETS = 100;
const FRAMES = 2_000;
const FRAMES_PER_SECOND = 200;
const EARNED_BY_STREAM = 20;
const EARNED_BY_DATA = 2;
/** Who reads in small steps opens two windows by every step, long after the data was sent: that is no offence if the steps are no smaller. */
const SMALL_STEP = 256;

export class Http2Conduct {
  readonly #mostResets: number;
  #resets: number;
  #resetsSince = performance.now();
  #frames = FRAMES;
  #framesSince = performance.now();
  #unreturned = 0;
  /** Streams that were reset here and may still be written to by a client that does not know yet. */
  #wereReset: Set<number> | undefined;

  /** `streams`: that a client may have at once. */
  constructor(streams: number) {
    this.#mostResets = this.#resets = Math.max(LEAST_RESETS, streams * 2);
  }

  /** A frame without effect has come. Throws `Http2Violation`. */
  idled(): void {
    if (--this.#frames >= 0) return;
    // The clock is asked only when all are used up.
    const now = performance.now();
    this.#frames = Math.min(FRAMES, this.#frames + ((now - this.#framesSince) / 1000) * FRAMES_PER_SECOND);
    this.#framesSince = now;
    if (this.#frames < 0) throw new Http2Violation(CODE.ENHANCE_YOUR_CALM, 'too many frames without effect');
  }

  /** The client has made a stream end before its time. Throws `Http2Violation`. */
  provoked(): void {
    if (--this.#resets >= 0) return;
    const now = performance.now();
    this.#resets = Math.min(this.#mostResets, this.#resets + ((now - this.#resetsSince) / 1000) * this.#mostResets);
    this.#resetsSince = now;
    if (this.#resets < 0) throw new Http2Violation(CODE.ENHANCE_YOUR_CALM, 'too many streams that were reset');
  }

  /** A stream was opened. */
  opened(): void {
    this.#frames = Math.min(FRAMES, this.#frames + EARNED_BY_STREAM);
  }

  /** DATA went one way or the other. */
  carried(): void {
    this.#frames = Math.min(FRAMES, this.#frames + EARNED_BY_DATA);
  }

  /** DATA was sent: the client will give back its octets, on the stream and on the connection. */
  sent(octets: number): void {
    this.carried();
    this.#unreturned += octets * 2;
  }

  /** The client opens a window. Throws `Http2Violation`. */
  returned(octets: number): void {
    if (octets >= SMALL_STEP && octets <= this.#unreturned) this.#unreturned -= octets;
    else this.idled();
  }

  /** The stream is reset here. */
  reset(stream: number): void {
    const known = (this.#wereReset ??= new Set());
    known.add(stream);
    if (known.size > this.#mostResets) known.delete(known.values().next().value as number);
  }

  /** A message goes on on a stream that is no more. False: it may not; it is excused where the client cannot have known. Throws `Http2Violation`. */
  excused(stream: number): boolean {
    if (this.#wereReset?.has(stream) !== true) return false;
    this.idled();
    return true;
  }
}
