// The body of one HTTP/2 request as a BodySource: handed on as it arrives, held while nobody takes it, within the window of
// its stream. It is complete only if the client ended the stream, with as many octets as it had declared.
import type { BodySink, BodySource, ProxyError, RawHeaders } from '../../http/exchange.ts';
import { CODE, DEFAULT_WINDOW } from '../../http2/frames.ts';
import { ReceiveWindow } from '../../http2/receive-window.ts';
import { HeldBytes } from '../../net/held-bytes.ts';
import type { Expiring } from '../../time/deadlines.ts';
import type { ServerContext } from '../context.ts';

/** The stream that a body comes on. */
export interface BodyStream {
  readonly context: ServerContext;
  /** The client may send so many more octets on the stream: 0, none yet; `octets` of the connection are no longer held. */
  giveBack(octets: number, credit: number): void;
  /** The client is told to go on, if it is not too late for that. */
  sayContinue(): void;
}

const WINDOW_BYTES = 256 * 1024;
const SPARE_WINDOW_BYTES = 256 * 1024;
const MOST_WINDOW_BYTES = 16 * 1024 * 1024;
export const GONE: ProxyError = { reason: 'DownstreamConnectionTermination', side: 'downstream', retry: 'no', status: 499 };
export const MALFORMED: ProxyError = { reason: 'DownstreamProtocolError', side: 'downstream', retry: 'no', status: 499 };
/** Its connection ends for what its client has not done in time. */
export const OVERDUE: ProxyError = { reason: 'DownstreamRequestTimeout', side: 'downstream', retry: 'no', status: 499 };
const LATE: ProxyError = { reason: 'DownstreamRequestTimeout', side: 'downstream', retry: 'no', status: 408 };

/** What all bodies of a connection may hold: all its streams, each with the window it begins with, and still one has room. */
export function connectionWindow(streams: number): number {
  return Math.min(MOST_WINDOW_BYTES, streams * DEFAULT_WINDOW + SPARE_WINDOW_BYTES);
}

export class Http2Body implements BodySource, Expiring {
  readonly length: number | undefined;
  started = false;
  bytes = 0;
  deadlineAt = 0;
  wheelTurn = 0;
  wheelPlace = 0;
  readonly #stream: BodyStream;
  readonly #window = new ReceiveWindow(WINDOW_BYTES);
  #awaitsContinue: boolean;
  #sink: BodySink | undefined;
  #paused = true;
  readonly #held = new HeldBytes();
  /** The client has ended the stream. */
  #trailers: RawHeaders | undefined;
  #error: ProxyError | undefined;
  /** The sink was told of the end, or nobody wants to hear of it. */
  #over = false;

  constructor(stream: BodyStream, length: number | undefined, awaitsContinue: boolean) {
    this.#stream = stream;
    this.length = length;
    this.#awaitsContinue = awaitsContinue;
  }

  get awaitsContinue(): boolean {
    return this.#awaitsContinue;
  }

  proceed(): void {
    if (!this.#awaitsContinue || this.#over) return;
    this.#awaitsContinue = false;
    this.#stream.sayContinue();
    if (this.#sink !== undefined && !this.#paused) this.#await();
  }

  get waiting(): boolean {
    return !this.#over && this.#sink !== undefined && !this.#paused && !this.#awaitsContinue && this.#trailers === undefined;
  }

  start(sink: BodySink): void {
    this.started = true;
    if (this.#error !== undefined || this.#over) {
      sink.onAbort(this.#error ?? GONE);
      return;
    }
    this.#sink = sink;
    this.resume();
  }

  pause(): void {
    this.#paused = true;
    this.#stream.context.deadlines.clear(this);
  }

  resume(): void {
    if (this.#over || this.#sink === undefined) return;
    this.#paused = false;
    this.#deliver();
    if (!this.#paused && !this.#over && this.#trailers === undefined) this.#await();
  }

  /** DATA has come; `octets` of it count for flow control. Gives the error that this is, and then holds nothing of it; 0: none. */
  take(data: Buffer, octets: number, end: boolean): number {
    if (!this.#window.receive(octets)) return CODE.FLOW_CONTROL_ERROR;
    this.bytes += data.length;
    this.#awaitsContinue = false;
    if (this.length !== undefined && (this.bytes > this.length || (end && this.bytes < this.length))) return CODE.PROTOCOL_ERROR;
    const sink = this.#sink;
    if (this.#over) {
      this.#giveBack(octets, end);
    } else if (sink !== undefined && !this.#paused) {
      if (!end) this.#await();
      this.#giveBack(octets, end);
      if (data.length > 0) sink.onData(data);
    } else {
      this.#held.push(data);
      this.#giveBack(octets - data.length, end);
    }
    return end ? this.end(NO_TRAILERS) : 0;
  }

  /** The client has ended the stream. Gives the error that this is, 0: none. */
  end(trailers: RawHeaders): number {
    if (this.length !== undefined && this.bytes !== this.length) return CODE.PROTOCOL_ERROR;
    this.#trailers = trailers;
    this.#awaitsContinue = false;
    this.#stream.context.deadlines.clear(this);
    this.#endSoon();
    return 0;
  }

  /** It will never be complete. */
  fail(error: ProxyError): void {
    this.#error ??= error;
    this.#finish()?.onAbort(error);
  }

  /** Nobody wants the rest: it is dropped as it comes. */
  skip(): void {
    this.#finish();
  }

  /** The client has been silent for too long. */
  onDeadline(): void {
    this.fail(LATE);
  }

  /** As long as the client waits for an endpoint, it is the endpoint's time that runs. */
  #await(): void {
    if (this.#awaitsContinue) return;
    const { context } = this.#stream;
    context.deadlines.set(this, context.limits.bodyTimeoutMs);
  }

  #deliver(): void {
    while (this.#held.length > 0) {
      if (this.#paused || this.#over) return;
      const data = this.#held.shift() as Buffer;
      this.#giveBack(data.length, this.#trailers !== undefined);
      this.#sink?.onData(data);
    }
    this.#endSoon();
  }

  /** A turn after the end: clients that give up may end a stream and reset it in one go, and that is no complete message. */
  #endSoon(): void {
    if (this.#trailers !== undefined && this.#held.length === 0 && this.#sink !== undefined) setImmediate(endLater, this);
  }

  /** The turn after the end has come. */
  ended(): void {
    if (this.#held.length === 0) this.#finish()?.onEnd(this.#trailers ?? NO_TRAILERS);
  }

  #giveBack(octets: number, ended: boolean): void {
    if (octets > 0) this.#stream.giveBack(octets, ended ? 0 : this.#window.take(octets));
  }

  /** Whom to tell that it is over; undefined: it is known already. */
  #finish(): BodySink | undefined {
    if (this.#over) return undefined;
    this.#over = true;
    this.#stream.context.deadlines.clear(this);
    const { length } = this.#held;
    this.#held.clear();
    this.#giveBack(length, this.#trailers !== undefined);
    const sink = this.#sink;
    this.#sink = undefined;
    return sink;
  }
}

const NO_TRAILERS: RawHeaders = [];

function endLater(body: Http2Body): void {
  body.ended();
}
