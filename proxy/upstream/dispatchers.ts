// All pools of a worker: made when the first request needs one, kept by use, dropped when idle for a minute, when there
// are too many, and when the table no longer has the endpoint. Dropping is graceful: requests under way finish.
import { LRUCache } from 'lru-cache';
import type { Cluster, Endpoint } from '../table/cluster.ts';
import type { Snapshot } from '../table/snapshot.ts';
import { Connector } from './connector.ts';
import { EndpointPool } from './http1/endpoint-pool.ts';
import type { PoolLimits } from './http1/endpoint-pool.ts';
import { Http2Pool } from './http2/pool.ts';
import type { Http2Limits } from './http2/pool.ts';

export interface DispatcherOptions extends PoolLimits, Http2Limits {
  /** Longest wait for a place in the queue of a pool; absent: as long as a connection of the cluster may take, as in the waiting room. */
  readonly maxWaitMs?: number;
  /** A pool without requests for this long is dropped. */
  readonly idleMs: number;
  /** Most pools at a time; the one that was not used for longest goes first. */
  readonly maxPools: number;
}

export const DEFAULT_DISPATCHER_OPTIONS: DispatcherOptions = {
  maxConnections: 1024,
  maxWaiting: 1024,
  keepAliveMs: 4_000,
  maxHeadBytes: 32 * 1024,
  maxLines: 32,
  maxStreams: 100,
  lineIdleMs: 60_000,
  pingAfterMs: 20_000,
  pingTimeoutMs: 10_000,
  idleMs: 60_000,
  maxPools: 4096,
};

/**
 * Pools behind balancers that give out so many places at an endpoint. Theirs is the one limit, and the waiting room before them the one queue: whatever
 * comes here has its place. A second limit of the same size would not be the same: an answer that is held while another endpoint is asked has given its
 * place back, but not its connection, and two requests could wait for each other. What still waits in a pool is what the endpoint itself keeps
 * waiting, by granting fewer streams of HTTP/2 than it may have requests.
 */
export function behindBalancers(endpointRequests: number): Partial<DispatcherOptions> {
  const { maxStreams, maxLines } = DEFAULT_DISPATCHER_OPTIONS;
  return { maxConnections: Number.MAX_SAFE_INTEGER, maxWaiting: Number.MAX_SAFE_INTEGER, maxLines: Math.max(maxLines, Math.ceil(endpointRequests / maxStreams)) };
}

export interface DispatcherStats {
  readonly pools: number;
  /** Established connections, those of upgrades included. */
  readonly connections: number;
  /** Requests under way and waiting for a connection. */
  readonly active: number;
  readonly waiting: number;
}

/** How long a pool may be used without its place among the others being looked at. */
const TOUCH_MS = 1_000;

type AnyPool = EndpointPool | Http2Pool;
type KindOf<P extends AnyPool> = new (cluster: Cluster, endpoint: Endpoint, profile: string, connector: Connector, options: DispatcherOptions) => P;

type Table = Pick<Snapshot, 'clusters' | 'endpoints' | 'certificates'>;

export class Dispatchers {
  readonly options: DispatcherOptions;
  readonly connector = new Connector();
  readonly #pools: LRUCache<string, AnyPool>;
  /** The pool that an endpoint object had last: spares making the key for every request. */
  readonly #known = new WeakMap<Endpoint, AnyPool>();
  /** Name of a cluster → keys of its pools. */
  readonly #keys = new Map<string, Set<string>>();
  /** Dropped, but not closed yet. */
  readonly #closing = new Set<AnyPool>();
  readonly #sweeper: NodeJS.Timeout;

  constructor(options: Partial<DispatcherOptions> = {}) {
    this.options = { ...DEFAULT_DISPATCHER_OPTIONS, ...options };
    this.#pools = new LRUCache({ max: this.options.maxPools, disposeAfter: (pool, key, reason) => this.#drop(pool, reason === 'set' ? undefined : key) });
    this.#sweeper = setInterval(() => this.#sweep(), this.options.idleMs / 2).unref();
  }

  /** The pool of an endpoint under the present connection settings of its cluster, which speaks HTTP/1.1. */
  pool(cluster: Cluster, endpoint: Endpoint): EndpointPool {
    return this.#pool(EndpointPool, cluster, endpoint);
  }

