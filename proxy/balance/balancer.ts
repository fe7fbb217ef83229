// The seam of load balancing: a Balancer holds the endpoints of one cluster and picks one per attempt. Picks are told how
// they ended (`settle`), which is what counts requests in flight, latencies and failures.
import type { Endpoint } from '../table/cluster.ts';

/** How an attempt ended, as far as balancing and passive health care. */
export type Outcome = 'success' | 'failure' | 'refused' | 'timeout' | 'cancelled';

export interface Pick {
  readonly endpoint: Endpoint;
  /**
   * Called once, when the attempt is over. `elapsedMs` is the time until the response head (or the failure), so that a
   * long stream does not count as a slow endpoint.
   */
  settle(outcome: Outcome, elapsedMs: number): void;
}

/** Why no endpoint was picked: there is none that serves and was not tried, or all of those have as many requests under way as they may. */
export type Shortage = 'NoHealthyUpstream' | 'UpstreamOverflow';

export interface Balancer {
  /** New membership. State of endpoints that stay (same address and port) is kept. */
  update(endpoints: readonly Endpoint[]): void;
  /** `hashKey`: for hashing and affinity, else undefined. `tried`: endpoints that this request must not get again. Undefined: none can take it. */
  pick(hashKey: string | undefined, tried: readonly Endpoint[]): Pick | undefined;
  /** Picks this very endpoint if it takes requests (session affinity); undefined: it is gone, ejected or full. */
  take(endpoint: Endpoint): Pick | undefined;
  /** True: it is one of those that get requests, though perhaps not just now, for it is ejected or full. */
  has(endpoint: Endpoint): boolean;
  /** Why `pick` with these tried, or with nothing tried, gives nothing just now; undefined: it would give something. */
  shortage(tried?: readonly Endpoint[]): Shortage | undefined;
  /** Requests that could be under way beside those that are, at endpoints that are not ejected. */
  readonly free: number;
  /** Set by whoever waits for a place: a pick was settled, or the membership changed. */
  onRoom: (() => void) | undefined;
}
