// The chart of the README: CPU per request of every peer, one group of bars for each case, as SVG that reads well on light and
// dark pages. Bars that would dwarf the rest are cut at a multiple of Fairlead's and say their number.
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { number } from './stats.ts';
import type { Bar, Section } from './table.ts';

const FILE = fileURLToPath(new URL('../results.svg', import.meta.url));
const WIDTH = 860;
const LEFT = 96;
const RIGHT = 120;
const BAR = 15;
const GAP = 3;
const TITLE = 26;
const GROUP_GAP = 18;
const TOP = 44;
/** Longest bar, as a multiple of Fairlead's. */
const CUT = 4;

export interface Group {
  readonly title: string;
  /** Such as `µs of CPU per request`. */
  readonly unit: string;
  readonly bars: readonly Bar[];
}

/** Cases without bars are passed over. */
export function writeChart(sections: readonly Section[], shown: readonly string[], caption: string): void {
  const groups = sections.filter(({ name, bars }) => shown.includes(name) && bars.length > 0).map(({ title, bars }) => ({ title, unit: 'µs', bars }));
  writeFileSync(FILE, chart(groups, caption));
}

export function chart(groups: readonly Group[], caption: string): string {
  const parts: string[] = [];
  let y = TOP;
  for (const group of groups) {
    parts.push(`<text class="title" x="0" y="${y + 14}">${escape(group.title)}</text>`);
    y += TITLE;
    const scale = scaleOf(group.bars);
    for (const bar of group.bars) {
      parts.push(drawn(bar, y, scale, group.unit));
      y += BAR + GAP;
    }
    y += GROUP_GAP;
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="-16 0 ${WIDTH + 32} ${y}" role="img" aria-label="${escape(caption)}" font-family="system-ui, sans-serif" font-size="13">
<style>
  text { fill: #24292f } .title { font-weight: 600 } .quiet { fill: #57606a; font-size: 12px } rect { fill: #a8b3bf } .fairlead { fill: #1f883d } .spread { stroke: #57606a; stroke-width: 1.5 }
  @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .quiet { fill: #9198a1 } rect { fill: #59636e } .fairlead { fill: #3fb950 } .spread { stroke: #c9d1d9 } }
</style>
<text class="quiet" x="0" y="20">${escape(caption)}</text>
${parts.join('\n')}
</svg>
`;
}

/** Pixels per unit. */
function scaleOf(bars: readonly Bar[]): number {
  const own = bars.find(({ label }) => label === 'fairlead')?.value ?? Infinity;
  const longest = Math.min(Math.max(...bars.map(({ value }) => value)), own * CUT);
  return (WIDTH - LEFT - RIGHT) / longest;
}

function drawn({ label, value, spread }: Bar, y: number, scale: number, unit: string): string {
  const most = WIDTH - LEFT - RIGHT;
  const cut = value * scale > most * 1.001;
  const width = cut ? most : value * scale;
  const middle = y + BAR / 2;
  const half = Math.min(value * spread * scale, RIGHT / 4);
  const line = cut ? '' : `<line class="spread" x1="${(LEFT + width - half).toFixed(1)}" x2="${(LEFT + width + half).toFixed(1)}" y1="${middle}" y2="${middle}"/>`;
  const text = `${cut ? '▸ ' : ''}${number(value, value < 1000 ? 1 : 0)} ${unit}`;
  const after = LEFT + width + (cut ? 0 : half) + 6;
  const kind = label === 'fairlead' ? ' class="fairlead"' : '';
  return `<text x="${LEFT - 8}" y="${y + 12}" text-anchor="end">${escape(label)}</text><rect${kind} x="${LEFT}" y="${y}" width="${width.toFixed(1)}" height="${BAR}" rx="2"/>${line}<text x="${after.toFixed(1)}" y="${y + 12}">${text}</text>`;
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
