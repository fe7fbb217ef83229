// One request to an HTTP/2 endpoint, on one stream or, where the endpoint says that it has not looked at it, on several one
// after the other: what the handler hears of it, and its timeouts.
import type { ProxyError, RawHeaders } from '../../http/exchange.ts';
import { encodeFields } from '../../http2/hpack-encoder.ts';
import type { UpstreamCall, UpstreamHandler, UpstreamRequest } from '../call.ts';
import { Deadline } from '../deadline.ts';
import type { Expirable } from '../deadline.ts';
import { failure } from '../errors.ts';
import type { UpstreamReason } from '../errors.ts';
import { requestHead } from './head.ts';
import type { Http2Line } from './line.ts';
import type { Http2Pool, LineUser } from './pool.ts';
import type { Http2Stream, Refusal, StreamUser } from './stream.ts';
import { Http2Upload } from './upload.ts';

/** Interim responses to one request; an endpoint that sends more is broken. */
const MAX_INTERIM = 100;
/** Times that a request whose stream was refused is sent again to the same endpoint: at once, then after ever longer pauses. */
const MAX_RESENDS = 7;
const RESEND_PAUSE_MS = 5;
const MAX_PAUSE_MS = 80;
/** Times that it is sent again, at once, because a connection ended before anybody looked at it: a busy endpoint ends many. */
const MAX_MOVES = 20;

export class Http2Call implements UpstreamCall, LineUser, StreamUser, Expirable {
  readonly #pool: Http2Pool;
  readonly #request: UpstreamRequest;
  readonly #handler: UpstreamHandler;
  readonly #maxWaitMs: number;
  readonly #deadline = new Deadline(this);
  /**
   * What a timeout means now; `resend`: the pause before the request is sent again is over; `continue`: the endpoint was asked whether
   * the body may come, and has said nothing.
   */
  #awaiting: UpstreamReason | 'resend' | 'continue' = 'UpstreamOverflow';
  #head: Buffer | undefined;
  #stream: Http2Stream | undefined;
  #upload: Http2Upload | undefined;
  /** The connection had carried other requests before this one. */
  #reused = false;
  #resends = 0;
  #moves = 0;
  #interim = 0;
  #headSeen = false;
  #paused = false;
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
      this.#head = encodeFields(requestHead(this.#request, this.#pool));
    } catch (error) {
      this.#fail(failure('InvalidUpstreamRequest', error));
      return;
    }
    this.#enqueue();
  }

  pause(): void {
    if (this.#over || this.#paused) return;
    this.#paused = true;
    this.#stream?.pause();
    // A slow client is not the endpoint's fault.
    if (this.#headSeen) this.#deadline.rest();
  }

  resume(): void {
    if (this.#over || !this.#paused) return;
    this.#paused = false;
    if (this.#headSeen) this.#deadline.set(this.#request.timeouts.readIdleMs);
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
    const { method, body, timeouts } = this.#request;
    const bodiless = body === undefined || body.length === 0;
    this.#reused = line.used;
    const stream = line.request(this.#head as Buffer, { bodiless, isHead: method === 'HEAD' }, this);
    this.#stream = stream;
    if (this.#paused) stream.pause();
    if (bodiless) {
      this.onSent();
    } else {
      this.#upload = new Http2Upload(stream, body, timeouts.sendIdleMs, (error) => this.#fail(error));
      this.#upload.start();
      if (body.awaitsContinue) {
        this.#awaiting = 'continue';
        this.#deadline.set(timeouts.responseHeadMs);
      }
    }
  }

  /** From now on the endpoint's time counts. */
  onSent(): void {
    this.#dropUpload();
    if (this.#over || this.#headSeen) return;
    this.#awaiting = 'UpstreamRequestTimeout';
    this.#deadline.set(this.#request.timeouts.responseHeadMs);
  }

  onDrain(): void {
    this.#upload?.drained();
  }

  onUnwanted(): void {
    this.#dropUpload();
  }

  onInformation(status: number, headers: RawHeaders): void {
    this.#deadline.extend();
    if (++this.#interim > MAX_INTERIM) this.#fail(failure('UpstreamProtocolError', 'too many interim responses'));
    else this.#handler.onInformation(status, headers);
  }

  onHead(status: number, headers: RawHeaders): void {
    this.#headSeen = true;
    this.#awaiting = 'StreamIdleTimeout';
    if (!this.#paused) this.#deadline.set(this.#request.timeouts.readIdleMs);
    this.#handler.onHead(status, headers);
  }

  onData(chunk: Buffer): void {
    this.#deadline.extend();
    this.#handler.onData(chunk);
  }

  onEnd(trailers: RawHeaders): void {
    this.#over = true;
    this.#deadline.clear();
    this.#handler.onEnd(trailers);
  }

  onFailure(error: ProxyError, refused: Refusal): void {
    const answered = this.#stream?.answered === true;
    this.#stream = undefined;
    this.#dropUpload();
    if (refused !== undefined && this.#mayResend(refused)) {
      this.#resend(refused);
      return;
    }
    // Connections are closed by the other side at any time: then nobody has looked at the request, perhaps.
    const stale = error.reason === 'UpstreamConnectionTermination' && this.#reused && !answered;
    this.#fail(stale ? { ...error, retry: 'if-reused' } : error);
  }

  expired(): void {
    if (this.#awaiting === 'resend') this.#enqueue();
    else if (this.#awaiting !== 'continue') this.#fail(failure(this.#awaiting));
    // Else the client was told to send, or did not wait for that any longer.
    else if (this.#request.body?.awaitsContinue === true) this.#fail(failure('UpstreamRequestTimeout'));
  }

  #enqueue(): void {
    this.#awaiting = 'UpstreamOverflow';
    const taken = this.#pool.submit(this);
    if (taken === 'full') this.#fail(failure('UpstreamOverflow'));
    else if (taken === 'waiting') this.#deadline.set(this.#maxWaitMs);
    else if (taken === 'connecting') this.#deadline.set(this.#maxWaitMs + this.#pool.cluster.connectTimeoutMs);
  }

  /** The endpoint is still the one that is meant, and all of the request can be had again. */
  #mayResend(refused: Refusal): boolean {
    const { body } = this.#request;
    const left = refused === 'stream' ? this.#resends < MAX_RESENDS : this.#moves < MAX_MOVES;
    return left && !this.#pool.closing && (body === undefined || !body.started);
  }

  #resend(refused: Refusal): void {
    this.#deadline.clear();
    const nth = refused === 'stream' ? this.#resends++ : 0;
    if (refused === 'connection') this.#moves++;
    if (nth === 0) {
      this.#enqueue();
      return;
    }
    this.#awaiting = 'resend';
    this.#deadline.set(Math.min(MAX_PAUSE_MS, RESEND_PAUSE_MS * 2 ** nth));
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
    this.#dropUpload();
    if (this.#stream === undefined) this.#pool.withdraw(this);
    else this.#stream.cancel();
  }

  #dropUpload(): void {
    this.#upload?.stop();
    this.#upload = undefined;
  }
}
