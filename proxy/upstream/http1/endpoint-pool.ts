// The connections to one endpoint, the number of requests under way there, and a bounded queue before it. Our own client has
// them where it is clear text, an undici Pool where it is TLS; but whatever has a body is ours in both cases: undici can neither
// ask for 100-continue, nor bear a 100 that it did not ask for, nor hear an answer that came before the connection broke under
// what it was writing.
// undici's own queue has no bound and no clock, and a request that is cancelled stays in it; so nothing is given to the
// Pool that it could not start at once.
import { Pool } from 'undici';
import type { Client, Dispatcher } from 'undici';
import type { Cluster, Endpoint } from '../../table/cluster.ts';
import type { Connector, SessionStore } from '../connector.ts';
import { guardedClient } from './guarded-client.ts';
import type { Carried, Open } from './guarded-client.ts';
import { Http1Client } from './client.ts';

export interface PoolLimits {
  /** Connections to one endpoint, which is also the number of requests under way there. */
  readonly maxConnections: number;
  /** Requests waiting for a connection to one endpoint. */
  readonly maxWaiting: number;
  /** Idle connections are closed after this time; a shorter `Keep-Alive: timeout` of the endpoint wins. */
  readonly keepAliveMs: number;
  /** Largest response head in bytes. */
  readonly maxHeadBytes: number;
}

export interface PoolRequest extends Carried {
  readonly options: Dispatcher.DispatchOptions;
}

/** For endpoints that speak TLS. undici only sees this origin: where to connect, and under which name, is the connector's business alone. */
function undiciPool(open: Open, limits: PoolLimits): Pool {
  return new Pool('https://endpoint', {
    connections: limits.maxConnections,
    factory: (origin, options) => guardedClient(origin, options as Client.Options, open),
    // Replaced by the factory; without it the Pool would build a connector of its own.
    connect: () => {},
    allowH2: false,
    pipelining: 1,
    keepAliveTimeout: limits.keepAliveMs,
    keepAliveMaxTimeout: limits.keepAliveMs,
    keepAliveTimeoutThreshold: 1_000,
    maxHeaderSize: limits.maxHeadBytes,
    // Timeouts are the call's own: undici's are coarse, and do not stop while the client is slow.
    headersTimeout: 0,
    bodyTimeout: 0,
  });
}

export class EndpointPool implements SessionStore {
  /** As the table last had it; the same connections serve as long as `profile` does not change. */
  cluster: Cluster;
  readonly endpoint: Endpoint;
  readonly profile: string;
  /** `performance.now()` of the end of the last request. */
  usedAt = performance.now();
  /** `usedAt` when it was last looked up among all pools; kept by `Dispatchers`. */
  touchedAt = Number.NEGATIVE_INFINITY;
  session: Buffer | undefined;
  readonly #limits: PoolLimits;
  /** For requests with a body. */
  readonly #uploads: Http1Client;
  /** For all others; perhaps the same. */
  readonly #pool: Dispatcher;
  readonly #waiting = new Set<PoolRequest>();
  #active = 0;
  #closed: Promise<void> | undefined;

  constructor(cluster: Cluster, endpoint: Endpoint, profile: string, connector: Connector, limits: PoolLimits) {
    this.cluster = cluster;
    this.endpoint = endpoint;
    this.profile = profile;
    this.#limits = limits;
    const open: Open = (connected) => connector.connect(this.cluster, endpoint, connected, this);
    this.#uploads = new Http1Client({ open, keepAliveMs: limits.keepAliveMs, maxHeadBytes: limits.maxHeadBytes });
    this.#pool = cluster.tls === undefined ? this.#uploads : undiciPool(open, limits);
  }

  get active(): number {
    return this.#active;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** `started`: given to a connection or to one that is being made; `waiting`: in the queue; `full`: not taken. */
  submit(request: PoolRequest): 'started' | 'waiting' | 'full' {
    if (this.#active < this.#limits.maxConnections || this.#closed !== undefined) {
      this.#start(request);
      return 'started';
    }
    if (this.#waiting.size >= this.#limits.maxWaiting) return 'full';
    this.#waiting.add(request);
    return 'waiting';
  }

  /** True: the request was waiting, and no longer is. */
  withdraw(request: PoolRequest): boolean {
    return this.#waiting.delete(request);
  }

  /** A started request has ended: called exactly once for each. */
  release(): void {
    this.#active--;
    this.usedAt = performance.now();
    for (const next of this.#waiting) {
      this.#waiting.delete(next);
      this.#start(next);
      break;
    }
  }

  /** Closes idle connections now and the others when their requests have ended; what waits is still served. */
  close(): Promise<void> {
    if (this.#closed === undefined) {
      for (const request of this.#waiting) this.#start(request);
      this.#waiting.clear();
      this.#closed = Promise.all([this.#pool.close(), this.#uploads.close()]).then(() => {});
    }
    return this.#closed;
  }

  /** Cuts everything. */
  async destroy(): Promise<void> {
    await Promise.all([this.#pool.destroy(), this.#uploads.destroy()]);
  }

  #start(request: PoolRequest): void {
    this.#active++;
    const client = request.options.body === undefined ? this.#pool : this.#uploads;
    client.dispatch(request.options, request);
  }
}
