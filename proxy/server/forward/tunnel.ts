// An upgraded connection from the server's side: takes the socket from its codec, tries endpoints until one switches, and
// tells the observers once it is over. Open tunnels are known to the worker, so that draining can say goodbye to them.
import type { Socket } from 'node:net';
import type { Exchange, ProxyError, RawHeaders, UpgradeRequest } from '../../http/exchange.ts';
import { responseFields } from '../../http/fields.ts';
import { reasonPhrase } from '../../http/status.ts';
import type { UpstreamRequest } from '../../upstream/call.ts';
import { outcomeOf } from '../../upstream/errors.ts';
import type { OpenTunnel, Tunnel as UpgradedTunnel, TunnelEvents } from '../../upstream/upgrade.ts';
import type { ActiveCluster } from './clusters.ts';
import { DEPARTED, hasDeparted } from './departed.ts';
import { plainReply } from '../reply.ts';
import { STALLED } from './own-answers.ts';
import type { Stalling } from './stalled.ts';
import type { Try } from './try.ts';

const GOING_AWAY = 1001;
/** The part of a drain over which goodbyes are spread; the rest is for saying the last ones. */
const SPREAD = 0.8;

/** The open tunnels of a worker. */
export class Tunnels {
  readonly open: OpenTunnel;
  readonly #open = new Set<Tunnel>();
  /** Of a monotonic clock: when a drain wants the last goodbye said; undefined: nothing drains. */
  #goodbyesUntil: number | undefined;

  constructor(open: OpenTunnel) {
    this.open = open;
  }

  get size(): number {
    return this.#open.size;
  }

  /** One that comes while all are told to go is told so itself, at a moment of what is left of the drain. */
  add(tunnel: Tunnel): void {
    this.#open.add(tunnel);
    if (this.#goodbyesUntil !== undefined) goodbye(tunnel, Math.random() * Math.max(0, this.#goodbyesUntil - performance.now()));
  }

  remove(tunnel: Tunnel): void {
    this.#open.delete(tunnel);
  }

  /** Says goodbye to all, spread over the window so that the clients do not come back all at once. */
  drain(graceMs: number): void {
    const spreadMs = graceMs * SPREAD;
    this.#goodbyesUntil = performance.now() + spreadMs;
    const tunnels = [...this.#open];
    tunnels.forEach((tunnel, index) => goodbye(tunnel, (index * spreadMs) / tunnels.length));
  }

  destroy(): void {
    for (const tunnel of this.#open) tunnel.destroy();
  }
}

function goodbye(tunnel: Tunnel, afterMs: number): void {
  setTimeout(() => tunnel.goAway(), afterMs).unref();
}

/** What the tunnel needs of the worker. */
export interface TunnelHost {
  readonly tunnels: Tunnels;
  /** The try that follows one that failed; undefined: the failure stands. */
  next(failed: Try, error: ProxyError): Try | undefined;
  /** The fields of an answer as response filters want them; undefined: one of them failed. */
  head(from: Try, headers: RawHeaders): RawHeaders | undefined;
  /** It is over: `bytesIn` from the client, `bytesOut` to it. */
  finished(bytesIn: number, bytesOut: number): void;
}

export class Tunnel implements TunnelEvents, Stalling {
  readonly exchange: Exchange;
  readonly #active: ActiveCluster;
  readonly #request: UpstreamRequest;
  readonly #host: TunnelHost;
  readonly #socket: Socket;
  /** What the client has sent for the next try to pass on. */
  #early: Buffer;
  #try: Try;
  #tunnel: UpgradedTunnel | undefined;
  /** It has been told to go. */
  #leaving = false;

  constructor(exchange: Exchange, upgrade: UpgradeRequest, active: ActiveCluster, first: Try, request: UpstreamRequest, host: TunnelHost) {
    this.exchange = exchange;
    this.#active = active;
    this.#request = request;
    this.#try = first;
    this.#host = host;
    const { socket, head } = upgrade.take();
    this.#socket = socket as Socket;
    this.#early = head;
  }

  open(): void {
    this.#host.tunnels.add(this);
    this.#connect();
  }

  goAway(): void {
    this.#leaving = true;
    this.#tunnel?.close(GOING_AWAY);
  }

  destroy(): void {
    this.#tunnel?.destroy();
  }

  onHead(status: number, rawHeaders: RawHeaders, switched: boolean): RawHeaders | undefined {
    this.#try.answered(status);
    this.exchange.status = status;
    return this.#host.head(this.#try, switched ? rawHeaders : responseFields(rawHeaders));
  }

  onStalled(yes: boolean): void {
    const { stalled } = this.#active;
    if (yes) stalled.add(this);
    else stalled.delete(this);
  }

  /** The place is free at once, lest everybody who stalls gives way for the one that waits. */
  giveWay(): void {
    this.#tunnel?.destroy(STALLED);
    this.#try.settle('cancelled');
  }

  onClose(bytesIn: number, bytesOut: number, error: ProxyError | undefined): void {
    if (error !== undefined) this.exchange.reason = error.reason;
    this.#try.settle('success');
    this.#end(bytesIn, bytesOut);
  }

  onError(error: ProxyError, early: Buffer): void {
    this.#early = early;
    const exchange = this.exchange;
    this.#try.failed(error);
    this.#try.settle(outcomeOf(error));
    const next = this.#host.next(this.#try, error);
    if (next !== undefined) {
      this.#try = next;
      this.#connect();
      return;
    }
    const last = hasDeparted(error, exchange.attempts) ? DEPARTED : error;
    exchange.status = last.status;
    exchange.reason = last.reason;
    this.#answer(last);
    this.#end(0, 0);
  }

  #connect(): void {
    const { method, target, authority, headers, timeouts } = this.#request;
    this.#tunnel = this.#host.tunnels.open(
      this.#active.cluster,
      this.#try.endpoint,
      { method, target, headers: ['Host', authority, ...headers], socket: this.#socket, head: this.#early, timeouts },
      this,
    );
    if (this.#leaving) this.#tunnel.close(GOING_AWAY);
  }

  /** No endpoint switched: the client is told so on its bare socket. */
  #answer(error: ProxyError): void {
    const socket = this.#socket;
    if (socket.destroyed || error.side === 'downstream') {
      socket.destroy();
      return;
    }
    const { status, body } = plainReply(error.status, error.reason);
    socket.end(
      `HTTP/1.1 ${status} ${reasonPhrase(status)}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
      'latin1',
    );
    socket.resume();
    setTimeout(() => socket.destroy(), 2_000).unref();
  }

  #end(bytesIn: number, bytesOut: number): void {
    this.#host.tunnels.remove(this);
    this.#active.stalled.forget(this);
    this.#host.finished(bytesIn, bytesOut);
  }
}
