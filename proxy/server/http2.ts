// One downstream HTTP/2 connection (RFC 9113) on Node's own session: each stream becomes an exchange like any other. What
// nghttp2 lets through and a strict proxy must not is refused here; a connection that resets too many streams is closed.
import { constants, performServerHandshake } from 'node:http2';
import type { IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import type { Duplex } from 'node:stream';
import { parseAuthority } from '../http/authority.ts';
import type { BodySink, BodySource, Exchange, ProxyError, RawHeaders } from '../http/exchange.ts';
import { clientOf, requestId } from '../http/forwarded.ts';
import { reasonPhrase } from '../http/status.ts';
import { isFieldValue, isToken } from '../http/syntax.ts';
import { parseTarget } from '../http/target.ts';
import type { Expiring } from '../time/deadlines.ts';
import type { Connection, ServerContext } from './context.ts';
import { Http2Response } from './http2-response.ts';
import type { Peer } from './peer.ts';
import { ALLOW } from './refused.ts';

/** Streams that a client may reset before the endpoint answered: this many, and as many again per second. */
const RESET_BURST = 100;
/** Of all that a client may open. */
const LAST_STREAM = 2 ** 31 - 1;
/** From the announcement that a connection ends to its end for new streams: more than any way there and back. */
const GOAWAY_MS = 1_000;
const HEAD_ERROR = 'DownstreamProtocolError';
const REASONS: Readonly<Record<number, string>> = { 405: 'MethodNotAllowed', 414: 'RequestTargetTooLong', 417: 'ExpectationFailed' };

export class Http2Connection implements Connection {
  readonly #session: ServerHttp2Session;
  readonly #peer: Peer;
  readonly #context: ServerContext;
  #resets = 0;
  #resetsSince = performance.now();

  constructor(socket: Duplex, peer: Peer, context: ServerContext) {
    this.#peer = peer;
    this.#context = context;
    const { limits } = context;
    const session = performServerHandshake(socket, {
      settings: { maxConcurrentStreams: limits.maxConcurrentStreams, maxHeaderListSize: limits.headBytes, initialWindowSize: 256 * 1024 },
      maxHeaderListPairs: limits.headerCount,
      maxSessionMemory: 10,
      maxSettings: 32,
      // An endpoint's doubled ETag or Date goes on as it came; Node would throw.
      strictSingleValueFields: false,
      maxOutstandingPings: 8,
      peerMaxConcurrentStreams: limits.maxConcurrentStreams,
    });
    this.#session = session;
    session.on('stream', (stream: ServerHttp2Stream, _headers: IncomingHttpHeaders, flags: number, raw: RawHeaders) => this.#begin(stream, flags, raw));
    session.on('error', ignore);
    session.on('close', () => context.closed(this));
    // HTTP/2 has no half-closed connections: who ends it has left, though answers still wait for room at the client.
    socket.once('end', () => session.destroy());
    session.setTimeout(limits.keepAliveTimeoutMs, () => this.#idle());
    context.opened(this);
    if (context.draining) this.drain(0);
  }

  /** First the client is asked to begin nothing more, and only what it has sent until then counts as its last (RFC 9113 §6.8). */
  drain(idleMs: number): void {
    const session = this.#session;
    if (session.closed || session.destroyed) return;
    session.goaway(constants.NGHTTP2_NO_ERROR, LAST_STREAM);
    setTimeout(() => session.close(), Math.min(idleMs, GOAWAY_MS)).unref();
  }

  destroy(): void {
    this.#session.destroy();
  }

  #idle(): void {
    this.#session.close();
  }

  /** A stream was reset by the client before its time: many of these are an attack (rapid reset), and cost the connection. */
  streamReset(): void {
    const now = performance.now();
    this.#resets = Math.max(0, this.#resets - ((now - this.#resetsSince) / 1000) * RESET_BURST) + 1;
    this.#resetsSince = now;
    if (this.#resets > RESET_BURST) this.#session.destroy(undefined, constants.NGHTTP2_ENHANCE_YOUR_CALM);
  }

  #begin(stream: ServerHttp2Stream, flags: number, raw: RawHeaders): void {
    stream.on('error', ignore);
    if (this.#context.overloaded) {
      // Nothing of it was looked at: the client may send it again (RFC 9113 §8.7).
      this.#context.refused(this.#peer, { status: 503, reason: 'Overload', text: '', method: '', target: '', version: '2' });
      stream.close(constants.NGHTTP2_REFUSED_STREAM);
      return;
    }
    let method = '';
    let target = '';
    let authority: string | undefined;
    let host: string | undefined;
    let cookie: string | undefined;
    let length: number | undefined;
    let expect = false;
    const headers: RawHeaders = [];
    for (let i = 0; i < raw.length; i += 2) {
      const name = raw[i] as string;
      const value = raw[i + 1] as string;
      if (name.charCodeAt(0) === 58) {
        if (name === ':method') method = value;
        else if (name === ':path') target = value;
        else if (name === ':authority') authority = value;
        continue;
      }
      if (!isToken(name) || !isFieldValue(value)) return this.#refuse(stream, 400, 'a malformed field', method, target);
      if (name === 'cookie') {
        // RFC 9113 §8.2.3: split cookies are put together again before they leave HTTP/2.
        cookie = cookie === undefined ? value : `${cookie}; ${value}`;
        continue;
      }
      if (name === 'host') {
        if (host !== undefined) return this.#refuse(stream, 400, 'more than one Host', method, target);
        host = value;
        continue;
      }
      if (name === 'content-length') {
        if (length !== undefined || !/^\d{1,15}$/.test(value)) return this.#refuse(stream, 400, 'a malformed Content-Length', method, target);
        length = Number(value);
      } else if (name === 'expect') {
        if (value.toLowerCase() !== '100-continue') return this.#refuse(stream, 417, 'an expectation other than 100-continue', method, target);
        expect = true;
      }
      headers.push(name, value);
    }
    if (cookie !== undefined) headers.push('cookie', cookie);
    if (method === 'CONNECT' || method === 'TRACE') return this.#refuse(stream, 405, `the method ${method} is not served`, method, target);
    // `PRI` belongs to the preface, and would be one again for an endpoint that speaks HTTP/1.1.
    if (!isToken(method) || method === 'PRI') return this.#refuse(stream, 400, 'a method that is not a token, or PRI', method, target);
    // As long as in HTTP/1.1, where a method, two blanks and a version stand beside it.
    if (method.length + target.length + 10 > this.#context.limits.requestLineBytes) return this.#refuse(stream, 414, 'the request target is too long', method, target);
    const authorityText = authority ?? host ?? '';
    const parsed = parseAuthority(authorityText);
    if (parsed === undefined) return this.#refuse(stream, 400, 'a malformed :authority', method, target);
    if (authority !== undefined && host !== undefined && host.toLowerCase() !== authority.toLowerCase()) {
      return this.#refuse(stream, 400, 'a Host other than :authority', method, target);
    }
    const parsedTarget = parseTarget(target, method);
    if ('status' in parsedTarget) return this.#refuse(stream, parsedTarget.status, parsedTarget.text, method, target);
    if (parsedTarget.authority !== undefined) return this.#refuse(stream, 400, 'a :path that is not a path', method, target);

    const endStream = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
    const response = new Http2Response(stream, method, !endStream, () => this.streamReset(), this.#context);
    const { client, trust } = this.#peer;
    const exchange: Exchange = {
      id: requestId(headers, client),
      client: clientOf(client, headers, trust),
      request: {
        version: '2',
        method,
        authority: authorityText,
        hostname: parsed.hostname,
        target: parsedTarget.target,
        path: parsedTarget.path,
        query: parsedTarget.query,
        headers,
        body: endStream ? undefined : new Http2Body(stream, length, expect, this.#context),
      },
      response,
      upgrade: undefined,
      startedAt: performance.now(),
      virtualHost: undefined,
      route: undefined,
      cluster: undefined,
      attempts: [],
      status: 0,
      reason: '',
      responseHeaders: undefined,
    };
    this.#context.serve(exchange, this.#peer.listener);
  }

  #refuse(stream: ServerHttp2Stream, status: number, text: string, method: string, target: string): void {
    const reason = REASONS[status] ?? HEAD_ERROR;
    this.#context.refused(this.#peer, { status, reason, text, method, target, version: '2' });
    if (stream.destroyed || stream.closed) return;
    const body = `${status} ${reasonPhrase(status)}: ${text}\n`;
    stream.respond({ ':status': status, ...(status === 405 && { allow: ALLOW }), 'content-type': 'text/plain; charset=utf-8', 'content-length': body.length });
    stream.end(body);
  }
}

/** The body of one stream. It is complete only if the client ended the stream itself. */
class Http2Body implements BodySource, Expiring {
  readonly length: number | undefined;
  started = false;
  bytes = 0;
  deadlineAt = 0;
  wheelTurn = 0;
  wheelPlace = 0;
  readonly #stream: ServerHttp2Stream;
  readonly #context: ServerContext;
  #awaitsContinue: boolean;
  #sink: BodySink | undefined;
  #over = false;
  #trailers: RawHeaders = [];

  constructor(stream: ServerHttp2Stream, length: number | undefined, awaitsContinue: boolean, context: ServerContext) {
    this.#stream = stream;
    this.#context = context;
    this.length = length;
    this.#awaitsContinue = awaitsContinue;
    stream.pause();
    stream.on('close', () => this.#abort());
    // Without content Node ends a stream even while it is paused, and before anybody has begun to read.
    stream.on('trailers', (_headers, _flags, raw?: RawHeaders) => {
      this.#trailers = raw ?? [];
    });
    stream.on('end', () => {
      if (this.#sink !== undefined) setImmediate(() => this.#ended());
    });
  }

  start(sink: BodySink): void {
    this.started = true;
    if (this.#over || this.#stream.destroyed || this.#stream.closed) {
      sink.onAbort(GONE);
      return;
    }
    this.#sink = sink;
    const stream = this.#stream;
    stream.on('data', (chunk: Buffer) => {
      this.#awaitsContinue = false;
      this.bytes += chunk.length;
      this.#await();
      this.#sink?.onData(chunk);
    });
    stream.on('aborted', () => this.#abort());
    if (stream.readableEnded) setImmediate(() => this.#ended());
    else this.resume();
  }

  get awaitsContinue(): boolean {
    return this.#awaitsContinue;
  }

  proceed(): void {
    const stream = this.#stream;
    if (!this.#awaitsContinue || this.#over || stream.headersSent || stream.closed) return;
    this.#awaitsContinue = false;
    stream.additionalHeaders({ ':status': 100 });
    this.#await();
  }

  get waiting(): boolean {
    return !this.#over && this.#sink !== undefined && !this.#stream.isPaused();
  }

  pause(): void {
    this.#stream.pause();
    this.#context.deadlines.clear(this);
  }

  resume(): void {
    this.#await();
    this.#stream.resume();
  }

  /** The client has been silent for too long. */
  onDeadline(): void {
    this.#abort(LATE);
  }

  /** As long as the client waits for an endpoint, it is the endpoint's time that runs. */
  #await(): void {
    if (!this.#over && !this.#awaitsContinue) this.#context.deadlines.set(this, this.#context.limits.bodyTimeoutMs);
  }

  /** A turn after the end: clients that give up may end a stream and reset it in one go, and that is no complete message. */
  #ended(): void {
    const stream = this.#stream;
    if (stream.closed || stream.aborted || (this.length !== undefined && this.bytes !== this.length)) this.#abort();
    this.#finish()?.onEnd(this.#trailers);
  }

  #abort(error = GONE): void {
    this.#finish()?.onAbort(error);
  }

  /** Whom to tell that it is over; undefined: it is known already. */
  #finish(): BodySink | undefined {
    if (this.#over) return undefined;
    this.#over = true;
    this.#context.deadlines.clear(this);
    const sink = this.#sink;
    this.#sink = undefined;
    return sink;
  }
}

const GONE: ProxyError = { reason: 'DownstreamConnectionTermination', side: 'downstream', retry: 'no', status: 499 };
const LATE: ProxyError = { reason: 'DownstreamRequestTimeout', side: 'downstream', retry: 'no', status: 408 };

function ignore(): void {
  // 'close' follows and says all that matters
}
