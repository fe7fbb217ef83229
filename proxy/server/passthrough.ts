// A TLS connection that is passed on as it is: bytes of the client to an endpoint and back, unread. The first of them, by
// which it was recognised, are still in the socket. It lasts as long as bytes go one way or the other; a client that does not
// take what waits for it loses it sooner, for while its endpoint is stopped nobody would notice that the endpoint has gone.
import type { Socket } from 'node:net';
import type { Pick as Picked } from '../balance/balancer.ts';
import type { Passage } from '../observe/observer.ts';
import type { Cluster, Endpoint } from '../table/cluster.ts';
import type { Expiring } from '../time/deadlines.ts';
import type { Connector } from '../upstream/connector.ts';
import type { ConnectError } from '../upstream/errors.ts';
import type { ActiveCluster } from './forward/clusters.ts';
import type { Connection, ServerContext } from './context.ts';
import { endAndLinger } from './linger.ts';

const ATTEMPTS = 3;
const KEEP_ALIVE_PROBE_MS = 60_000;
/** What the client has to go when its endpoint has gone, once it has taken everything. */
const LINGER_MS = 2_000;
/** A fatal alert: internal_error (RFC 8446 §6.2). It says more than a closed connection. */
const ALERT = Buffer.from([21, 3, 3, 0, 2, 2, 80]);

type About = Pick<Passage, 'client' | 'serverName' | 'cluster' | 'origin'>;

/** Where connections that are open are known, and what they may take. */
type Registry = Pick<ServerContext, 'opened' | 'closed' | 'passed' | 'deadlines' | 'limits'>;

/** The worker has cut it at the end of its drain. */
export const DRAIN_TIMEOUT = 'DrainTimeout';

export class Passthrough implements Connection, Expiring {
  deadlineAt = 0;
  wheelTurn = 0;
  wheelPlace = 0;
  readonly #socket: Socket;
  readonly #active: ActiveCluster;
  readonly #connector: Connector;
  readonly #context: Registry;
  readonly #about: About;
  readonly #startedAt = performance.now();
  readonly #tried: Endpoint[] = [];
  #upstream: Socket | undefined;
  #failure: string | undefined;
  /** Whose word came first. */
  #end: Pick<Passage, 'endedBy' | 'reason'> | undefined;
  /** Bytes wait for the client. */
  #stalled = false;
  /** The client's is the only side that is left. */
  #leaving = false;
  #over = false;

  constructor(socket: Socket, active: ActiveCluster, connector: Connector, context: Registry, about: About) {
    this.#about = about;
    this.#socket = socket;
    this.#active = active;
    this.#connector = connector;
    this.#context = context;
    socket.setKeepAlive(true, KEEP_ALIVE_PROBE_MS);
    socket.on('end', () => this.#endedBy('client'));
    socket.on('drain', this.#taken);
    socket.on('finish', this.#taken);
    socket.on('close', () => this.#closed());
    context.opened(this);
    this.#try();
  }

  /** Whose bytes are not understood cannot be told to go: the connection lives until it is cut. */
  drain(): void {}

  destroy(): void {
    this.#endedBy('proxy', DRAIN_TIMEOUT);
    this.#socket.destroy();
    this.#upstream?.destroy();
  }

  onDeadline(): void {
    if (!this.#leaving) this.#endedBy('proxy', this.#stalled ? 'DownstreamWriteTimeout' : 'StreamIdleTimeout');
    this.#socket.destroy();
  }

  #try(): void {
    const pick = this.#tried.length < ATTEMPTS ? this.#active.balancer.pick(undefined, this.#tried) : undefined;
    if (pick === undefined) {
      this.#endedBy('proxy', this.#failure ?? this.#active.balancer.shortage() ?? 'NoHealthyUpstream');
      this.#socket.write(ALERT);
      this.#leave();
      return;
    }
    this.#tried.push(pick.endpoint);
    const startedAt = performance.now();
    this.#connector.connect(clearText(this.#active.cluster), pick.endpoint, (error, upstream) => this.#connected(pick, startedAt, error, upstream));
  }

  #connected(pick: Picked, startedAt: number, error: ConnectError | null, upstream: Socket | null): void {
    if (upstream === null) {
      pick.settle(error?.reason === 'UpstreamConnectionTimeout' ? 'timeout' : 'refused', performance.now() - startedAt);
      this.#failure = error?.reason;
      if (!this.#over) this.#try();
      return;
    }
    const elapsedMs = performance.now() - startedAt;
    this.#upstream = upstream;
    upstream.on('end', () => this.#endedBy('endpoint'));
    upstream.on('close', () => {
      this.#endedBy('endpoint');
      pick.settle('success', elapsedMs);
      this.#leave();
    });
    if (this.#over) {
      upstream.destroy();
      return;
    }
    this.#socket.pipe(upstream);
    upstream.pipe(this.#socket);
    // After `pipe`, so that a chunk has been passed on when it is looked at.
    this.#socket.on('data', this.#moved);
    upstream.on('data', this.#moved);
    this.#moved();
  }

  /** Bytes have gone one way or the other. While some wait for the client, those that it sends give it no more time. */
  readonly #moved = (): void => {
    if (this.#stalled || this.#leaving) return;
    const { deadlines, limits } = this.#context;
    this.#stalled = this.#socket.writableNeedDrain;
    const ms = this.#stalled ? limits.writeStallMs : limits.passthroughIdleMs;
    if (ms > 0) deadlines.set(this, ms);
    else deadlines.clear(this);
  };

  readonly #taken = (): void => {
    this.#stalled = false;
    this.#moved();
  };

  /** There is no endpoint, or none any more: the client gets what was written, and goes. */
  #leave(): void {
    if (this.#over) return;
    this.#leaving = true;
    endAndLinger(this.#socket, this, this.#context, LINGER_MS);
    this.#socket.resume();
  }

  #endedBy(endedBy: Passage['endedBy'], reason = ''): void {
    this.#end ??= { endedBy, reason };
  }

  #closed(): void {
    this.#over = true;
    this.#context.deadlines.clear(this);
    this.#endedBy('client');
    this.#upstream?.destroy();
    this.#context.closed(this);
    const { bytesWritten: bytesIn } = this.#upstream ?? { bytesWritten: 0 };
    this.#context.passed({ ...this.#about, endpoint: this.#tried.at(-1), bytesIn, bytesOut: this.#socket.bytesWritten, elapsedMs: performance.now() - this.#startedAt, ...this.#end! });
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
