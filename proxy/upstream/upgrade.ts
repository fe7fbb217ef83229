// WebSocket connections: the only user of http-proxy, whose `ws()` sends the request, writes the 101 and joins the two
// sockets. Around it stands what it does not do: connections of our own connector, headers as given, timeouts, refusals
// with correct framing, sockets that close together, and a goodbye on drain.
import './silence-dep0060.ts';
import http from 'node:http';
import type { IncomingMessage } from 'node:http';
import type net from 'node:net';
import httpProxy from 'http-proxy';
import type { ProxyError, RawHeaders } from '../http/exchange.ts';
import type { Cluster, Endpoint } from '../table/cluster.ts';
import type { Connector } from './connector.ts';
import { Deadline } from './deadline.ts';
import { EarlyBytes } from './early-bytes.ts';
import { failure, upstreamFailure } from './errors.ts';
import { problemOfAnswer } from './http1/answer-check.ts';
import { relayRefusal } from './refusal.ts';
import { Taking } from './taking.ts';
import { setHead, switchHeaders } from './upgrade-head.ts';
import { FrameBoundary, closeFrame } from './websocket-frames.ts';

export interface TunnelRequest {
  readonly method: string;
  readonly target: string;
  /** With Host; `Connection`, `Upgrade` and body framing are the tunnel's own. */
  readonly headers: RawHeaders;
  /** The client's connection; nothing else may read or write it until `onError`, or for good. */
  readonly socket: net.Socket;
  /** What the client sent after its head; it is held back until the endpoint has switched. */
  readonly head: Buffer;
  /**
   * `responseHeadMs`: from the established connection to the answer. `readIdleMs`: without a byte in either direction.
   * `sendIdleMs`: without the endpoint taking anything of what waits for it. 0: no limit.
   */
  readonly timeouts: { readonly responseHeadMs: number; readonly readIdleMs: number; readonly sendIdleMs: number };
}

/** `onHead` comes at most once; exactly one of `onClose` and `onError` comes last. */
export interface TunnelEvents {
  /**
   * The endpoint's answer: `switched` with 101, else a refusal that is relayed with its body. Returns the headers that go
   * to the client; connection and framing fields are added by the tunnel. Undefined: it must not go there, and `onError` follows.
   */
  onHead(status: number, headers: RawHeaders, switched: boolean): RawHeaders | undefined;
  /** The client takes nothing of what there is for it, or takes something again. */
  onStalled(yes: boolean): void;
  /**
   * Both connections are closed. Bytes of the tunnel (or of the refusal's body) from and to the client. `error`: why it
   * was cut; undefined: one of the two sides ended it.
   */
  onClose(bytesIn: number, bytesOut: number, error: ProxyError | undefined): void;
  /** There is no answer, and nothing was written to the client: its connection belongs to the caller again, paused, with what it has sent since its head. */
  onError(error: ProxyError, head: Buffer): void;
}

export interface Tunnel {
  /**
   * Says goodbye with a Close frame to both sides, each where its stream is between two frames, and then ends the
   * connections. If a side does not come to the end of a frame within the linger time it is cut. Default: 1001, going away.
   * A refusal goes on, unless its client takes nothing for that time.
   */
  close(code?: number): void;
  /** Cuts both connections now; `error`: why. */
  destroy(error?: ProxyError): void;
}

export type OpenTunnel = (cluster: Cluster, endpoint: Endpoint, request: TunnelRequest, events: TunnelEvents) => Tunnel;

/** `writeStallMs`: how long a client may take nothing. `lingerMs`: how long one side may stay open after the other has ended. */
export function tunneller(connector: Connector, writeStallMs: number, lingerMs = 5_000): OpenTunnel {
  return (cluster, endpoint, request, events) => {
    const tunnel = new WebSocketTunnel(request, events, writeStallMs, lingerMs);
    tunnel.open(new OneConnection(connector, cluster, endpoint));
    return tunnel;
  };
}

