// The client for HTTP/1.1 endpoints, plain and TLS, on undici's `dispatch`: one `UndiciCall` per request is the handler of
// undici's events, the timeouts and the caller's handle in one object. Bodies stream in both directions and are never
// collected.
import type { Dispatcher } from 'undici';
import type { ProxyError, RawHeaders } from '../../http/exchange.ts';
import type { Cluster, Endpoint } from '../../table/cluster.ts';
import type { Upstream, UpstreamCall, UpstreamHandler, UpstreamRequest } from '../call.ts';
import { problemOfAnswer } from './answer-check.ts';
import { Deadline } from '../deadline.ts';
import type { Expirable } from '../deadline.ts';
import type { Dispatchers } from '../dispatchers.ts';
import type { EndpointPool, PoolRequest } from './endpoint-pool.ts';
import { failure, upstreamFailure } from '../errors.ts';
import type { UpstreamReason } from '../errors.ts';
import type { Line } from './guarded-client.ts';
import { addressOf } from '../http2/head.ts';
import { UploadStream } from './upload-stream.ts';

/** Interim responses to one request; an endpoint that sends more is broken. */
const MAX_INTERIM = 100;
const ABORTED = new Error('aborted');

export class UndiciUpstream implements Upstream {
  readonly #dispatchers: Dispatchers;

  constructor(dispatchers: Dispatchers) {
    this.#dispatchers = dispatchers;
  }

  send(cluster: Cluster, endpoint: Endpoint, request: UpstreamRequest, handler: UpstreamHandler): UpstreamCall {
    const pool = this.#dispatchers.pool(cluster, endpoint);
    const call = new UndiciCall(pool, request, handler);
    if (cluster.protocol === 'HTTP/1.1') call.submit(this.#dispatchers.options.maxWaitMs ?? cluster.connectTimeoutMs);
    else call.refuse(failure('UpstreamProtocolError', 'this client speaks HTTP/1.1 only', 'no'));
    return call;
  }
}

class UndiciCall implements UpstreamCall, PoolRequest, Expirable {
  readonly options: Dispatcher.DispatchOptions;
  /** The lean client need not make an object of the header fields. */
  readonly rawHeadersOnly = true;
  /** undici is done with it; the slot in the pool is free. */
  finished = false;
  readonly #pool: EndpointPool;
  readonly #request: UpstreamRequest;
  readonly #handler: UpstreamHandler;
  readonly #upload: UploadStream | undefined;
  /** Of the connection where it has one, else of the request. */
  #deadline: Deadline | undefined;
  /** What a timeout means now; `continue`: the endpoint was asked whether the body may come, and has said nothing. */
  #awaiting: UpstreamReason | 'continue' = 'UpstreamOverflow';
  #controller: Dispatcher.DispatchController | undefined;
  #line: Line | undefined;
  #reused = false;
  #answered = false;
  #headSeen = false;
  #interim = 0;
  #paused = false;
  /** The handler has been told of the end, or wants to hear no more. */
  #over = false;

