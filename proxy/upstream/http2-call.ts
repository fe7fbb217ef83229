// One request on an HTTP/2 stream: what it sends, what comes back, its timeouts. A request that the endpoint says it has not
// looked at is sent again on another stream. Whatever ends a response without END_STREAM is an error, never an end.
import { constants } from 'node:http2';
import type { ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2';
import type { ProxyError, RawHeaders } from '../http/exchange.ts';
import type { UpstreamCall, UpstreamHandler, UpstreamRequest } from './call.ts';
import { Deadline } from './deadline.ts';
import type { Expirable } from './deadline.ts';
import { failure } from './errors.ts';
import type { UpstreamReason } from './errors.ts';
import { watchEnd } from './http2-end.ts';
import type { EndWatcher } from './http2-end.ts';
import { streamFailure, wasRefused } from './http2-failures.ts';
import { requestHead, responseHead } from './http2-head.ts';
import type { Http2Line } from './http2-line.ts';
import type { Http2Pool, LineUser } from './http2-pool.ts';
import { Http2Upload } from './http2-upload.ts';
import type { UploadOwner } from './http2-upload.ts';

/** Interim responses to one request; an endpoint that sends more is broken. */
const MAX_INTERIM = 100;
/** Times that a refused request is sent again to the same endpoint: at once, then after ever longer pauses. */
const MAX_RESENDS = 5;
const RESEND_PAUSE_MS = 5;

export class Http2Call implements UpstreamCall, LineUser, EndWatcher, UploadOwner, Expirable {
  readonly #pool: Http2Pool;
  readonly #request: UpstreamRequest;
  readonly #handler: UpstreamHandler;
  readonly #maxWaitMs: number;
  readonly #deadline = new Deadline(this);
  /** What a timeout means now; `resend`: the pause before the request is sent again is over. */
  #awaiting: UpstreamReason | 'resend' = 'UpstreamOverflow';
  #head: RawHeaders | undefined;
  #stream: ClientHttp2Stream | undefined;
  #upload: Http2Upload | undefined;
  #resends = 0;
  #interim = 0;
  #answered = false;
  #headSeen = false;
  /** Bytes of the body still to come; undefined: not declared. */
  #left: number | undefined;
  #trailers: RawHeaders = [];
  #paused = false;
  /** All of the response is there; `#held` is what the paused handler has not got yet. */
  #ended = false;
  #held: Buffer[] | undefined;
  /** The handler has been told of the end, or wants to hear no more. */
  #over = false;

  /** `maxWaitMs`: longest wait for a stream, beside the time that a connection may take. */
  constructor(pool: Http2Pool, request: UpstreamRequest, handler: UpstreamHandler, maxWaitMs: number) {
    this.#pool = pool;
    this.#request = request;
    this.#handler = handler;
    this.#maxWaitMs = maxWaitMs;
  }

  submit(): void {
    try {
      this.#head = requestHead(this.#request, this.#pool);
    } catch (error) {
      this.#fail(failure('InvalidUpstreamRequest', error));
      return;
    }
    this.#enqueue();
  }

  pause(): void {
    if (this.#over || this.#paused) return;
    this.#paused = true;
    if (!this.#headSeen || this.#held !== undefined) return;
    this.#stream?.pause();
    // A slow client is not the endpoint's fault.
    this.#deadline.rest();
  }

  resume(): void {
    if (this.#over || !this.#paused) return;
    this.#paused = false;
    if (!this.#headSeen) return;
    if (this.#held !== undefined) {
      this.#giveHeld(this.#held);
      return;
    }
    this.#deadline.set(this.#request.timeouts.readIdleMs);
    this.#stream?.resume();
  }

  abort(): void {
    if (this.#over) return;
    this.#over = true;
    this.#stop();
  }

  unserved(error: ProxyError): void {
    this.#fail(error);
  }

  carry(line: Http2Line): void {
    this.#deadline.clear();
    const { body, timeouts } = this.#request;
    const bodiless = body === undefined || body.length === 0;
    const reused = line.served > 0;
    let stream: ClientHttp2Stream;
    try {
      stream = line.request(this.#head as RawHeaders, bodiless);
    } catch (error) {
      this.#fail(failure('InvalidUpstreamRequest', error));
      return;
    }
    this.#stream = stream;
    watchEnd(stream, this);
    stream.on('error', ignore);
    stream.on('headers', (headers, _flags, raw) => this.#informed(headers, raw));
    stream.on('response', (headers, flags, raw) => this.#responded(headers, flags, raw));
    stream.on('trailers', (_headers, _flags, raw) => (this.#trailers = raw));
    stream.once('close', () => this.#closed(line, stream, reused));
    if (bodiless) {
      this.uploadSent();
    } else {
      this.#upload = new Http2Upload(stream, body, timeouts.sendIdleMs, this);
      this.#upload.start();
    }
  }

  /** From now on the endpoint's time counts. */
  uploadSent(): void {
    this.#upload = undefined;
    if (this.#over || this.#headSeen) return;
    this.#awaiting = 'UpstreamRequestTimeout';
    this.#deadline.set(this.#request.timeouts.responseHeadMs);
  }

  uploadFailed(error: ProxyError): void {
    this.#upload = undefined;
    this.#fail(error);
  }

  streamEnded(complete: boolean): void {
    const stream = this.#stream;
    // A turn later, when what came before it has been told.
    process.nextTick(() => {
      if (this.#over || stream !== this.#stream) return;
      if (complete) this.#take();
      else if (this.#held === undefined && stream?.rstCode === constants.NGHTTP2_NO_ERROR) this.#fail(failure('UpstreamRemoteReset', 'the stream was reset before its end'));
    });
  }

  expired(): void {
    if (this.#awaiting === 'resend') this.#enqueue();
    else this.#fail(failure(this.#awaiting));
  }

  #enqueue(): void {
    this.#awaiting = 'UpstreamOverflow';
    const taken = this.#pool.submit(this);
    if (taken === 'full') this.#fail(failure('UpstreamOverflow'));
    else if (taken === 'waiting') this.#deadline.set(this.#maxWaitMs);
    else if (taken === 'connecting') this.#deadline.set(this.#maxWaitMs + this.#pool.cluster.connectTimeoutMs);
  }

  #informed(headers: IncomingHttpHeaders, raw: string[]): void {
    if (this.#over) return;
    this.#answered = true;
    this.#deadline.extend();
    const status = Number(headers[':status']);
    if (status === 101 || ++this.#interim > MAX_INTERIM) this.#fail(failure('UpstreamProtocolError', status === 101 ? 'a 101, which HTTP/2 has not' : 'too many interim responses'));
    else this.#handler.onInformation(status, responseHead(raw));
  }

  #responded(headers: IncomingHttpHeaders, flags: number, raw: string[]): void {
    const stream = this.#stream as ClientHttp2Stream;
    if (this.#over) return;
    this.#answered = true;
    this.#headSeen = true;
    const status = Number(headers[':status']);
    const declared = headers['content-length'];
    if (declared !== undefined && this.#request.method !== 'HEAD' && status !== 204 && status !== 304) this.#left = Number(declared);
    this.#awaiting = 'StreamIdleTimeout';
    this.#handler.onHead(status, responseHead(raw));
    if (this.#over) return;
    stream.on('data', (chunk: Buffer) => this.#received(chunk));
    stream.on('end', () => this.#complete());
    if ((flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0) {
      // The head is all of it, and the handler learns that in one go.
      this.#take();
      this.#complete();
    } else if (this.#paused && this.#held === undefined) {
      stream.pause();
      this.#deadline.rest();
    } else {
      this.#deadline.set(this.#request.timeouts.readIdleMs);
      stream.resume();
    }
  }

  #received(chunk: Buffer): void {
    if (this.#over) return;
    if (this.#left !== undefined) this.#left -= chunk.length;
    if (this.#held !== undefined && (this.#paused || this.#held.length > 0)) {
      this.#held.push(chunk);
      return;
    }
    this.#deadline.extend();
    this.#handler.onData(chunk);
  }

  /** END_STREAM is there: what the stream still holds is taken out, so that no reset can take it away and the stream is free. */
  #take(): void {
    this.#held ??= [];
    this.#deadline.clear();
    if (this.#headSeen) this.#stream?.resume();
  }

  /** The last byte was read. */
  #complete(): void {
    if (this.#over || this.#ended || this.#held === undefined) return;
    this.#ended = true;
    if (this.#held.length === 0) this.#finish();
  }

  #giveHeld(held: Buffer[]): void {
    while (held.length > 0) {
      this.#handler.onData(held.shift() as Buffer);
      if (this.#over || this.#paused) return;
    }
    if (this.#ended) this.#finish();
  }

  #finish(): void {
    if (this.#left !== undefined && this.#left !== 0) {
      this.#fail(failure('UpstreamProtocolError', 'the body is not as long as its content-length says'));
      return;
    }
    this.#over = true;
    this.#stop();
    this.#handler.onEnd(responseHead(this.#trailers));
  }

  #closed(line: Http2Line, stream: ClientHttp2Stream, reused: boolean): void {
    if (this.#over || stream !== this.#stream || this.#ended) return;
    this.#upload?.stop();
    this.#upload = undefined;
    if (wasRefused(line, stream, this.#answered) && this.#mayResend()) {
      this.#resend();
      return;
    }
    this.#fail(streamFailure(line, stream, { reused, answered: this.#answered }));
  }

  /** The endpoint is the one that the balancer chose, and all of the request can be had again. */
  #mayResend(): boolean {
    const { body } = this.#request;
    return this.#resends < MAX_RESENDS && !this.#pool.closing && (body === undefined || !body.started);
  }

  #resend(): void {
    this.#stream = undefined;
    const nth = this.#resends++;
    if (nth === 0) {
      this.#enqueue();
      return;
    }
    this.#awaiting = 'resend';
    this.#deadline.set(RESEND_PAUSE_MS * 2 ** nth);
  }

  #fail(error: ProxyError): void {
    if (this.#over) return;
    this.#over = true;
    this.#stop();
    this.#handler.onError(error);
  }

  /** Ends what is still going on. The endpoint sees an aborted message, or none. */
  #stop(): void {
    this.#deadline.clear();
    this.#held = undefined;
    this.#upload?.stop();
    const stream = this.#stream;
    if (stream === undefined) {
      this.#pool.withdraw(this);
      return;
    }
    // A stream that has ended on both sides closes by itself, one that was cut waits for a reader.
    if (!this.#ended || this.#upload !== undefined) setImmediate(() => {
      if (stream.destroyed) return;
      if (stream.closed) stream.destroy();
      else stream.close(constants.NGHTTP2_CANCEL);
    });
  }
}

function ignore(): void {
  // 'close' follows and says all that matters
}