const proxy = httpProxy.createProxyServer({});
/** Takes the request that http-proxy makes inside `ws()`, before its head is sent. */
let created: ((request: http.ClientRequest) => void) | undefined;
proxy.on('proxyReqWs', (request) => created?.(request));
const UPGRADE_HEADERS = { connection: 'Upgrade', upgrade: 'websocket' };
const INVALID_TARGET = /[^\u0021-\u00ff]/;
const NO_BYTES = Buffer.alloc(0);
/** A client that closed its sending side before the answer may still wait for it; this long it does not count as gone. */
const HALF_CLOSED_MS = 1_000;
const ignore = (): void => {};

/** Hands node:http the connection that our connector makes; TLS is inside it. */
class OneConnection extends http.Agent {
  readonly #open: (connected: (error: Error | null, socket: net.Socket | null) => void) => void;

  constructor(connector: Connector, cluster: Cluster, endpoint: Endpoint) {
    super({ keepAlive: false });
    this.#open = (connected) => connector.connect(cluster, endpoint, connected);
  }

  override createConnection(_options: object, connected?: (error: Error | null, socket: net.Socket) => void): undefined {
    this.#open((error, socket) => connected?.(error, socket as net.Socket));
  }
}

class WebSocketTunnel implements Tunnel {
  readonly #request: TunnelRequest;
  readonly #events: TunnelEvents;
  readonly #lingerMs: number;
  readonly #writeStallMs: number;
  readonly #client: net.Socket;
  #outgoing: http.ClientRequest | undefined;
  #upstream: net.Socket | undefined;
  readonly #answer = new Deadline({ expired: () => this.#fail(failure('UpstreamRequestTimeout')) });
  readonly #linger = new Deadline({ expired: () => this.destroy() });
  /** Until there is an answer. */
  #early: EarlyBytes | undefined;
  readonly #clientTaking: Taking;
  #upstreamTaking: Taking | undefined;
  readonly #fromClient = new FrameBoundary();
  readonly #fromUpstream = new FrameBoundary();
  #bytesIn = 0;
  #bytesOut = 0;
  #connected = false;
  #headSeen = false;
  #over = false;
  #error: ProxyError | undefined;
  /** Code of the Close frames that are still to be sent. */
  #closing: number | undefined;
  #clientGone = false;
  #upstreamGone = false;
  #toldClient = false;
  #toldUpstream = false;