  /** The same for a cluster that speaks HTTP/2. */
  http2Pool(cluster: Cluster, endpoint: Endpoint): Http2Pool {
    return this.#pool(Http2Pool, cluster, endpoint);
  }

  #pool<P extends AnyPool>(Kind: KindOf<P>, cluster: Cluster, endpoint: Endpoint): P {
    const last = this.#known.get(endpoint);
    // Once a second is often enough to say that a pool is in use.
    if (last instanceof Kind && last.cluster === cluster && last.usedAt - last.touchedAt < TOUCH_MS) return last;
    const pool = this.#find(Kind, cluster, endpoint);
    pool.touchedAt = pool.usedAt;
    this.#known.set(endpoint, pool);
    return pool;
  }

  #find<P extends AnyPool>(Kind: KindOf<P>, cluster: Cluster, endpoint: Endpoint): P {
    const key = `${cluster.name} ${addressOf(endpoint)}`;
    const known = this.#pools.get(key);
    if (known instanceof Kind) {
      if (known.cluster === cluster) return known;
      if (known.profile === profileOf(cluster)) {
        known.cluster = cluster;
        return known;
      }
    }
    const pool = new Kind(cluster, endpoint, profileOf(cluster), this.connector, this.options);
    this.#pools.set(key, pool);
    const keys = this.#keys.get(cluster.name);
    if (keys === undefined) this.#keys.set(cluster.name, new Set([key]));
    else keys.add(key);
    return pool;
  }

  /**
   * Takes over a new table: drops the pools of endpoints that left or are terminating and of clusters that left or are
   * connected to in another way now. `touched`: the clusters that may have changed; all of them if it is left out.
   */
  retain(table: Table, touched: Iterable<string> = [...this.#keys.keys()]): void {
    this.connector.certificates = table.certificates;
    for (const name of touched) {
      const keys = this.#keys.get(name);
      if (keys === undefined) continue;
      const cluster = table.clusters[name];
      const addresses = new Set((table.endpoints[name] ?? []).filter((endpoint) => !endpoint.terminating).map(addressOf));
      for (const key of keys) {
        const pool = this.#pools.peek(key);
        const stays = pool !== undefined && cluster !== undefined && profileOf(cluster) === pool.profile && addresses.has(addressOf(pool.endpoint));
        if (!stays) this.#pools.delete(key);
      }
    }
  }

  stats(): DispatcherStats {
    let active = 0;
    let waiting = 0;
    for (const pool of [...this.#pools.values(), ...this.#closing]) {
      active += pool.active;
      waiting += pool.waiting;
    }
    return { pools: this.#pools.size + this.#closing.size, connections: this.connector.open, active, waiting };
  }

  /** Resolves when every request has ended and every connection is closed. */
  async close(): Promise<void> {
    clearInterval(this.#sweeper);
    this.#pools.clear();
    await Promise.all([...this.#closing].map((pool) => pool.close()));
  }

  /** Cuts everything; requests under way fail. */
  async destroy(): Promise<void> {
    clearInterval(this.#sweeper);
    this.#pools.clear();
    await Promise.all([...this.#closing].map((pool) => pool.destroy()));
  }

  /** `key`: nothing takes its place. */
  #drop(pool: AnyPool, key: string | undefined): void {
    if (key !== undefined) this.#forget(pool.cluster.name, key);
    pool.touchedAt = Number.NEGATIVE_INFINITY;
    this.#closing.add(pool);
    void pool.close().then(() => this.#closing.delete(pool));
  }

  #forget(cluster: string, key: string): void {
    const keys = this.#keys.get(cluster);
    keys?.delete(key);
    if (keys?.size === 0) this.#keys.delete(cluster);
  }

  #sweep(): void {
    const idleSince = performance.now() - this.options.idleMs;
    for (const [key, pool] of this.#pools) {
      if (pool.active === 0 && pool.waiting === 0 && pool.usedAt <= idleSince) this.#pools.delete(key);
    }
  }
}

function addressOf(endpoint: Endpoint): string {
  return `${endpoint.address}:${endpoint.port}`;
}

const profiles = new WeakMap<Cluster, string>();

/** Clusters with equal profiles connect in the same way. */
function profileOf(cluster: Cluster): string {
  let profile = profiles.get(cluster);
  if (profile === undefined) {
    profile = JSON.stringify([cluster.protocol, cluster.connectTimeoutMs, cluster.tls ?? null]);
    profiles.set(cluster, profile);
  }
  return profile;
}
