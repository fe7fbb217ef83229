// One HTTP/2 connection to an endpoint (RFC 9113): ready once the endpoint's SETTINGS are there, so that nothing is sent to
// who does not speak it and no limit is broken; left when the endpoint says GOAWAY, when it is idle or used up. Streams that
// are open on a connection that is left finish.
import http2 from 'node:http2';
import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2';
import type net from 'node:net';
import type { ProxyError, RawHeaders } from '../http/exchange.ts';
import type { Connected } from './connector.ts';
import { Deadline } from './deadline.ts';
import type { Expirable } from './deadline.ts';
import { failure } from './errors.ts';
import { Keepalive } from './http2-keepalive.ts';
import type { KeepaliveOptions, Watched } from './http2-keepalive.ts';

export interface LineOptions extends KeepaliveOptions {
  /** Streams on one connection at a time, where the endpoint does not allow fewer. */
  readonly maxStreams: number;
  /** A connection without streams for this long is closed. */
  readonly lineIdleMs: number;
  /** Largest response head in bytes. */
  readonly maxHeadBytes: number;
  readonly connectTimeoutMs: number;
}

/** Whoever opens connections. */
export interface LineOwner {
  /** It may have room for more streams than before. */
  lineHasRoom(line: Http2Line): void;
  /** It takes no new streams any more. `error`: it never did. */
  lineLeft(line: Http2Line, error: ProxyError | undefined): void;
  /** The connection is closed. */
  lineClosed(line: Http2Line): void;
}

/** Far below the number of streams that one connection can ever have (RFC 9113 §5.1.1). */
const MAX_SERVED = 2 ** 29;
const STREAM_WINDOW_BYTES = 256 * 1024;
const CONNECTION_WINDOW_BYTES = 4 * 1024 * 1024;
const MAX_FIELDS = 256;
/** Buffers and heads of one connection; without effect on what flow control lets in. */
const MAX_MEMORY_MB = 64;
/** How long the endpoint may take to close its side of a connection that is over. */
const LINGER_MS = 1_000;

type State = 'connecting' | 'open' | 'left' | 'closed';

export class Http2Line implements Watched, Expirable {
  /** Streams that are open. */
  streams = 0;
  /** Streams that were opened so far. */
  served = 0;
  /** Why the connection broke. */
  error: Error | undefined;
  readonly #owner: LineOwner;
  readonly #options: LineOptions;
  readonly #settingsDeadline = new Deadline(this);
  #state: State = 'connecting';
  #limit = 0;
  #socket: net.Socket | undefined;
  #session: ClientHttp2Session | undefined;
  #keepalive: Keepalive | undefined;
  #idleSince = performance.now();
  /** Streams above it were not looked at: the endpoint's last word in GOAWAY. */
  #lastStream = Infinity;

  /** `connect`: opens the connection, TLS included. */
  constructor(owner: LineOwner, options: LineOptions, connect: (connected: Connected) => void) {
    this.#owner = owner;
    this.#options = options;
    connect((error, socket) => {
      if (socket !== null) this.#connected(socket);
      else this.#fail(failure(error?.reason ?? 'UpstreamConnectionFailure', error));
    });
  }

  get connecting(): boolean {
    return this.#state === 'connecting';
  }

  /** False: broken or closed. */
  get alive(): boolean {
    return this.#session?.destroyed === false;
  }

  /** Streams that may be open at a time, as far as is known. */
  get limit(): number {
    return this.#limit;
  }

  /** Number of streams that can be opened now. */
  get room(): number {
    return this.#state === 'open' ? this.#limit - this.streams : 0;
  }

  /** True: the endpoint has said that it did not look at this stream. */
  refused(stream: ClientHttp2Stream): boolean {
    return stream.id === undefined || stream.id > this.#lastStream;
  }

