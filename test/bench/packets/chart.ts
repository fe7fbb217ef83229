// The packet counts as a bar chart (SVG): one group for each row of a part, one bar for each proxy.
import { PROXIES } from '../../lab/packet-bed.ts';
import type { Proxy } from '../../lab/packet-bed.ts';
import { spreadOf } from '../../lab/spread.ts';
import { LABELS } from './table.ts';
import type { Part, Row } from './table.ts';

const COLOURS: Readonly<Record<(typeof PROXIES)[number], string>> = { 'proxy pod': '#9aa0a6', nginx: '#4c8c4a', haproxy: '#3b6ea8', fairlead: '#d9622b' };
const WIDTH = 760;
const LEFT = 110;
const BAR = 11;
const GROUP_GAP = 9;
const TOP = 64;

export function chart(part: Part): string {
  const most = Math.max(...part.rows.flatMap((row) => PROXIES.map((proxy) => packets(row, proxy))));
  const scale = (WIDTH - LEFT - 60) / most;
  const group = PROXIES.length * BAR + GROUP_GAP;
  const bars = part.rows.flatMap((row, index) => {
    const top = TOP + index * group;
    const label = `<text x="${LEFT - 8}" y="${top + (PROXIES.length * BAR) / 2 + 4}" text-anchor="end">${row.fetch}, ${row.state}</text>`;
    return [label, ...PROXIES.map((proxy, place) => bar(packets(row, proxy), scale, top + place * BAR, COLOURS[proxy]))];
  });
  const legend = PROXIES.map((proxy, index) => `<rect x="${LEFT + index * 130}" y="36" width="12" height="12" fill="${COLOURS[proxy]}"/><text x="${LEFT + index * 130 + 17}" y="46">${LABELS[proxy]}</text>`);
  const height = TOP + part.rows.length * group + 8;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif" font-size="12" fill="#222">
<rect width="${WIDTH}" height="${height}" fill="#fff"/>
<text x="16" y="22" font-size="15">Packets of one fetch on all links of the node (${part.title}; fewer is better)</text>
${[...legend, ...bars].join('\n')}
</svg>
`;
}

function bar(value: number, scale: number, top: number, colour: string): string {
  const width = Math.max(1, value * scale);
  return `<rect x="${LEFT}" y="${top}" width="${width.toFixed(1)}" height="${BAR - 1}" fill="${colour}"/><text x="${(LEFT + width + 4).toFixed(1)}" y="${top + BAR - 2}" font-size="10">${value}</text>`;
}

function packets(row: Row, proxy: Proxy): number {
  return spreadOf((row.figures.get(proxy) ?? []).map(({ node }) => node.packets)).median;
}
