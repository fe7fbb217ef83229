// The middle of a few runs, and how far apart they were.
export interface Figure {
  readonly median: number;
  /** Half of the distance between the lowest and the highest, as a share of the median. */
  readonly spread: number;
  readonly runs: number;
}

/** Undefined: there was no run. */
export function figure(values: readonly number[]): Figure | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  const low = sorted[Math.floor((sorted.length - 1) / 2)];
  const high = sorted[Math.ceil((sorted.length - 1) / 2)];
  if (low === undefined || high === undefined) return undefined;
  const median = (low + high) / 2;
  return { median, spread: median === 0 ? 0 : (sorted.at(-1)! - sorted[0]!) / 2 / median, runs: sorted.length };
}

/** `41,200 ±3 %`; a dash for what was not measured. */
export function shown(value: Figure | undefined, digits = 0): string {
  return value === undefined ? '–' : `${number(value.median, digits)} ±${Math.round(value.spread * 100)} %`;
}

/** `1.52 ±3 % ≤ 1.6`, or with `>` where the limit is missed. */
export function against(value: Figure | undefined, limit: number | undefined, digits = 2): string {
  if (value === undefined || limit === undefined) return shown(value, digits);
  return `${shown(value, digits)} ${value.median <= limit ? '≤' : '>'} ${limit}`;
}

export function number(value: number, digits = 0): string {
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
