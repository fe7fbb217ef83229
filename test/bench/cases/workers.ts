// Two workers against one, for Fairlead and the two that it is measured by. With four processors or more, proxies have two for themselves; with
// fewer, everybody runs where the kernel puts them, and the gain is bounded by what generator and endpoint leave over.
import { availableParallelism } from 'node:os';
import type { Peer } from '../peers/peer.ts';
import { figure, shown } from '../report/stats.ts';
import type { Section } from '../report/table.ts';
import { makeBed, placement } from '../run/bed.ts';
import { takeTurns, total } from './turns.ts';
import type { RunOptions } from './turns.ts';
import { LOAD_CASES } from './load-cases.ts';

export const WORKERS = 'workers';
const ENOUGH = 4;

export async function measureWorkers(peers: readonly Peer[], options: RunOptions): Promise<Section> {
  const keepAlive = LOAD_CASES.find(({ name }) => name === 'keep-alive')!;
  const { steady: _, ...load } = keepAlive;
  const processors = availableParallelism();
  const apart = processors >= ENOUGH;
  const bed = await makeBed(apart ? { proxy: '0,1', load: '2', backend: '3' } : placement(1));
  const able = peers.filter(({ name }) => name === 'nginx' || name === 'haproxy' || name === 'fairlead');
  const contestants = able.flatMap((peer) => [1, 2].map((workers) => ({ label: `${peer.name}, ${workers}`, peer, workers })));
  try {
    const { results, notes } = await takeTurns(load, contestants, bed, options);
    const rows = able.flatMap(({ name }) => [1, 2].map((workers) => {
      const turns = results.get(`${name}, ${workers}`) ?? [];
      const one = results.get(`${name}, 1`) ?? [];
      const gain = figure(turns.map((each, run) => each.perSecond / (one[run]?.perSecond ?? Number.NaN)));
      return [`${name}, ${workers}`, shown(figure(turns.map((each) => each.perSecond))), shown(gain, 2), shown(figure(turns.map(total)), 1), shown(figure(turns.map((each) => each.memory / 1e6)))];
    }));
    const where = apart ? 'The proxy had two processors for itself.' : `There are ${processors} processors: the second worker shared them with generator and endpoint, and nobody was pinned.`;
    return { name: WORKERS, title: 'Two workers against one: HTTP/1.1 keep-alive, 1 KB', header: ['peer, workers', 'requests/s', '× one worker', 'CPU µs/request', 'PSS MB'], rows, notes: [...notes, where], ratios: [], bars: [] };
  } finally {
    await bed.close();
  }
}
