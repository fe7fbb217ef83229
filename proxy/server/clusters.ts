// The clusters of the table as a worker uses them: each with its balancer, made when the first request needs it and kept
// across swaps for as long as the cluster itself does not change.
import type { Balancer } from '../balance/balancer.ts';
import { createBalancer } from '../balance/create.ts';
import type { Cluster } from '../table/cluster.ts';
import type { Snapshot } from '../table/snapshot.ts';

export interface ActiveCluster {
  readonly cluster: Cluster;
  readonly balancer: Balancer;
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
    const active = { cluster, balancer: createBalancer(cluster.loadBalancer, this.#snapshot.endpoints[name] ?? []) };
    this.#active.set(name, active);
    return active;
  }

  /** Takes over a new table; balancers of clusters that stay are told of their endpoints. */
  swap(snapshot: Pick<Snapshot, 'clusters' | 'endpoints'>): void {
    const before = this.#snapshot;
    this.#snapshot = snapshot;
    for (const [name, active] of this.#active) {
      const cluster = snapshot.clusters[name];
      if (cluster !== active.cluster) this.#active.delete(name);
      else if (snapshot.endpoints[name] !== before.endpoints[name]) active.balancer.update(snapshot.endpoints[name] ?? []);
    }
  }
}
