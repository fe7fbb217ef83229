// `npm run bench`: Fairlead beside nginx, HAProxy, Caddy and http-proxy on one machine, in one run. Quick look at one case:
// `node test/bench/main.ts --only keep-alive --peers nginx,fairlead --runs 3 --seconds 2`. Without --only and --peers the tables
// and the chart are also written (RESULTS.md, results.svg). Needs Linux and the programs nginx, haproxy, caddy, wrk, h2load,
// openssl and taskset.
import { IDLE, measureIdle } from './cases/idle.ts';
import { measureCase } from './cases/load-case.ts';
import { LOAD_CASES } from './cases/load-cases.ts';
import { SWAP, measureSwap } from './cases/swap.ts';
import { WORKERS, measureWorkers } from './cases/workers.ts';
import { readOptions } from './options.ts';
import { PEERS } from './peers/all.ts';
import { writeChart } from './report/chart.ts';
import { describeMachine } from './report/machine.ts';
import { writeResults } from './report/results.ts';
import { summary } from './report/summary.ts';
import { printSection } from './report/table.ts';
import type { Section } from './report/table.ts';
import { makeBed } from './run/bed.ts';

/** In the README's chart. */
const CHARTED = ['keep-alive', 'tls', 'http2', 'new-connection', 'body-64k', 'hosts-10000'];

const options = readOptions(process.argv.slice(2), [...LOAD_CASES.map(({ name }) => name), WORKERS, SWAP, IDLE]);
const peers = PEERS.filter(({ name }) => options.peers.includes(name));
const sections: Section[] = [];
const machine = await describeMachine();
const started = performance.now();

const bed = await makeBed();
try {
  for (const load of LOAD_CASES) await run(load.name, () => measureCase(load, peers, bed, options));
  await run(WORKERS, () => measureWorkers(peers, options));
  if (options.peers.includes('fairlead')) await run(SWAP, () => measureSwap(bed, options));
  await run(IDLE, () => measureIdle(peers, bed, options.runs));
} finally {
  await bed.close();
}

const head = [...machine, `- ${options.runs} runs of ${options.seconds} s each; ${Math.round((performance.now() - started) / 60_000)} minutes in all`];
const first = summary(sections);
if (first.rows.length > 0) console.log(printSection(first));
console.log(head.join('\n'));
if (options.write) {
  writeResults('bench', [...head, '', ...[first, ...sections].map(printSection)].join('\n'));
  writeChart(sections, CHARTED, `CPU per request, user and system; less is better. ${head[0]!.slice(2)}`);
}

/** A case that fails takes nothing from the others. */
async function run(name: string, measure: () => Promise<Section>): Promise<void> {
  if (options.only !== undefined && !options.only.includes(name)) return;
  try {
    const section = await measure();
    sections.push(section);
    console.log(printSection(section));
  } catch (error) {
    console.error(`${name}:`, error);
    process.exitCode = 1;
  }
}
