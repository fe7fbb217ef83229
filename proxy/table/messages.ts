// What the primary process and a worker say to each other over IPC. Plain data; the proxy owns the language.
import type { Delta, Snapshot } from './snapshot.ts';

/** Primary → worker. */
export type ToWorker =
  | { readonly type: 'snapshot'; readonly snapshot: Snapshot }
  | { readonly type: 'delta'; readonly delta: Delta }
  /** Answer with `stats` carrying the same id. */
  | { readonly type: 'collect'; readonly id: number }
  | { readonly type: 'ping'; readonly id: number }
  /** Stop accepting, finish what is open within `graceMs`, then exit 0. */
  | { readonly type: 'drain'; readonly graceMs: number };

/** Worker → primary. */
export type FromWorker =
  /** The process is up and wants its first snapshot. */
  | { readonly type: 'hello' }
  /** The table `version` is in force and all its listeners accept; `ports` by listener name. */
  | { readonly type: 'applied'; readonly version: number; readonly ports: Readonly<Record<string, number>> }
  /** A delta did not fit: send a snapshot. */
  | { readonly type: 'resync'; readonly have: number }
  /** A table or a listener could not be put in force; the previous one still serves. */
  | { readonly type: 'refused'; readonly version: number; readonly error: string }
  | { readonly type: 'stats'; readonly id: number; readonly stats: WorkerStats }
  | { readonly type: 'pong'; readonly id: number };

/** Hot counters of one worker since its start; the primary adds the workers up at scrape. */
export interface WorkerStats {
  /** Key: label values joined by `\u0000`, in the order of `labels` of the metric; see proxy/observe/metrics.ts. */
  readonly counters: Readonly<Record<string, number>>;
  readonly gauges: Readonly<Record<string, number>>;
  readonly histograms: Readonly<Record<string, HistogramData>>;
}

export interface HistogramData {
  /** Upper bounds, ascending, without +Inf. */
  readonly bounds: readonly number[];
  /** One count per bound and a last one for +Inf; not cumulative. */
  readonly counts: readonly number[];
  readonly sum: number;
}
