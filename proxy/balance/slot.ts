// What a balancer remembers of one endpoint. A slot lives as long as its address and port stay in the cluster, so that
// counts, latencies and failures survive changes to other endpoints.
import type { Endpoint } from '../table/cluster.ts';

/** Mutable; `health.ts` owns the failure fields, `ewma.ts` the latency fields, `create.ts` the rest. */
export interface Slot {
  /** `address:port`. */
  readonly key: string;
  endpoint: Endpoint;
  /** True: takes new requests by its conditions (eligible.ts). */
  eligible: boolean;
  /** Requests under way, in this worker. */
  inFlight: number;
  failuresInRow: number;
  /** Clock time until which it is ejected; 0: it is not. */
  ejectedUntil: number;
  /** How long the last ejection was; 0: there was none since the last success. */
  ejectionMs: number;
  /** Decayed peak latency in milliseconds; undefined: nothing measured yet. */
  latencyMs: number | undefined;
  latencyAt: number;
}

export function slotKey(endpoint: Endpoint): string {
  return `${endpoint.address}:${endpoint.port}`;
}

export function newSlot(key: string, endpoint: Endpoint): Slot {
  return {
    key,
    endpoint,
    eligible: false,
    inFlight: 0,
    failuresInRow: 0,
    ejectedUntil: 0,
    ejectionMs: 0,
    latencyMs: undefined,
    latencyAt: 0,
  };
}
