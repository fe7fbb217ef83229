// Gathers the counters of all workers into one set. What a worker had counted when it was last asked is kept when it is
// gone: a sum that went down would look like a restart of everything to whoever scrapes it.
import { isLiveSeries } from '../../proxy/table/live-series.ts';
import type { LiveSeries } from '../../proxy/table/live-series.ts';
import { WORKER_METRICS } from '../../proxy/table/metrics.ts';
import type { HistogramData, ToWorker, WorkerStats } from '../../proxy/table/messages.ts';

/** A worker that has not answered by then is represented by its last answer. */
const ANSWER_MS = 1000;
const NOTHING: WorkerStats = { counters: {}, gauges: {}, histograms: {} };

interface Collection {
  readonly id: number;
  readonly missing: Set<number>;
  readonly finish: () => void;
}

export class StatsCollector {
  readonly #send: (index: number, message: ToWorker) => boolean;
  readonly #live: () => LiveSeries;
  readonly #latest: WorkerStats[];
  /** Counters and histograms of processes that are gone. */
  #retired: WorkerStats = NOTHING;
  #collections: readonly Collection[] = [];
  #nextId = 1;

  /** `send` returns false if the worker is not running. `live`: what the published table has. */
  constructor(workers: number, send: (index: number, message: ToWorker) => boolean, live: () => LiveSeries) {
    this.#send = send;
    this.#live = live;
    this.#latest = Array.from({ length: workers }, () => NOTHING);
  }

  /** Asks all workers and adds their answers up. Takes a second at most. */
  async collect(): Promise<WorkerStats> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => finish(), ANSWER_MS);
      const finish = (): void => {
        clearTimeout(timer);
        this.#collections = this.#collections.filter((other) => other !== collection);
        resolve();
      };
      const collection: Collection = { id: this.#nextId++, missing: new Set(this.#latest.keys()), finish };
      this.#collections = [...this.#collections, collection];
      for (const index of this.#latest.keys()) {
        if (!this.#send(index, { type: 'collect', id: collection.id })) this.#answered(collection, index);
      }
    });
    // The processes that run forget by themselves what the table no longer has.
    if (this.#retired !== NOTHING) this.#retired = liveStats(this.#retired, this.#live());
    return addStats([this.#retired, ...this.#latest]);
  }

  receive(index: number, id: number, stats: WorkerStats): void {
    this.#latest[index] = stats;
    for (const collection of this.#collections) if (collection.id === id) this.#answered(collection, index);
  }

  /** The process of this worker is gone; its successor counts from zero. */
  retire(index: number): void {
    this.#retired = { ...addStats([this.#retired, this.#latest[index] ?? NOTHING]), gauges: {} };
    this.#latest[index] = NOTHING;
    for (const collection of this.#collections) this.#answered(collection, index);
  }

  #answered(collection: Collection, index: number): void {
    collection.missing.delete(index);
    if (collection.missing.size === 0) collection.finish();
  }
}

function liveStats({ counters, gauges, histograms }: WorkerStats, live: LiveSeries): WorkerStats {
  const definitions = new Map(WORKER_METRICS.map((definition) => [definition.name, definition]));
  const filtered = <T>(series: Readonly<Record<string, T>>): Record<string, T> => Object.fromEntries(Object.entries(series).filter(([key]) => isLiveSeries(key, definitions, live)));
  return { counters: filtered(counters), gauges, histograms: filtered(histograms) };
}

/** The sum of several sets; gauges of the same key are added too. */
export function addStats(sets: readonly WorkerStats[]): WorkerStats {
  const counters: Record<string, number> = {};
  const gauges: Record<string, number> = {};
  const histograms: Record<string, HistogramData> = {};
  for (const set of sets) {
    for (const [key, value] of Object.entries(set.counters)) counters[key] = (counters[key] ?? 0) + value;
    for (const [key, value] of Object.entries(set.gauges)) gauges[key] = (gauges[key] ?? 0) + value;
    for (const [key, data] of Object.entries(set.histograms)) histograms[key] = addHistogram(histograms[key], data);
  }
  return { counters, gauges, histograms };
}

function addHistogram(sum: HistogramData | undefined, next: HistogramData): HistogramData {
  if (sum === undefined) return next;
  return { bounds: next.bounds, counts: next.counts.map((count, index) => count + (sum.counts[index] ?? 0)), sum: sum.sum + next.sum };
}
