// A request body whose beginning is kept until an endpoint answers, so that an endpoint that says "I have not looked at
// it" does not cost the request. As long as it can be started once more, it says that it has not been started.
// An upload to the endpoint before may go on for a while; only the present one stops the client and lets it go on.
import type { BodySink, BodySource, ProxyError, RawHeaders } from '../http/exchange.ts';
import { WrappedBody } from '../http/wrapped-body.ts';

/** Bodies that grow beyond it cannot be sent again. */
export const REPLAY_BYTES = 64 * 1024;
/** A client may send octet by octet: of more pieces than this, those that were delivered become one, and those that were not. */
const MOST_PIECES = 128;

export class ReplayBody extends WrappedBody {
  readonly #maxBytes: number;
  /** What may have to be delivered, or delivered again. */
  #kept: Buffer[] = [];
  #keptBytes = 0;
  /** Number of kept chunks that the present sink has got. */
  #delivered = 0;
  /** Nothing that was delivered is kept any longer. */
  #final = false;
  #begun = false;
  #paused = false;
  #sink: BodySink | undefined;
  #trailers: RawHeaders | undefined;
  #error: ProxyError | undefined;

  constructor(source: BodySource, maxBytes = REPLAY_BYTES) {
    super(source);
    this.#maxBytes = maxBytes;
  }

  get started(): boolean {
    return this.#final && this.#begun;
  }

  /** May be called again while `started` is false: the new sink gets everything from the start, and the old one nothing more. */
  start(sink: BodySink): void {
    this.#sink = sink;
    this.#delivered = 0;
    this.#paused = false;
    if (this.#begun) {
      this.#flow();
    } else {
      this.#begun = true;
      this.source.start(this);
    }
  }

  pause(sink: BodySink): void {
    if (sink !== this.#sink) return;
    this.#paused = true;
    if (!this.#sourceOver) this.source.pause(this);
  }

  resume(sink: BodySink): void {
    if (sink !== this.#sink) return;
    this.#paused = false;
    this.#flow();
  }

  #flow(): void {
    this.#deliver();
    if (!this.#paused && !this.#sourceOver) this.source.resume(this);
  }

  get #sourceOver(): boolean {
    return this.#trailers !== undefined || this.#error !== undefined;
  }

  /** It will not be sent again: an endpoint has answered. */
  release(): void {
    this.#final = true;
    this.#forget();
  }

  onData(chunk: Buffer): void {
    const sink = this.#delivered === this.#kept.length ? this.#sink : undefined;
    if (!this.#final || sink === undefined) {
      // A copy: a few bytes must not hold the whole buffer that they were read into.
      this.#kept.push(Buffer.from(chunk));
      this.#keptBytes += chunk.length;
      if (sink !== undefined) this.#delivered++;
      if (this.#kept.length > MOST_PIECES) this.#join();
    }
    if (this.#keptBytes > this.#maxBytes) this.#final = true;
    if (this.#final) this.#forget();
    sink?.onData(chunk);
  }

  onEnd(trailers: RawHeaders): void {
    this.#trailers = trailers;
    this.#deliver();
  }

  onAbort(error: ProxyError): void {
    this.#error = error;
    const sink = this.#sink;
    this.#sink = undefined;
    sink?.onAbort(error);
  }

  /** Gives the sink what it has not got yet, while it takes it. */
  #deliver(): void {
    const sink = this.#sink;
    if (sink === undefined) return;
    if (this.#error !== undefined) {
      this.#sink = undefined;
      sink.onAbort(this.#error);
      return;
    }
    while (this.#delivered < this.#kept.length) {
      if (this.#paused || this.#sink !== sink) return;
      const chunk = this.#kept[this.#delivered++] as Buffer;
      sink.onData(chunk);
    }
    if (this.#final) this.#forget();
    if (this.#trailers === undefined || this.#sink !== sink) return;
    this.#sink = undefined;
    sink.onEnd(this.#trailers);
  }

  #join(): void {
    const parts = [this.#kept.slice(0, this.#delivered), this.#kept.slice(this.#delivered)].filter((pieces) => pieces.length > 0);
    this.#delivered = Math.min(this.#delivered, 1);
    this.#kept = parts.map((pieces) => Buffer.concat(pieces));
  }

  #forget(): void {
    if (this.#delivered < this.#kept.length) return;
    this.#kept = [];
    this.#delivered = 0;
  }
}
