// Endpoints, clocks and randomness for balancer tests.
import type { Pick } from '../../../proxy/balance/balancer.ts';
import type { Endpoint } from '../../../proxy/table/cluster.ts';

export function endpoint(nth: number): Endpoint {
  return { address: `e${nth}`, port: 8080, ready: true, serving: true, terminating: false };
}

export function cluster(size: number): Endpoint[] {
  return Array.from({ length: size }, (_, nth) => endpoint(nth + 1));
}

/** Picks by address. */
export function spread(picks: readonly (Pick | undefined)[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const pick of picks) {
    if (pick === undefined) continue;
    counts[pick.endpoint.address] = (counts[pick.endpoint.address] ?? 0) + 1;
  }
  return counts;
}

/** A repeatable `Math.random` (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
}
