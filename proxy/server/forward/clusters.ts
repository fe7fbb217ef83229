// The clusters of the table as a worker uses them: each with its balancer, made when the first request needs it and kept
// across swaps for as long as the cluster itself does not change.
import type { Balancer } from '../../balance/balancer.ts';
import { createBalancer } from '../../balance/create.ts';
import { RetryBudget } from '../../balance/retry-budget.ts';
import type { Cluster, Endpoint } from '../../table/cluster.ts';
import type { WorkerForwarding } from '../../table/messages.ts';
import type { Snapshot } from '../../table/snapshot.ts';
import { compileKey } from './key-text.ts';
import type { KeyText } from './key-text.ts';
import { Shares } from './shares.ts';
import { Stalled } from './stalled.ts';
import { WaitingRoom } from './waiting-room.ts';

export interface ActiveCluster {
  readonly cluster: Cluster;
  readonly balancer: Balancer;
  readonly budget: RetryBudget;
  readonly waiting: WaitingRoom;
  readonly stalled: Stalled;
  readonly shares: Shares;
  /** Undefined: its balancer needs no key. */
  readonly hashKey: KeyText | undefined;
  /** What the balancer was told last. */
  endpoints: readonly Endpoint[];
}

export type ClusterLimits = Pick<WorkerForwarding, 'endpointRequests' | 'waitingRequests'>;

export class Clusters {
  #snapshot: Pick<Snapshot, 'clusters' | 'endpoints'>;
  readonly #limits: ClusterLimits;
  readonly #active = new Map<string, ActiveCluster>();

  constructor(snapshot: Pick<Snapshot, 'clusters' | 'endpoints'>, limits: ClusterLimits) {
    this.#snapshot = snapshot;
    this.#limits = limits;
  }

  /** Undefined: the table has no such cluster. */
  get(name: string): ActiveCluster | undefined {
    const known = this.#active.get(name);
    if (known !== undefined) return known;
    const cluster = this.#snapshot.clusters[name];
    if (cluster === undefined) return undefined;
    const endpoints = this.#snapshot.endpoints[name] ?? NO_ENDPOINTS;
    const { loadBalancer } = cluster;
    const balancer = createBalancer(loadBalancer, endpoints, undefined, { maxInFlight: this.#limits.endpointRequests });
    const stalled = new Stalled();
    const active: ActiveCluster = {
      cluster,
      balancer,
      budget: new RetryBudget(),
      waiting: new WaitingRoom(balancer, stalled, this.#limits.waitingRequests),
      stalled,
      shares: new Shares(),
      hashKey: loadBalancer.type === 'ConsistentHash' ? compileKey(loadBalancer.key) : undefined,
      endpoints,
    };
    this.#active.set(name, active);
    return active;
  }

  /** Takes over a new table. */
  swap(snapshot: Pick<Snapshot, 'clusters' | 'endpoints'>): void {
    this.#snapshot = snapshot;
    this.changed(this.#active.keys());
  }

  /** These clusters, or their endpoints, may have changed; balancers of clusters that stay are told of their endpoints. */
  changed(names: Iterable<string>): void {
    for (const name of names) {
      const active = this.#active.get(name);
      if (active === undefined) continue;
      const endpoints = this.#snapshot.endpoints[name] ?? NO_ENDPOINTS;
      if (this.#snapshot.clusters[name] !== active.cluster) this.#active.delete(name);
      else if (endpoints !== active.endpoints) {
        active.endpoints = endpoints;
        active.balancer.update(endpoints);
      }
    }
  }
}

const NO_ENDPOINTS: readonly Endpoint[] = [];
