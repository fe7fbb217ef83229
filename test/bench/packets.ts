// `npm run bench:packets`: packets and bytes of one fetch, for a cluster without ingress controller, nginx, HAProxy and
// Fairlead, in the lab's network. Writes its section of RESULTS.md and the chart packets.svg; with `--runs N` other than 8 it
// only prints. Runs in the lab's box (test/lab/box.ts); needs nginx and haproxy.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { fileURLToPath } from 'node:url';
import { FETCHES, PROXIES, PacketBed, STATES } from '../lab/packet-bed.ts';
import type { Figure, Proxy, State } from '../lab/packet-bed.ts';
import { tool } from '../lab/tools.ts';
import { chart } from './packets/chart.ts';
import { compareWithNginx, printPart } from './packets/table.ts';
import type { Part, Row } from './packets/table.ts';
import { writeResults } from './report/results.ts';

const CHART = fileURLToPath(new URL('packets.svg', import.meta.url));
const DEFAULT_RUNS = 8;

const PARTS = [
  { title: 'HTTP, pod on the same node', segments: 'two', appNode: 1, protocol: 'http' },
  { title: 'HTTP, pod on the same node, application that sends head and body in one segment', segments: 'one', appNode: 1, protocol: 'http' },
  { title: 'HTTP, pod on the other node', segments: 'two', appNode: 2, protocol: 'http' },
  { title: 'HTTPS (HTTP/1.1), pod on the same node', segments: 'two', appNode: 1, protocol: 'https' },
  { title: 'HTTPS (HTTP/2), pod on the same node', segments: 'two', appNode: 1, protocol: 'h2' },
] as const;

const CELLS = `A cell is **packets on all links of node 1**, as \`tcpdump -i any\` counts them there (each packet once on each link) · packets on
the client's link · packets on the pod's link, and below them the kilobytes of IP at the same points. Medians; in brackets the
lowest and the highest. Segmentation offload is on, as on a cloud's machines.
`;

const runs = Number(process.argv[process.argv.indexOf('--runs') + 1]) || DEFAULT_RUNS;
const parts: Part[] = [];
for (const part of PARTS) {
  const measured = { title: part.title, overlay: part.appNode === 2, rows: await measurePart(part) };
  parts.push(measured);
  console.log(printPart(measured));
}
const comparison = compareWithNginx(parts);
console.log(comparison);
if (runs === DEFAULT_RUNS) {
  writeResults('packets', [CELLS, versions(), comparison, ...parts.map(printPart)].join('\n'));
  writeFileSync(CHART, chart(parts[0] as Part));
}

async function measurePart(part: (typeof PARTS)[number]): Promise<Row[]> {
  const bed = await PacketBed.open({ segments: part.segments, appNode: part.appNode, proxies: PROXIES });
  try {
    const rows: Row[] = [];
    for (const fetch of FETCHES) {
      const measured = new Map<Proxy, Record<State, Figure>[]>(PROXIES.map((proxy) => [proxy, []]));
      // In turn, so that whatever else the machine does meets all of them.
      for (let run = 0; run < runs; run += 1) {
        for (const proxy of PROXIES) measured.get(proxy)?.push(await bed.measure({ proxy, fetch, protocol: part.protocol }));
      }
      for (const state of STATES) rows.push({ fetch, state, figures: new Map([...measured].map(([proxy, all]) => [proxy, all.map((figures) => figures[state])])) });
    }
    return rows;
  } finally {
    bed.close();
  }
}

/** On what it was measured, and the chart. */
function versions(): string {
  const version = (program: string, flag: string, pattern: RegExp): string => {
    // nginx says it on standard error.
    const { stdout, stderr } = spawnSync(tool(program), [flag], { encoding: 'utf8' });
    return pattern.exec(stdout + stderr)?.[1] ?? 'of unknown version';
  };
  const programs = `nginx ${version('nginx', '-v', /nginx\/([\d.]+)/)}, HAProxy ${version('haproxy', '-v', /version ([\d.]+)/)}`;
  return `Linux ${release()}, ${cpus().length} processors, commit ${commit()}, Node ${process.versions.node}, ${programs}, ${new Date().toISOString().slice(0, 10)}; ${runs} runs.\n\n![packets of one fetch on all links of the node](packets.svg)\n`;
}

function commit(): string {
  return spawnSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).stdout.trim() || 'unknown';
}