  /** Opens a stream; only while there is room. `headers` with pseudo-header fields. Throws if they cannot be sent. */
  request(headers: RawHeaders, endStream: boolean): ClientHttp2Stream {
    // Node ends a stream with END_STREAM before it resets it, unless it waits for trailers.
    const stream = (this.#session as ClientHttp2Session).request(headers, { endStream, waitForTrailers: !endStream });
    this.streams++;
    this.served++;
    if (this.served >= MAX_SERVED) this.leave();
    stream.once('close', () => this.#streamClosed());
    return stream;
  }

  /** Takes no new streams, and closes when the last one has ended. */
  leave(): void {
    if (this.#state === 'connecting') {
      this.#fail(failure('UpstreamConnectionFailure', 'no longer needed'));
      return;
    }
    if (this.#state !== 'open') return;
    this.#left(undefined);
    setImmediate(() => this.#session?.close());
    this.#linger();
  }

  /** Cuts everything. */
  destroy(error?: Error): void {
    this.error ??= error;
    if (this.#state === 'connecting') this.#fail(failure('UpstreamConnectionTermination', error, 'yes'));
    this.#session?.destroy(error);
    // Node would wait until everything is written, which never happens if nobody reads.
    this.#socket?.destroy();
  }

  unresponsive(): void {
    this.destroy(new Error('no answer to PING'));
  }

  tick(now: number): void {
    if (this.streams === 0 && now - this.#idleSince >= this.#options.lineIdleMs) this.leave();
  }

  expired(): void {
    this.#fail(failure('UpstreamConnectionTimeout', `no SETTINGS within ${this.#options.connectTimeoutMs} ms`));
  }

  #connected(socket: net.Socket): void {
    if (this.#state !== 'connecting') {
      socket.destroy();
      return;
    }
    this.#socket = socket;
    if ('alpnProtocol' in socket && socket.alpnProtocol !== 'h2') {
      this.#fail(failure('UpstreamProtocolError', 'the endpoint does not offer HTTP/2 by ALPN', 'yes'));
      return;
    }
    const session = http2.connect('http://endpoint', sessionOptions(socket, this.#options.maxHeadBytes));
    this.#session = session;
    this.#settingsDeadline.set(this.#options.connectTimeoutMs);
    session.on('error', (error) => (this.error ??= error));
    session.on('remoteSettings', (settings) => this.#settings(settings));
    session.on('goaway', (_code, lastStream) => {
      this.#lastStream = lastStream;
      this.#left(undefined);
      this.#linger();
    });
    session.once('close', () => this.#closed());
    session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
  }

  #settings(settings: http2.Settings): void {
    this.#limit = Math.min(this.#options.maxStreams, settings.maxConcurrentStreams ?? this.#options.maxStreams);
    if (this.#state === 'connecting') {
      this.#state = 'open';
      this.#settingsDeadline.clear();
      this.#idleSince = performance.now();
      this.#keepalive = new Keepalive(this.#session as ClientHttp2Session, this.#socket as net.Socket, this.#options, this);
    }
    if (this.#state === 'open') this.#owner.lineHasRoom(this);
  }

  #streamClosed(): void {
    this.streams--;
    this.#idleSince = performance.now();
    if (this.#state === 'open') this.#owner.lineHasRoom(this);
    else this.#linger();
  }

  /** Before it was ready. */
  #fail(error: ProxyError): void {
    if (this.#state !== 'connecting') return;
    this.#left(error);
    this.#session?.destroy();
    this.#socket?.destroy();
    if (this.#session === undefined) this.#closed();
  }

  #left(error: ProxyError | undefined): void {
    if (this.#state === 'left' || this.#state === 'closed') return;
    this.#state = 'left';
    this.#settingsDeadline.clear();
    this.#owner.lineLeft(this, error);
  }

  /** Node waits for the endpoint to close its side; not every one does. */
  #linger(): void {
    if (this.#state !== 'left' || this.streams > 0) return;
    setTimeout(() => this.#socket?.destroy(), LINGER_MS).unref();
  }

  #closed(): void {
    if (this.#state === 'closed') return;
    if (this.#state === 'connecting') this.#left(this.#neverSpoke());
    else this.#left(undefined);
    this.#state = 'closed';
    this.#keepalive?.stop();
    this.#owner.lineClosed(this);
  }

  #neverSpoke(): ProxyError {
    const cause = this.error ?? 'closed before SETTINGS';
    return isProtocolError(this.error) ? failure('UpstreamProtocolError', cause, 'yes') : failure('UpstreamConnectionFailure', cause);
  }
}

function sessionOptions(socket: net.Socket, maxHeadBytes: number): http2.ClientSessionOptions {
  const options = {
    createConnection: () => socket,
    settings: { enablePush: false, initialWindowSize: STREAM_WINDOW_BYTES, maxHeaderListSize: maxHeadBytes },
    maxHeaderListPairs: MAX_FIELDS,
    maxSessionMemory: MAX_MEMORY_MB,
    // What a client sent twice is the endpoint's to judge. Missing in the types.
    strictSingleValueFields: false,
  };
  return options;
}

/** True: what the endpoint sent was not HTTP/2. */
export function isProtocolError(error: Error | undefined): boolean {
  return error !== undefined && 'code' in error && error.code === 'ERR_HTTP2_ERROR';
}
