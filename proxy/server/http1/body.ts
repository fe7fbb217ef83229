// The body of one HTTP/1.1 request as a BodySource: by length or chunked, handed on as it arrives. Reading from the socket
// stops while the sink is paused. It ends as complete only when the client completed it.
import type { Socket } from 'node:net';
import { ChunkedDecoder } from '../../http/chunked.ts';
import type { BodySink, BodySource, ProxyError } from '../../http/exchange.ts';
import { giveBackFraming } from '../../net/read-blocks.ts';
import type { Limits } from '../limits.ts';
import type { Http1Response } from './response.ts';

/** The connection that a body is read from. */
export interface BodyHost {
  readonly socket: Socket;
  /** The client closed its sending side: nothing more will come. */
  readonly halfClosed: boolean;
  /** Bytes of the body are awaited, from now on. */
  awaitBody(): void;
  /** Nothing of it is awaited for now. */
  bodyRests(): void;
  /** The last byte is here, and nobody has been told yet; `rest` lies behind it. */
  bodyComplete(rest: Buffer | undefined): void;
}

/** The rest of a request that nobody wants is read to its end up to this size, to save the connection. */
const SKIP_BYTES = 64 * 1024;

export class Http1Body implements BodySource {
  readonly length: number | undefined;
  /** The last byte has been read. */
  complete = false;
  started = false;
  bytes = 0;
  readonly #host: BodyHost;
  readonly #response: Http1Response;
  readonly #decoder: ChunkedDecoder | undefined;
  #left: number;
  #sink: BodySink | undefined;
  #error: ProxyError | undefined;
  #preloaded: Buffer | undefined;
  #paused = false;
  #skipping = false;
  #awaitsContinue: boolean;
  readonly #deliver = (data: Buffer): void => {
    this.bytes += data.length;
    this.#sink?.onData(data);
  };

  constructor(host: BodyHost, limits: Limits, response: Http1Response, length: number | undefined, awaitsContinue: boolean) {
    this.#host = host;
    this.#response = response;
    this.length = length;
    this.#left = length ?? 0;
    this.#decoder = length === undefined ? new ChunkedDecoder(limits.chunkOverheadBytes, limits.headerCount) : undefined;
    this.#awaitsContinue = awaitsContinue;
    host.socket.pause();
  }

  get waiting(): boolean {
    return !this.complete && !this.#paused && !this.#awaitsContinue && (this.#sink !== undefined || this.#skipping);
  }

  /** True: bytes of it are here that nobody has looked at yet; they may be all of it. */
  get unread(): boolean {
    return this.#preloaded !== undefined;
  }

  /** Keeps bytes that came with the head until the body is wanted. */
  preload(bytes: Buffer): void {
    this.#preloaded = bytes;
    this.#awaitsContinue = false;
  }

  get awaitsContinue(): boolean {
    return this.#awaitsContinue;
  }

  proceed(): void {
    if (!this.#awaitsContinue) return;
    this.#awaitsContinue = false;
    this.#response.inform(100, []);
    if (this.waiting) this.#touch();
  }

  start(sink: BodySink): void {
    this.started = true;
    if (this.#error !== undefined) {
      sink.onAbort(this.#error);
      return;
    }
    this.#sink = sink;
    this.#flow();
  }

  pause(): void {
    if (this.#paused || this.complete || this.#skipping) return;
    this.#paused = true;
    this.#host.socket.pause();
    this.#host.bodyRests();
  }

  resume(): void {
    if (!this.#paused || this.complete) return;
    this.#paused = false;
    this.#flow();
  }

  #flow(): void {
    const preloaded = this.#preloaded;
    if (preloaded !== undefined) {
      this.#preloaded = undefined;
      this.push(preloaded);
    }
    if (this.#paused || this.complete || this.#error !== undefined) return;
    if (this.#host.halfClosed) {
      this.fail({ reason: 'DownstreamConnectionTermination', side: 'downstream', retry: 'no', status: 499 });
      this.#host.socket.destroy();
      return;
    }
    this.#touch();
    this.#host.socket.resume();
  }

  /** Takes bytes from the connection. Whoever gets the body may answer meanwhile. */
  push(chunk: Buffer): void {
    this.#awaitsContinue = false;
    const decoder = this.#decoder;
    if (decoder === undefined) {
      const take = Math.min(this.#left, chunk.length);
      this.#left -= take;
      this.#deliver(take === chunk.length ? chunk : chunk.subarray(0, take));
      if (this.#left === 0) this.#finish([], chunk, take);
      else this.#touch();
      return;
    }
    const before = this.bytes;
    const used = decoder.push(chunk, 0, this.#deliver);
    giveBackFraming(chunk, used - (this.bytes - before));
    if (decoder.error !== undefined) {
      this.fail({ reason: 'DownstreamProtocolError', side: 'downstream', retry: 'no', status: 400, cause: decoder.error });
      return;
    }
    if (decoder.trailers !== undefined) this.#finish(decoder.trailers, chunk, used);
    else this.#touch();
  }

  /** As long as the client waits for an endpoint, it is the endpoint's time that runs. */
  #touch(): void {
    if (!this.#paused && !this.#awaitsContinue) this.#host.awaitBody();
  }

  /** `used` bytes of the chunk were its last. */
  #finish(trailers: string[], chunk: Buffer, used: number): void {
    this.complete = true;
    // Whoever takes the body has no say any longer in whether the client is heard.
    this.#paused = false;
    this.#host.bodyComplete(used < chunk.length ? chunk.subarray(used) : undefined);
    const sink = this.#sink;
    this.#sink = undefined;
    sink?.onEnd(trailers);
  }

  /** The body will never be complete. */
  fail(error: ProxyError): void {
    if (this.complete || this.#error !== undefined) return;
    this.#error = error;
    const sink = this.#sink;
    this.#sink = undefined;
    sink?.onAbort(error);
  }

  /** True if the rest is so small that reading it costs less than a new connection. */
  mayBeSkipped(): boolean {
    if (this.complete) return true;
    if (this.#error !== undefined || this.#awaitsContinue) return false;
    return this.#decoder === undefined && this.#left <= SKIP_BYTES;
  }

  /** Nobody wants the rest: it is read and dropped. */
  skip(): void {
    this.#sink = undefined;
    this.#paused = false;
    this.#skipping = true;
    const preloaded = this.#preloaded;
    if (preloaded === undefined || this.#error !== undefined) return;
    this.#preloaded = undefined;
    this.push(preloaded);
  }
}
