// What choosing an endpoint costs, by algorithm and number of endpoints: it should hardly depend on their number. Run with
// `node --expose-gc test/bench/balance.ts`; figures are medians of several rounds.
import { createBalancer } from '../../proxy/balance/create.ts';
import type { Endpoint, LoadBalancer } from '../../proxy/table/cluster.ts';

const ROUNDS = 9;
const PICKS = 100_000;
const KEY = [{ type: 'Path' }] as const;
const SIZES = [3, 10, 100, 1_000] as const;
const SPECS: readonly (readonly [string, LoadBalancer])[] = [
  ['round robin', { type: 'RoundRobin' }],
  ['least request', { type: 'LeastRequest' }],
  ['peak EWMA', { type: 'PeakEwma' }],
  ['consistent hash', { type: 'ConsistentHash', key: KEY }],
  ['consistent hash, subset of 3', { type: 'ConsistentHash', key: KEY, subsetSize: 3 }],
];

function endpoints(count: number): Endpoint[] {
  return Array.from({ length: count }, (_, nth) => ({ address: `10.0.${nth >> 8}.${nth & 255}`, port: 8080, ready: true, serving: true, terminating: false }));
}

function median(rounds: number, work: () => number): number {
  const figures: number[] = [];
  for (let round = 0; round < rounds + 2; round++) {
    globalThis.gc?.();
    const figure = work();
    if (round >= 2) figures.push(figure);
  }
  return figures.sort((a, b) => a - b)[rounds >> 1] as number;
}

const keys = Array.from({ length: 1_000 }, (_, nth) => `/items/${nth * 7919}`);
process.stdout.write(`${'nanoseconds for a pick and its end'.padEnd(36)}${SIZES.map((size) => `${size} endpoints`.padStart(18)).join('')}\n`);
for (const [name, spec] of SPECS) {
  const row = SIZES.map((size) => {
    const balancer = createBalancer(spec, endpoints(size));
    return median(ROUNDS, () => {
      const startedAt = performance.now();
      for (let nth = 0; nth < PICKS; nth++) balancer.pick(keys[nth % keys.length], [])?.settle('success', 1);
      return ((performance.now() - startedAt) * 1e6) / PICKS;
    });
  });
  process.stdout.write(`${name.padEnd(36)}${row.map((figure) => figure.toFixed(0).padStart(18)).join('')}\n`);
}
const changes = SIZES.map((size) => {
  const [all, fewer] = [endpoints(size), endpoints(size).slice(1)];
  const balancer = createBalancer({ type: 'ConsistentHash', key: KEY }, all);
  let nth = 0;
  return median(ROUNDS, () => {
    const startedAt = performance.now();
    for (let times = 0; times < 20; times++) balancer.update(nth++ % 2 === 0 ? fewer : all);
    return ((performance.now() - startedAt) * 1000) / 20;
  });
});
process.stdout.write(`${'µs for a change of the endpoints (hash)'.padEnd(36)}${changes.map((figure) => figure.toFixed(0).padStart(18)).join('').slice(3)}\n`);
