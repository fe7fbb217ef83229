// The packet counts as a Markdown table.
import { POINTS, PROXIES } from '../../lab/packet-bed.ts';
import type { Fetch, Figure, Point, Proxy, State } from '../../lab/packet-bed.ts';
import { spreadOf } from '../../lab/spread.ts';
import type { Spread } from '../../lab/spread.ts';

export interface Row {
  readonly fetch: Fetch;
  readonly state: State;
  /** By proxy. */
  readonly figures: ReadonlyMap<Proxy, readonly Figure[]>;
}

export interface Part {
  readonly title: string;
  /** True: packets pass between nodes, and those that carry them are told too. */
  readonly overlay: boolean;
  readonly rows: readonly Row[];
}

export const LABELS: Readonly<Record<(typeof PROXIES)[number], string>> = { 'proxy pod': 'Proxy pod', nginx: 'nginx', haproxy: 'HAProxy', fairlead: 'Fairlead' };

export function printPart(part: Part): string {
  const head = `| | ${PROXIES.map((proxy) => LABELS[proxy]).join(' | ')} |\n|---|${PROXIES.map(() => '---|').join('')}`;
  const rows = part.rows.map(({ fetch, state, figures }) => `| ${fetch}, ${state} | ${PROXIES.map((proxy) => cell(figures.get(proxy) ?? [], part.overlay)).join(' | ')} |`);
  const note = part.overlay ? '\nBetween the nodes every packet is in one of VXLAN: their number is the last of a line.\n' : '';
  return `### ${part.title}\n${note}\n${head}\n${rows.join('\n')}\n`;
}

/** Packets at each point, and below them kilobytes. */
function cell(figures: readonly Figure[], overlay: boolean): string {
  const { median, min, max } = spreadOf(figures.map(({ node }) => node.packets));
  const range = min === max ? '' : ` (${min}–${max})`;
  const points = POINTS.filter((point) => overlay || point !== 'overlay');
  const packets = points.map((point) => (point === 'node' ? `**${median}**${range}` : spreadOf(figures.map((figure) => figure[point].packets)).median));
  const bytes = points.map((point) => (spreadOf(figures.map((figure) => figure[point].bytes)).median / 1000).toFixed(1));
  return `${packets.join(' · ')}<br>${bytes.join(' · ')} kB`;
}

/** Where Fairlead's median is above nginx's, and whether it is above all that nginx had. */
export function compareWithNginx(parts: readonly Part[]): string {
  const above: string[] = [];
  let beyond = 0;
  let compared = 0;
  for (const { title, rows } of parts) {
    for (const { fetch, state, figures } of rows) {
      for (const point of POINTS) {
        const of = (proxy: Proxy): Spread => spreadOf((figures.get(proxy) ?? []).map((figure) => figure[point].packets));
        const [fairlead, nginx] = [of('fairlead'), of('nginx')];
        compared += 1;
        if (fairlead.median <= nginx.median) continue;
        const outside = fairlead.median > nginx.max;
        if (outside) beyond += 1;
        above.push(`- ${title}: ${fetch}, ${state}, ${NAMES[point]}: ${range(fairlead)}, nginx ${range(nginx)}${outside ? ': **more than nginx ever had**' : ''}`);
      }
    }
  }
  const summary = `Packets of Fairlead beside nginx's, ${compared} medians: ${above.length} are above nginx's, ${beyond} of them above the spread of nginx's runs${above.length === 0 ? '.' : ':'}`;
  return `${[summary, ...(above.length === 0 ? [] : ['', ...above])].join('\n')}\n`;
}

const NAMES: Readonly<Record<Point, string>> = { node: 'all links of the node', client: 'client\'s link', pod: 'pod\'s link', overlay: 'VXLAN' };

function range({ median, min, max }: Spread): string {
  return `${median} (${min}–${max})`;
}
