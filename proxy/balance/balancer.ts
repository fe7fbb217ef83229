// The seam of load balancing: a Balancer holds the endpoints of one cluster and picks one per attempt. Picks are told how
// they ended (`settle`), which is what counts requests in flight, latencies and failures.
import type { Endpoint } from '../table/cluster.ts';

/** How an attempt ended, as far as balancing and passive health care. */
export type Outcome = 'success' | 'failure' | 'refused' | 'timeout' | 'cancelled';

export interface Pick {
  readonly endpoint: Endpoint;
  /** Called once, when the attempt is over. */
  settle(outcome: Outcome, elapsedMs: number): void;
}

export interface Balancer {
  /** New membership. State of endpoints that stay (same address and port) is kept. */
  update(endpoints: readonly Endpoint[]): void;
  /** `hashKey`: for hashing and affinity, else undefined. `tried`: endpoints that this request must not get again. Undefined: none can take it. */
  pick(hashKey: string | undefined, tried: readonly Endpoint[]): Pick | undefined;
}