  constructor(request: TunnelRequest, events: TunnelEvents, writeStallMs: number, lingerMs: number) {
    this.#request = request;
    this.#events = events;
    this.#lingerMs = lingerMs;
    this.#writeStallMs = writeStallMs;
    this.#client = request.socket;
    this.#clientTaking = new Taking(this.#client, writeStallMs, {
      stalled: (yes) => events.onStalled(yes),
      expired: () => this.destroy(failure('DownstreamConnectionTermination', 'the client takes nothing')),
    });
  }

  open(agent: http.Agent): void {
    const { method, target } = this.#request;
    if (!this.#client.listeners('error').includes(ignore)) this.#client.on('error', ignore);
    this.#client.once('close', this.#clientClosed);
    this.#early = new EarlyBytes(this.#client, this.#request.head, () => this.#linger.set(HALF_CLOSED_MS));
    if (this.#client.destroyed) {
      this.#fail(failure('DownstreamConnectionTermination'));
      return;
    }
    if (method !== 'GET' || INVALID_TARGET.test(target) || !target.startsWith('/')) {
      this.#fail(failure('InvalidUpstreamRequest', 'not a GET of a path'));
      return;
    }
    try {
      this.#outgoing = this.#send(agent);
    } catch (error) {
      // A header that node:http does not send.
      this.#fail(failure('InvalidUpstreamRequest', error));
    }
  }

  close(code = 1001): void {
    if (this.#over || this.#closing !== undefined) return;
    this.#closing = code;
    if (this.#upstream === undefined) {
      this.#clientTaking.hurry(this.#lingerMs);
      return;
    }
    this.#linger.set(this.#lingerMs);
    this.#sayGoodbye();
  }

  destroy(error?: ProxyError): void {
    if (!this.#headSeen) {
      this.#fail(error ?? failure('DownstreamConnectionTermination'));
      return;
    }
    this.#error ??= error;
    this.#outgoing?.destroy();
    this.#upstream?.destroy();
    this.#client.destroy();
  }

  /** Lets http-proxy send the request, and takes over from it what it does not do well. */
  #send(agent: http.Agent): http.ClientRequest {
    const { target, headers } = this.#request;
    let outgoing: http.ClientRequest | undefined;
    const incoming = { method: 'GET', url: '/', headers: UPGRADE_HEADERS } as unknown as IncomingMessage;
    const options = { target: { protocol: 'http:', host: 'endpoint', port: 80 }, agent, xfwd: false, toProxy: true, prependPath: false };
    created = (request) => {
      outgoing = request;
      setHead(request, target, headers);
    };
    try {
      // The client's first bytes are sent after the 101: http-proxy would put them back into its stream, for good.
      proxy.ws(incoming, this.#client, NO_BYTES, options, ignore);
    } catch (error) {
      outgoing?.on('error', ignore).destroy();
      throw error;
    } finally {
      created = undefined;
    }
    if (outgoing === undefined) throw new Error('http-proxy made no request');
    const join = outgoing.listeners('upgrade')[0] as (response: IncomingMessage, socket: net.Socket, head: Buffer) => void;
    for (const event of ['upgrade', 'response', 'error']) outgoing.removeAllListeners(event);
    outgoing.on('socket', () => {
      this.#connected = true;
      this.#answer.set(this.#request.timeouts.responseHeadMs);
    });
    outgoing.on('error', (error) => this.#fail(upstreamFailure(error, { started: this.#connected, reused: false, answered: false, headSeen: false })));
    outgoing.on('response', (response) => this.#refused(response));
    outgoing.on('upgrade', (response, socket, head) => this.#switched(response, socket as net.Socket, head, join));
    return outgoing;
  }

  #switched(response: IncomingMessage, upstream: net.Socket, head: Buffer, join: (response: IncomingMessage, socket: net.Socket, head: Buffer) => void): void {
    if (this.#over) {
      upstream.destroy();
      return;
    }
    if (response.headers.upgrade?.toLowerCase() !== 'websocket') {
      upstream.destroy();
      this.#fail(failure('UpstreamProtocolError', 'switched to a protocol that was not asked for'));
      return;
    }
    this.#answer.clear();
    const fields = this.#events.onHead(101, response.rawHeaders, true);
    if (fields === undefined) {
      upstream.destroy();
      this.#fail(failure('InternalError'));
      return;
    }
    this.#headSeen = true;
    this.#upstream = upstream;
    response.headers = switchHeaders(fields);
    this.#linger.clear();
    const early = this.#takeEarly();
    if (early.length > 0) {
      this.#bytesIn += early.length;
      this.#fromClient.push(early);
      upstream.write(early);
    }
    // It writes the head as text and names no encoding; a field value is octets, one for each character.
    this.#client.setDefaultEncoding('latin1');
    join(response, upstream, head);
    this.#client.setDefaultEncoding('utf8');
    const upstreamTaking = new Taking(upstream, this.#request.timeouts.sendIdleMs, { stalled: ignore, expired: () => this.destroy(failure('StreamIdleTimeout')) });
    this.#upstreamTaking = upstreamTaking;
    // After `join`, so that a chunk has been passed on when it is counted.
    this.#client.on('data', (chunk: Buffer) => {
      upstreamTaking.wrote();
      this.#bytesIn += chunk.length;
      this.#fromClient.push(chunk);
      this.#sayGoodbye();
    });
    upstream.on('data', (chunk: Buffer) => {
      this.#clientTaking.wrote();
      this.#bytesOut += chunk.length;
      this.#fromUpstream.push(chunk);
      this.#sayGoodbye();
    });
    if (this.#client.readableEnded) this.#awaitEnd(upstream);
    else this.#client.once('end', () => this.#awaitEnd(upstream));
    upstream.once('end', () => this.#awaitEnd(this.#client));
    upstream.once('close', this.#upstreamClosed);
    // Reads and writes both push the timer of a socket back.
    upstream.setTimeout(this.#request.timeouts.readIdleMs, () => this.destroy(failure('StreamIdleTimeout')));
    if (this.#closing !== undefined) {
      this.#linger.set(this.#lingerMs);
      this.#sayGoodbye();
    }
  }

  /** Nothing is read before the answer any more. */
  #takeEarly(): Buffer {
    const early = this.#early?.take() ?? this.#request.head;
    this.#early = undefined;
    return early;
  }

  #refused(response: IncomingMessage): void {
    if (this.#over) return;
    const problem = problemOfAnswer(response.statusCode ?? 0, response.statusMessage ?? '', response.rawHeaders);
    if (problem !== undefined) {
      this.#fail(failure('UpstreamProtocolError', problem));
      return;
    }
    this.#answer.clear();
    const headers = this.#events.onHead(response.statusCode ?? 502, response.rawHeaders, false);
    if (headers === undefined) {
      this.#fail(failure('InternalError'));
      return;
    }
    this.#headSeen = true;
    this.#linger.clear();
    // What the client sent for the other protocol is dropped: unread, it would turn the end into a reset.
    this.#takeEarly();
    this.#client.resume();
    relayRefusal(response, headers, this.#client, this.#clientTaking, this.#request.timeouts.readIdleMs, (bytes, error) => {
      this.#bytesOut = bytes;
      if (error !== undefined) this.destroy(error);
      else this.#awaitEnd(this.#client);
    });
  }

  /** Sends each Close frame as soon as the stream that it goes into is between two frames; then ends both. */
  #sayGoodbye(): void {
    const upstream = this.#upstream;
    if (this.#closing === undefined || upstream === undefined) return;
    if (!this.#toldClient && this.#fromUpstream.reached) {
      this.#toldClient = true;
      sayLast(upstream, this.#client, closeFrame(this.#closing, false));
    }
    if (!this.#toldUpstream && this.#fromClient.reached) {
      this.#toldUpstream = true;
      sayLast(this.#client, upstream, closeFrame(this.#closing, true));
    }
  }

  /** The other side has ended. First comes what is still on its way to this one, which has its time; who then does not close must not keep the connection. */
  #awaitEnd(side: net.Socket): void {
    if (side.writableFinished || this.#closing !== undefined) return this.#awaitClose();
    this.#linger.set(Math.max(this.#lingerMs, this.#writeStallMs));
    side.once('finish', () => this.#allTaken(side));
    if (side === this.#client) this.#events.onStalled(true);
  }

  #allTaken(side: net.Socket): void {
    if (this.#over) return;
    if (side === this.#client) this.#events.onStalled(false);
    this.#awaitClose();
  }

  /** Nothing is on its way any more, unless it is to the client: that keeps its time, whatever becomes of the other side. */
  #awaitClose(): void {
    const { writableEnded, writableFinished } = this.#client;
    if (this.#closing === undefined && writableEnded && !writableFinished) return;
    this.#linger.set(this.#lingerMs);
  }

  readonly #clientClosed = (): void => {
    this.#clientGone = true;
    if (!this.#headSeen) this.#fail(failure('DownstreamConnectionTermination'));
    else if (this.#upstream === undefined || this.#upstreamGone) this.#finish();
    else this.#upstream.destroy();
  };

  readonly #upstreamClosed = (): void => {
    this.#upstreamGone = true;
    if (this.#clientGone) this.#finish();
    // What the endpoint sent last may still be on its way to the client.
    else if (this.#client.writableEnded) this.#awaitEnd(this.#client);
    else this.#client.destroy();
  };

  #finish(): void {
    if (this.#over) return;
    this.#over = true;
    this.#answer.clear();
    this.#linger.clear();
    this.#clientTaking.stop();
    this.#upstreamTaking?.stop();
    this.#outgoing?.destroy();
    this.#events.onClose(this.#bytesIn, this.#bytesOut, this.#error);
  }

  /** Without an answer: gives the client's connection back. */
  #fail(error: ProxyError): void {
    if (this.#over || this.#headSeen) return;
    this.#over = true;
    this.#answer.clear();
    this.#linger.clear();
    this.#clientTaking.stop();
    this.#client.removeListener('close', this.#clientClosed);
    this.#outgoing?.destroy();
    this.#events.onError(error, this.#takeEarly());
  }
}

/** `to` gets nothing more from `from` than these bytes, unless `from` has ended already; what `from` still sends is read and dropped. */
function sayLast(from: net.Socket, to: net.Socket, frame: Buffer): void {
  from.unpipe(to);
  // A write after the end would be an error, and destroy what is still on its way.
  if (!to.writableEnded) to.end(frame);
  from.resume();
}
