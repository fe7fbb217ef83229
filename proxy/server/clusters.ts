// The clusters of the table as a worker uses them: each with its balancer, made when the first request needs it and kept
// across swaps for as long as the cluster itself does not change.
import type { Balancer } from '../balance/balancer.ts';
import { createBalancer } from '../balance/create.ts';
import type { Cluster, Endpoint } from '../table/cluster.ts';
import type { Snapshot } from '../table/snapshot.ts';

export interface ActiveCluster {
  readonly cluster: Cluster;
  readonly balancer: Balancer;
  /** What the balancer was told last. */
  endpoints: readonly Endpoint[];
}

export class Clusters {
  #snapshot: Pick<Snapshot, 'clusters' | 'endpoints'>;
  readonly #active = new Map<string, ActiveCluster>();

  constructor(snapshot: Pick<Snapshot, 'clusters' | 'endpoints'>) {
    this.#snapshot = snapshot;
  }

  /** Undefined: the table has no such cluster. */
  get(name: string): ActiveCluster | undefined {
    const known = this.#active.get(name);
    if (known !== undefined) return known;
    const cluster = this.#snapshot.clusters[name];
    if (cluster === undefined) return undefined;
    const endpoints = this.#snapshot.endpoints[name] ?? NO_ENDPOINTS;
    const active = { cluster, balancer: createBalancer(cluster.loadBalancer, endpoints), endpoints };
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
