// Latency while the table changes: Fairlead under a fixed rate of requests, in turns with and without 100 changes a second. Every
// change is a file that is written anew, so that reading, translating and publishing are part of it, on the same processor as
// the worker. One half changes endpoints, the other half routes; the requests go to the endpoints and the host that change.
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { endpointsYaml, fairlead, ingressYaml } from '../peers/fairlead.ts';
import type { Running } from '../peers/peer.ts';
import { against, figure, number, shown } from '../report/stats.ts';
import type { Section } from '../report/table.ts';
import type { Bed } from '../run/bed.ts';
import { client, wrk } from '../run/generators.ts';
import { cpuOf } from '../run/meters.ts';
import type { RunOptions } from './turns.ts';

export const SWAP = 'swap';
const CHANGES = 100;
const RATE = 2000;
const HOSTS = 1000;
/** The most that the changing table's p99 may be, as a ratio to the still one's. */
const LIMIT = 1.5;

interface Turn {
  readonly p50: number;
  readonly p99: number;
  /** Tables in force per second. */
  readonly tables: number;
  readonly cpu: number;
  readonly errors: number;
}

export async function measureSwap(bed: Bed, { runs, seconds }: RunOptions): Promise<Section> {
  const folder = join(bed.folder, 'changing');
  const target = await bed.start(fairlead, { folder, table: { hosts: HOSTS, paths: 10 } });
  const still: Turn[] = [];
  const changing: Turn[] = [];
  try {
    await wrk({ tls: false, port: target.httpPort, connections: 64, seconds: fairlead.warmUpSeconds }, bed.cpus.load);
    await turn(target, bed, folder, seconds, true);
    for (let run = 0; run < runs; run++) {
      still.push(await turn(target, bed, folder, seconds, false));
      changing.push(await turn(target, bed, folder, seconds, true));
    }
  } finally {
    await target.stop();
  }
  const row = (label: string, turns: readonly Turn[]): string[] => {
    const ratio = against(figure(turns.map(({ p99 }, run) => p99 / still[run]!.p99)), turns === changing ? LIMIT : undefined);
    return [label, shown(figure(turns.map(({ p50 }) => p50)), 2), shown(figure(turns.map(({ p99 }) => p99)), 2), ratio, shown(figure(turns.map(({ tables }) => tables)), 0), shown(figure(turns.map(({ cpu }) => cpu)), 1)];
  };
  const errors = [...still, ...changing].reduce((sum, each) => sum + each.errors, 0);
  return {
    name: SWAP, title: `Fairlead while its table of ${number(HOSTS)} hosts changes, at ${number(RATE)} requests/s`,
    header: ['table', 'p50 ms', 'p99 ms', 'p99 × still', 'tables/s', 'CPU %'], ratios: [], bars: [],
    rows: [row('still', still), row(`${CHANGES} changes/s`, changing)],
    notes: errors === 0 ? [] : [`${number(errors)} requests failed.`],
  };
}

async function turn(target: Running, bed: Bed, folder: string, seconds: number, changes: boolean): Promise<Turn> {
  // The last change of the turn before.
  await pause(300);
  const before = { ...cpuOf(target.pid), tables: await tableVersion(target), at: performance.now() };
  const load = client({ port: target.httpPort, seconds, rate: RATE, host: 'changing.example.com', path: '/' }, bed.cpus.load);
  let loaded = false;
  void load.finally(() => (loaded = true)).catch(() => undefined);
  const start = performance.now();
  for (let change = 0; changes && !loaded; change++) {
    if (change % 2 === 0) put(folder, 'endpoints.yaml', endpointsYaml(change % 4 === 0 ? [bed.ports.http, bed.secondPort] : [bed.ports.http]));
    else put(folder, 'changing.yaml', ingressYaml('changing', ['/', `/path-${change}`], 'changing.example.com'));
    await pause(Math.max(1, start + ((change + 1) * 1000) / CHANGES - performance.now()));
  }
  const { p50, p99, errors } = await load;
  const took = performance.now() - before.at;
  const after = cpuOf(target.pid);
  const tables = ((await tableVersion(target)) - before.tables) / (took / 1000);
  return { p50, p99, errors, tables, cpu: (after.user + after.system - before.user - before.system) / took / 10 };
}

/** In one step, so that nobody reads half a file. */
function put(folder: string, name: string, text: string): void {
  writeFileSync(join(folder, `.${name}`), text);
  renameSync(join(folder, `.${name}`), join(folder, name));
}

async function tableVersion({ adminPort }: Running): Promise<number> {
  const metrics = await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text();
  return Number(/^fairlead_table_version (\d+)/m.exec(metrics)?.[1] ?? 0);
}
