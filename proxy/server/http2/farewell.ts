// How a connection ends for new streams (RFC 9113 §6.8): first its client is asked to begin nothing more, and what it has sent until
// a moment later counts as its last, so that nothing that was on its way is lost. That comes with a drain, or with the last
// request that one connection may have.
import { CODE, goawayFrame } from '../../http2/frames.ts';
import type { FrameWriter } from '../../http2/writer.ts';

/** Of all that a client may open. */
const LAST_STREAM = 2 ** 31 - 1;
/** From the announcement to the end: more than any way there and back. */
const GOAWAY_MS = 1_000;

export class Farewell {
  /** No new streams are taken. */
  said = false;
  readonly #writer: FrameWriter;
  readonly #leave: () => void;
  #begun = false;
  /** Requests that the client may still send. */
  #left: number;

  /** `requests`: that a client may send. `leave`: to be called when it is to be told which was its last. */
  constructor(writer: FrameWriter, requests: number, leave: () => void) {
    this.#writer = writer;
    this.#left = requests;
    this.#leave = leave;
  }

  /** The client has sent a request. */
  served(): void {
    if (--this.#left === 0) this.begin(GOAWAY_MS);
  }

  /** Within `ms`, and in a second at most, the client is told which stream was its last. */
  begin(ms: number): void {
    if (this.#begun || this.said) return;
    this.#begun = true;
    this.#writer.write(goawayFrame(LAST_STREAM, CODE.NO_ERROR));
    setTimeout(this.#leave, Math.min(ms, GOAWAY_MS)).unref();
  }

  /** False: it was said before. */
  say(lastStream: number): boolean {
    if (this.said) return false;
    this.said = true;
    this.#writer.write(goawayFrame(lastStream, CODE.NO_ERROR));
    return true;
  }
}
