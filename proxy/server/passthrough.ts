// A TLS connection that is passed on as it is: bytes of the client to an endpoint and back, unread. The first of them, by
// which it was recognised, are still in the socket.
import type { Socket } from 'node:net';
import type { Pick } from '../balance/balancer.ts';
import type { Cluster, Endpoint } from '../table/cluster.ts';
import type { Connector } from '../upstream/connector.ts';
import type { ConnectError } from '../upstream/errors.ts';
import type { ActiveCluster } from './forward/clusters.ts';
import type { Connection, ServerContext } from './context.ts';

const ATTEMPTS = 3;
const KEEP_ALIVE_PROBE_MS = 60_000;
/** A fatal alert: internal_error (RFC 8446 §6.2). It says more than a closed connection. */
const ALERT = Buffer.from([21, 3, 3, 0, 2, 2, 80]);

/** Where connections that are open are known. */
type Registry = { readonly [Name in 'opened' | 'closed']: ServerContext[Name] };

export class Passthrough implements Connection {
  readonly #socket: Socket;
  readonly #active: ActiveCluster;
  readonly #connector: Connector;
  readonly #context: Registry;
  readonly #tried: Endpoint[] = [];
  #upstream: Socket | undefined;
  #over = false;

  constructor(socket: Socket, active: ActiveCluster, connector: Connector, context: Registry) {
    this.#socket = socket;
    this.#active = active;
    this.#connector = connector;
    this.#context = context;
    socket.setKeepAlive(true, KEEP_ALIVE_PROBE_MS);
    socket.on('close', () => this.#end());
    context.opened(this);
    this.#try();
  }

  /** Whose bytes are not understood cannot be told to go: the connection lives until it is cut. */
  drain(): void {}

  destroy(): void {
    this.#socket.destroy();
    this.#upstream?.destroy();
  }

  #try(): void {
    const pick = this.#tried.length < ATTEMPTS ? this.#active.balancer.pick(undefined, this.#tried) : undefined;
    if (pick === undefined) {
      this.#socket.end(ALERT);
      this.#socket.destroySoon();
      return;
    }
    this.#tried.push(pick.endpoint);
    const startedAt = performance.now();
    this.#connector.connect(clearText(this.#active.cluster), pick.endpoint, (error, upstream) => this.#connected(pick, startedAt, error, upstream));
  }

  #connected(pick: Pick, startedAt: number, error: ConnectError | null, upstream: Socket | null): void {
    if (upstream === null) {
      pick.settle(error?.reason === 'UpstreamConnectionTimeout' ? 'timeout' : 'refused', performance.now() - startedAt);
      if (!this.#over) this.#try();
      return;
    }
    const elapsedMs = performance.now() - startedAt;
    this.#upstream = upstream;
    upstream.on('close', () => {
      pick.settle('success', elapsedMs);
      this.#socket.destroySoon();
    });
    if (this.#over) {
      upstream.destroy();
      return;
    }
    this.#socket.pipe(upstream);
    upstream.pipe(this.#socket);
  }

  #end(): void {
    this.#over = true;
    this.#upstream?.destroy();
    this.#context.closed(this);
  }
}


const clearTexts = new WeakMap<Cluster, Cluster>();

/** The same endpoints, to which the connection itself brings the encryption. */
function clearText(cluster: Cluster): Cluster {
  if (cluster.tls === undefined) return cluster;
  let clear = clearTexts.get(cluster);
  if (clear === undefined) {
    const { tls: _tls, ...others } = cluster;
    clear = others;
    clearTexts.set(cluster, clear);
  }
  return clear;
}
