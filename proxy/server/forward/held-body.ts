// A request body that is held back until it is complete, if it is small: then its endpoint gets it in one piece, and
// another one can get all of it again. One that turns out to be larger streams from there on, as any other body does.
// ingress-nginx: proxy-request-buffering, with a bound on memory in place of files.
import type { BodySink, BodySource, ProxyError, RawHeaders } from '../../http/exchange.ts';
import { WrappedBody } from '../../http/wrapped-body.ts';
import { HeldBytes } from '../../net/held-bytes.ts';
import { giveBack, keep } from '../../net/read-blocks.ts';

/** Largest body that is held, in bytes. */
export const HELD_BYTES = 64 * 1024;

export interface HeldBodyEvents {
  /** It is complete, or too large to be held: it may be sent. Called once, unless `bodyFailed` is. */
  bodyReady(): void;
  /** The client did not complete it. Nothing of it has been sent. */
  bodyFailed(error: ProxyError): void;
}

export class HeldBody extends WrappedBody {
  /** All of it; undefined while it is not complete, and when it streams. */
  whole: Buffer | undefined;
  started = false;
  readonly #events: HeldBodyEvents;
  readonly #held = new HeldBytes();
  #streams = false;
  #paused = false;
  #sink: BodySink | undefined;
  #trailers: RawHeaders | undefined;
  #error: ProxyError | undefined;

  constructor(source: BodySource, events: HeldBodyEvents) {
    super(source);
    this.#events = events;
  }

  override get length(): number | undefined {
    return this.whole === undefined ? this.source.length : this.whole.length;
  }

  /** Begins to read; the events may come before it returns. */
  collect(): void {
    this.source.start(this);
  }

  /** A whole body may be started as often as it is needed. */
  start(sink: BodySink): void {
    this.started = true;
    if (this.whole !== undefined) {
      if (this.whole.length > 0) sink.onData(this.whole);
      sink.onEnd(this.#trailers ?? []);
      return;
    }
    this.#sink = sink;
    this.#paused = false;
    for (const chunk of this.#held.splice()) sink.onData(chunk);
    if (this.#error !== undefined) sink.onAbort(this.#error);
    else if (this.#trailers !== undefined) sink.onEnd(this.#trailers);
    else if (!this.#paused) this.source.resume(this);
  }

  pause(): void {
    this.#paused = true;
    if (this.#streams) this.source.pause(this);
  }

  resume(): void {
    this.#paused = false;
    if (this.#streams) this.source.resume(this);
  }

  onData(chunk: Buffer): void {
    if (this.#sink !== undefined) {
      this.#sink.onData(chunk);
      return;
    }
    this.#held.push(chunk);
    if (this.#streams || this.#held.length <= HELD_BYTES) return;
    this.#streams = true;
    this.source.pause(this);
    this.#events.bodyReady();
  }

  onEnd(trailers: RawHeaders): void {
    this.#trailers = trailers;
    if (this.#streams) {
      this.#sink?.onEnd(trailers);
      return;
    }
    const pieces = this.#held.splice();
    const [first] = pieces;
    if (first !== undefined && pieces.length === 1) {
      // It may be sent more than once.
      keep(first);
      this.whole = first;
    } else {
      this.whole = Buffer.concat(pieces);
      for (const piece of pieces) giveBack(piece);
    }
    this.#events.bodyReady();
  }

  onAbort(error: ProxyError): void {
    this.#error = error;
    if (!this.#streams) this.#events.bodyFailed(error);
    else this.#sink?.onAbort(error);
  }
}
