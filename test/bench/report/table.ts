// What a case found, as text: the same lines on a terminal and in Markdown.
import type { Figure } from './stats.ts';

export interface Section {
  /** As `--only` takes it. */
  readonly name: string;
  readonly title: string;
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** What was left out and why, and what must be known to read the rows. */
  readonly notes: readonly string[];
  /** CPU of Fairlead as a ratio to that of each other peer, with what it may be at most. */
  readonly ratios: readonly Ratio[];
  /** For the chart: the main figure of each peer. */
  readonly bars: readonly Bar[];
}

export interface Ratio {
  readonly to: string;
  readonly value: Figure;
  readonly limit: number | undefined;
}

export interface Bar {
  readonly label: string;
  readonly value: number;
  readonly spread: number;
}

/** A Markdown table whose columns are aligned for people who read it as it stands. */
export function printSection({ title, header, rows, notes }: Section): string {
  const lines = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length), 3));
  const line = (cells: readonly string[]): string => `| ${widths.map((width, column) => pad(cells[column] ?? '', width, column)).join(' | ')} |`;
  const rule = `|${widths.map((width, column) => (column === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`;
  return [`### ${title}`, '', line(header), rule, ...rows.map(line), ...(notes.length === 0 ? [] : ['', ...notes.map((note) => `- ${note}`)]), ''].join('\n');
}

function pad(text: string, width: number, column: number): string {
  return column === 0 ? text.padEnd(width) : text.padStart(width);
}
