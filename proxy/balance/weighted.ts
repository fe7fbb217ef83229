// Smooth weighted choice between the clusters of one route: with weights 5, 1, 1 it gives a a b a c a a and not
// a a a a a b c. The algorithm is nginx's ("smooth weighted round-robin"): every choice adds each weight to its current
// value, takes the highest and subtracts the sum of all from that one.
import type { WeightedCluster } from '../table/route.ts';

export interface Weighted {
  /** Place of the next choice in the list of weights; -1: every weight is 0. */
  next(): number;
}

/** `weights`: whole numbers, 0 and more. */
export function smoothWeighted(weights: readonly number[]): Weighted {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const current = weights.map(() => 0);
  return {
    next() {
      let best = -1;
      for (let at = 0; at < weights.length; at++) {
        const weight = weights[at] ?? 0;
        if (weight <= 0) continue;
        const value = (current[at] ?? 0) + weight;
        current[at] = value;
        if (best < 0 || value > (current[best] ?? 0)) best = at;
      }
      if (best >= 0) current[best] = (current[best] ?? 0) - total;
      return best;
    },
  };
}

/** By the list that a route holds: a swap that keeps the route keeps its place in the sequence too. */
const sequences = new WeakMap<readonly WeightedCluster[], Weighted>();

/** Name of the cluster that the next request of this route goes to; undefined: every weight is 0. */
export function pickCluster(clusters: readonly WeightedCluster[]): string | undefined {
  let sequence = sequences.get(clusters);
  if (sequence === undefined) {
    sequence = smoothWeighted(clusters.map(({ weight }) => weight));
    sequences.set(clusters, sequence);
  }
  return clusters[sequence.next()]?.cluster;
}
