// An upgraded connection from the server's side: takes the socket from its codec, tries endpoints until one switches, and
// tells the observers once it is over. Open tunnels are known to the worker, so that draining can say goodbye to them.
import type { Socket } from 'node:net';
import type { Pick } from '../balance/balancer.ts';
import type { Exchange, ProxyError, RawHeaders, UpgradeRequest } from '../http/exchange.ts';
import { responseFields } from '../http/fields.ts';
import { reasonPhrase } from '../http/status.ts';
import type { UpstreamRequest } from '../upstream/call.ts';
import { outcomeOf } from '../upstream/errors.ts';
import type { OpenTunnel, Tunnel as UpgradedTunnel, TunnelEvents } from '../upstream/upgrade.ts';
import type { ActiveCluster } from './clusters.ts';
import { plainReply } from './reply.ts';

const ATTEMPTS = 3;
const GOING_AWAY = 1001;

/** The open tunnels of a worker. */
export class Tunnels {
  readonly open: OpenTunnel;
  readonly #open = new Set<Tunnel>();

  constructor(open: OpenTunnel) {
    this.open = open;
  }

  get size(): number {
    return this.#open.size;
  }

  add(tunnel: Tunnel): void {
    this.#open.add(tunnel);
  }

  remove(tunnel: Tunnel): void {
    this.#open.delete(tunnel);
  }

  /** Says goodbye to all, spread over the first half of the window so that the clients do not come back all at once. */
  drain(graceMs: number): void {
    const tunnels = [...this.#open];
    const step = tunnels.length === 0 ? 0 : graceMs / 2 / tunnels.length;
    tunnels.forEach((tunnel, index) => setTimeout(() => tunnel.goAway(), index * step).unref());
  }

  destroy(): void {
    for (const tunnel of this.#open) tunnel.destroy();
  }
}

/** What the tunnel needs of the worker. */
export interface TunnelHost {
  readonly tunnels: Tunnels;
  /** The exchange is over: `bytesIn` from the client, `bytesOut` to it. */
  finished(exchange: Exchange, bytesIn: number, bytesOut: number): void;
}

export class Tunnel implements TunnelEvents {
  readonly #exchange: Exchange;
  readonly #active: ActiveCluster;
  readonly #request: UpstreamRequest;
  readonly #host: TunnelHost;
  readonly #socket: Socket;
  readonly #early: Buffer;
  /** Fields that response filters want on the answer. */
  readonly #filterHead: (headers: RawHeaders) => RawHeaders;
  #pick: Pick;
  #startedAt = performance.now();
  #tunnel: UpgradedTunnel | undefined;

  constructor(exchange: Exchange, upgrade: UpgradeRequest, active: ActiveCluster, pick: Pick, request: UpstreamRequest, filterHead: (headers: RawHeaders) => RawHeaders, host: TunnelHost) {
    this.#exchange = exchange;
    this.#active = active;
    this.#request = request;
    this.#pick = pick;
    this.#host = host;
    this.#filterHead = filterHead;
    const { socket, head } = upgrade.take();
    this.#socket = socket as Socket;
    this.#early = head;
  }

  open(): void {
    this.#host.tunnels.add(this);
    this.#try();
  }

  goAway(): void {
    this.#tunnel?.close(GOING_AWAY);
  }

  destroy(): void {
    this.#tunnel?.destroy();
  }

  onHead(status: number, rawHeaders: RawHeaders, switched: boolean): RawHeaders {
    const exchange = this.#exchange;
    const attempt = exchange.attempts.at(-1);
    if (attempt !== undefined) {
      attempt.status = status;
      attempt.elapsedMs = performance.now() - this.#startedAt;
    }
    exchange.status = status;
    const headers = switched ? rawHeaders : responseFields(rawHeaders);
    return this.#filterHead(headers);
  }

  onClose(bytesIn: number, bytesOut: number, error: ProxyError | undefined): void {
    if (error !== undefined) this.#exchange.reason = error.reason;
    this.#pick.settle('success', this.#exchange.attempts.at(-1)?.elapsedMs ?? 0);
    this.#end(bytesIn, bytesOut);
  }

  onError(error: ProxyError): void {
    const exchange = this.#exchange;
    const attempt = exchange.attempts.at(-1);
    if (attempt !== undefined) {
      attempt.error = error.reason;
      attempt.elapsedMs = performance.now() - this.#startedAt;
    }
    this.#pick.settle(outcomeOf(error), performance.now() - this.#startedAt);
    if (error.side === 'upstream' && error.retry !== 'no' && exchange.attempts.length < ATTEMPTS) {
      const next = this.#active.balancer.pick(undefined, exchange.attempts.map(({ endpoint }) => endpoint));
      if (next !== undefined) {
        this.#pick = next;
        this.#startedAt = performance.now();
        exchange.attempts.push({ endpoint: next.endpoint, startedAt: this.#startedAt });
        this.#try();
        return;
      }
    }
    exchange.status = error.status;
    exchange.reason = error.reason;
    this.#answer(error);
    this.#end(0, 0);
  }

  #try(): void {
    const { method, target, authority, headers, timeouts } = this.#request;
    this.#tunnel = this.#host.tunnels.open(
      this.#active.cluster,
      this.#pick.endpoint,
      { method, target, headers: ['Host', authority, ...headers], socket: this.#socket, head: this.#early, timeouts },
      this,
    );
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
    this.#host.finished(this.#exchange, bytesIn, bytesOut);
  }
}
