// One case over all peers, from the first start to the lines of its table. A ratio is the median of the ratios within each run.
import { PEER_NAMES } from '../peers/peer.ts';
import type { Peer } from '../peers/peer.ts';
import { against, figure, number, shown } from '../report/stats.ts';
import type { Section } from '../report/table.ts';
import type { Bed } from '../run/bed.ts';
import { takeTurns, total } from './turns.ts';
import type { LoadCase, RunOptions, Turn, Turns } from './turns.ts';

export async function measureCase(load: LoadCase, peers: readonly Peer[], bed: Bed, options: RunOptions): Promise<Section> {
  const turns = await takeTurns(load, peers.map((peer) => ({ label: peer.name, peer, workers: 1 })), bed, options);
  return section(load, turns);
}

function section(load: LoadCase, { results, notes }: Turns): Section {
  const ratio = (turns: readonly Turn[], to: string): ReturnType<typeof figure> => {
    const base = results.get(to);
    return base === undefined ? undefined : figure(turns.flatMap((each, run) => (base[run] === undefined ? [] : [total(each) / total(base[run])])));
  };
  const perMegabyte = load.bodyBytes === undefined ? [] : ['CPU µs/MB'];
  const latencies = load.steady === undefined ? [] : [`p50 ms at ${number(load.steady.rate)}/s`, 'p99 ms'];
  const header = ['peer', `${load.unit}s/s`, `CPU µs/${load.unit}`, 'user', 'system', ...perMegabyte, '× nginx', '× HAProxy', ...latencies, 'PSS MB'];
  const rows = [...results].map(([name, turns]) => {
    const of = (read: (turn: Turn) => number): ReturnType<typeof figure> => figure(turns.map(read));
    const toNginx = against(ratio(turns, 'nginx'), name === 'fairlead' ? load.limits?.nginx : undefined);
    const bytes = load.bodyBytes;
    return [
      name, shown(of((each) => each.perSecond)), shown(of(total), 1), shown(of((each) => each.user), 1), shown(of((each) => each.system), 1),
      ...(bytes === undefined ? [] : [shown(of((each) => (total(each) / bytes) * 1e6), 0)]), toNginx, shown(ratio(turns, 'haproxy'), 2),
      ...(load.steady === undefined ? [] : [shown(of((each) => each.p50 ?? 0), 2), shown(of((each) => each.p99 ?? 0), 2)]), shown(of((each) => each.memory / 1e6)),
    ];
  });
  const bars = [...results].map(([label, turns]) => {
    const cpu = figure(turns.map(total));
    return { label, value: cpu?.median ?? 0, spread: cpu?.spread ?? 0 };
  });
  const own = results.get('fairlead') ?? [];
  const ratios = PEER_NAMES.filter((to) => to !== 'fairlead').flatMap((to) => {
    const value = ratio(own, to);
    return value === undefined ? [] : [{ to, value, limit: load.limits?.[to] }];
  });
  return { name: load.name, title: load.title, header, rows, notes, ratios, bars };
}