  constructor(pool: EndpointPool, request: UpstreamRequest, handler: UpstreamHandler) {
    this.#pool = pool;
    this.#request = request;
    this.#handler = handler;
    const { body, method, target } = request;
    const whole = body?.length === 0 ? undefined : body?.whole;
    this.#upload = body === undefined || body.length === 0 || whole !== undefined ? undefined : new UploadStream(body, request.timeouts.sendIdleMs);
    this.options = {
      method,
      path: target,
      headers: headerList(request, pool.endpoint, this.#upload === undefined ? whole?.length : body?.length),
      body: whole ?? this.#upload,
      ...PINNED,
    };
  }

  submit(maxWaitMs: number): void {
    const taken = this.#pool.submit(this);
    if (taken === 'full') this.#fail(failure('UpstreamOverflow'));
    else if (taken === 'waiting') this.#await(maxWaitMs);
  }

  refuse(error: ProxyError): void {
    this.#fail(error);
  }

  pause(): void {
    if (this.#over || this.#paused) return;
    this.#paused = true;
    this.#controller?.pause();
    // A slow client is not the endpoint's fault.
    if (this.#headSeen) this.#unwait();
  }

  resume(): void {
    if (this.#over || !this.#paused) return;
    this.#paused = false;
    if (this.#headSeen) this.#await(this.#request.timeouts.readIdleMs);
    // undici must not be resumed from inside an event of another of its connections.
    queueMicrotask(() => {
      if (!this.#over && !this.#paused) this.#controller?.resume();
    });
  }

  abort(): void {
    if (this.#over) return;
    this.#over = true;
    this.#stop();
  }

  carriedBy(line: Line): void {
    this.#line = line;
    // The wait in the queue is over. The connector has a timeout of its own.
    this.#deadline?.clear();
    this.#deadline = line.deadline;
    if (this.#deadline !== undefined) this.#deadline.owner = this;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.#over) {
      controller.abort(ABORTED);
      return;
    }
    this.#controller = controller;
    if (this.#paused) controller.pause();
    if (this.#line !== undefined) this.#reused = this.#line.served++ > 0;
    if (this.#request.body?.awaitsContinue === true) {
      this.#awaiting = 'continue';
      this.#await(this.#request.timeouts.responseHeadMs);
    }
  }

  /** The whole request, its body included, was given to the connection: from now on the endpoint's time counts. */
  onRequestSent(): void {
    if (this.#over || this.#headSeen) return;
    this.#awaiting = 'UpstreamRequestTimeout';
    this.#await(this.#request.timeouts.responseHeadMs);
  }

  onResponseStarted(): void {
    this.#answered = true;
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, _headers: object, reason = ''): void {
    if (this.#over) return;
    const headers = textList(controller.rawHeaders);
    const problem = this.#line?.strict === true ? undefined : problemOfAnswer(status, reason, headers);
    if (problem !== undefined) {
      this.#fail(failure('UpstreamProtocolError', problem, 'no'));
      return;
    }
    if (status < 200) {
      this.#deadline?.extend();
      if (++this.#interim > MAX_INTERIM) this.#fail(failure('UpstreamProtocolError', 'too many interim responses'));
      else this.#handler.onInformation(status, headers);
      return;
    }
    this.#headSeen = true;
    this.#awaiting = 'StreamIdleTimeout';
    if (!this.#paused) this.#await(this.#request.timeouts.readIdleMs);
    this.#handler.onHead(status, headers);
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#over) return;
    this.#deadline?.extend();
    this.#handler.onData(chunk);
  }

  onResponseEnd(controller: Dispatcher.DispatchController): void {
    this.#unwait();
    this.#release();
    if (this.#over) return;
    // undici takes a reset for the end of a body that has no length; it is the only end that a broken socket can bring.
    if (this.#line?.broken === true && endsWithConnection(controller.rawHeaders)) {
      this.#fail(failure('UpstreamConnectionTermination'));
      return;
    }
    this.#over = true;
    this.#handler.onEnd(textList(controller.rawTrailers));
  }

  /** `controller` is null if the request was never given to a connection. */
  onResponseError(controller: Dispatcher.DispatchController | null, error: Error): void {
    this.#unwait();
    this.#release();
    if (this.#over) return;
    const progress = { started: controller !== null, reused: this.#reused, answered: this.#answered, headSeen: this.#headSeen };
    this.#fail(this.#upload?.failure ?? upstreamFailure(error, progress));
  }

  #await(ms: number): void {
    this.#deadline ??= new Deadline(this);
    this.#deadline.set(ms);
  }

  /** Nothing is awaited. The timer of a connection stays with it. */
  #unwait(): void {
    if (this.#line?.deadline !== undefined) this.#line.deadline.rest();
    else this.#deadline?.clear();
  }

  expired(): void {
    if (this.#awaiting !== 'continue') this.#fail(failure(this.#awaiting));
    // Else the client was told to send, or did not wait for that any longer.
    else if (this.#request.body?.awaitsContinue === true) this.#fail(failure('UpstreamRequestTimeout'));
  }

  #fail(error: ProxyError): void {
    if (this.#over) return;
    this.#over = true;
    this.#stop();
    this.#handler.onError(error);
  }

  /** Ends what is still going on. The endpoint sees an aborted message, or none. */
  #stop(): void {
    this.#unwait();
    // An upload that has not begun must not begin; undici notices the error before it writes.
    if (this.#upload !== undefined && !this.#upload.destroyed) this.#upload.destroy(ABORTED);
    if (!this.finished && !this.#pool.withdraw(this)) this.#controller?.abort(ABORTED);
  }

  #release(): void {
    if (this.finished) return;
    this.finished = true;
    this.#pool.release();
  }
}

/**
 * `servername` is missing in undici's types. It only serves as a constant here: undici would else take it from Host and
 * connect anew whenever that changes. The name that is sent and checked is the connector's.
 */
const PINNED: object = { servername: 'endpoint' };

/** The list that undici takes: Host first, and the framing that the body really has. For a client of HTTP/1.0 that sent no Host it is the endpoint's address: an empty one is 400 for many. */
function headerList(request: UpstreamRequest, endpoint: Endpoint, length: number | undefined): string[] {
  const { headers } = request;
  const list = ['host', request.authority === '' ? addressOf(endpoint) : request.authority];
  for (let at = 0; at + 1 < headers.length; at += 2) {
    const name = headers[at] as string;
    if (name.length === 14 && name.toLowerCase() === 'content-length') continue;
    // It announces what does not come: request trailers are not sent on (upload-stream.ts).
    if (name.length === 7 && name.toLowerCase() === 'trailer') continue;
    // Only as long as there is somebody who waits for the answer.
    if (name.length === 6 && request.body?.awaitsContinue !== true && name.toLowerCase() === 'expect') continue;
    list.push(name, headers[at + 1] as string);
  }
  if (length !== undefined) list.push('content-length', String(length));
  return list;
}

/** undici's flat list of buffers as strings; bytes above 0x7f are one character each (RFC 9110 §5.5). */
function textList(raw: Dispatcher.DispatchController['rawHeaders']): RawHeaders {
  if (!Array.isArray(raw)) return [];
  if (raw.length === 0 || typeof raw[0] === 'string') return raw as RawHeaders;
  const list: RawHeaders = [];
  for (const text of raw) list.push(typeof text === 'string' ? text : text.toString('latin1'));
  return list;
}

/** True: nothing but the end of the connection ends this body (RFC 9112 §6.3). */
function endsWithConnection(raw: Dispatcher.DispatchController['rawHeaders']): boolean {
  const headers = textList(raw);
  return !headers.some((text, at) => at % 2 === 0 && /^(content-length|transfer-encoding)$/i.test(text));
}
