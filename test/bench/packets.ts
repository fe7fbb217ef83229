// `npm run bench:packets`: packets and bytes of one fetch, for a cluster without ingress controller, nginx, HAProxy and
// Fairlead, in the lab's network. Writes its section of RESULTS.md and the chart packets.svg; with `--runs N` other than 8 it
// only prints. Runs in the lab's box (test/lab/box.ts); needs nginx and haproxy.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { fileURLToPath } from 'node:url';
import { FETCHES, PROXIES, PacketBed, STATES } from '../lab/packet-bed.ts';
import type { Case, Figure } from '../lab/packet-bed.ts';
import { tool } from '../lab/tools.ts';
import { chart } from './packets/chart.ts';
import { replaceSection } from './packets/section.ts';
import { printPart } from './packets/table.ts';
import type { Part, Row } from './packets/table.ts';

const RESULTS = fileURLToPath(new URL('RESULTS.md', import.meta.url));
const CHART = fileURLToPath(new URL('packets.svg', import.meta.url));
const DEFAULT_RUNS = 8;

const PARTS = [
  { title: 'HTTP, pod on the same node', segments: 'two', appNode: 1, protocol: 'http' },
  { title: 'HTTP, pod on the same node, application that sends head and body in one segment', segments: 'one', appNode: 1, protocol: 'http' },
  { title: 'HTTP, pod on the other node', segments: 'two', appNode: 2, protocol: 'http' },
  { title: 'HTTPS (HTTP/1.1), pod on the same node', segments: 'two', appNode: 1, protocol: 'https' },
  { title: 'HTTPS (HTTP/2), pod on the same node', segments: 'two', appNode: 1, protocol: 'h2' },
] as const;

const runs = Number(process.argv[process.argv.indexOf('--runs') + 1]) || DEFAULT_RUNS;
const parts: Part[] = [];
for (const part of PARTS) {
  const measured = { title: part.title, overlay: part.appNode === 2, rows: await measurePart(part) };
  parts.push(measured);
  console.log(printPart(measured));
}
if (runs === DEFAULT_RUNS) {
  replaceSection(RESULTS, 'packets', [introduction(), ...parts.map(printPart)].join('\n'));
  writeFileSync(CHART, chart(parts[0] as Part));
}

async function measurePart(part: (typeof PARTS)[number]): Promise<Row[]> {
  const bed = await PacketBed.open({ segments: part.segments, appNode: part.appNode, proxies: PROXIES });
  try {
    const rows: Row[] = [];
    for (const fetch of FETCHES) {
      for (const state of STATES) {
        const figures = new Map<string, Figure[]>(PROXIES.map((proxy) => [proxy, []]));
        // In turn, so that whatever else the machine does meets all of them.
        for (let run = 0; run < runs; run += 1) {
          for (const proxy of PROXIES) {
            const one: Case = { proxy, fetch, state, protocol: part.protocol };
            figures.get(proxy)?.push(await bed.measure(one));
          }
        }
        rows.push({ fetch, state, figures });
      }
    }
    return rows;
  } finally {
    bed.close();
  }
}

function introduction(): string {
  const version = (program: string, args: readonly string[], pattern: RegExp): string => pattern.exec(execFileSync('sh', ['-c', `'${tool(program)}' ${args.join(' ')} 2>&1`], { encoding: 'utf8' }))?.[1] ?? '?';
  return `## Packets of one fetch (\`npm run bench:packets\`)

In the lab's network (\`test/lab/\`): two nodes, pods on a bridge, VXLAN between the nodes. *Proxy pod* is a cluster without an
ingress controller: NodePort, nginx in a pod, ClusterIP, pod. nginx, HAProxy and Fairlead stand on the host network of node 1 and go straight to the
pod, one worker each, with a kept connection to it. *small* is a page of 612 bytes, *page* one of 10 KB, *site* a page with three files (10, 5, 20 and
30 KB) on one client connection. *cold*: no connection is open; *warm*: the one to the pod is; *open*: the client's is too.

A cell is: **packets on all links of node 1** (as \`tcpdump -i any\` there counts them: each packet once on each link) · packets on the client's link · packets on
the pod's link · kilobytes of IP on all links of node 1. Medians of ${runs} runs, in brackets the lowest and the highest. Segmentation offload is on, as on a cloud's machines.

Linux ${release()}, ${cpus().length} processors, Node ${process.versions.node}, nginx ${version('nginx', ['-v'], /nginx\/([\d.]+)/)}, HAProxy ${version('haproxy', ['-v'], /version ([\d.]+)/)}, ${new Date().toISOString().slice(0, 10)}.

![packets on all links of node 1](packets.svg)
`;
}
