// The packet counts as a Markdown table.
import { PROXIES } from '../../lab/packet-bed.ts';
import type { Fetch, Figure, State } from '../../lab/packet-bed.ts';
import { spreadOf } from '../../lab/spread.ts';

export interface Row {
  readonly fetch: Fetch;
  readonly state: State;
  /** By proxy. */
  readonly figures: ReadonlyMap<string, readonly Figure[]>;
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
  const note = part.overlay ? '\nBetween the nodes every packet is in one of VXLAN: their number is the last in a cell.\n' : '';
  return `### ${part.title}\n${note}\n${head}\n${rows.join('\n')}\n`;
}

function cell(figures: readonly Figure[], overlay: boolean): string {
  const middle = (value: (figure: Figure) => number): number => spreadOf(figures.map(value)).median;
  const { median, min, max } = spreadOf(figures.map(({ node }) => node));
  const range = min === max ? '' : ` (${min}–${max})`;
  const bytes = `${(middle(({ nodeBytes }) => nodeBytes) / 1000).toFixed(1)} kB`;
  return [`**${median}**${range}`, middle(({ client }) => client), middle(({ upstream }) => upstream), bytes, ...(overlay ? [middle((figure) => figure.overlay)] : [])].join(' · ');
}
