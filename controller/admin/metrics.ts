// The Prometheus page: the controller's own metrics, and the counters of the workers added up. The workers' numbers are
// turned into samples at the moment of the scrape; between scrapes nothing here costs anything.
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import type { Metric } from 'prom-client';
import type { HistogramData, WorkerStats } from '../../proxy/table/messages.ts';
import { WORKER_METRICS, readSeriesKey } from '../../proxy/table/metrics.ts';
import type { MetricDefinition } from '../../proxy/table/metrics.ts';
import type { Snapshot } from '../../proxy/table/snapshot.ts';
import type { Problem } from '../model/problem.ts';

const FAST_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** What is true at the moment of a scrape. */
export interface ControllerState {
  readonly snapshot: Snapshot;
  readonly problems: readonly Problem[];
  readonly ready: boolean;
  /** Version that each worker serves, 0 if none; and how often it was replaced. */
  readonly workers: readonly { readonly index: number; readonly version: number }[];
}

interface Sample {
  readonly metricName: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export class AdminMetrics {
  readonly #registry = new Registry();
  readonly #gauge = (name: string, help: string, labelNames: readonly string[] = []): Gauge => new Gauge({ name, help, labelNames, registers: [this.#registry] });
  readonly #seconds = (name: string, help: string): Histogram => new Histogram({ name, help, buckets: FAST_BUCKETS, registers: [this.#registry] });
  readonly #counter = (name: string, help: string): Counter => new Counter({ name, help, registers: [this.#registry] });

  readonly #version = this.#gauge('fairlead_table_version', 'Version of the published table.');
  readonly #entries = this.#gauge('fairlead_table_entries', 'Size of the published table.', ['kind']);
  readonly #problems = this.#gauge('fairlead_problems', 'What is wrong in the manifests.', ['severity', 'reason']);
  readonly #expiry = this.#gauge('fairlead_certificate_expiry_seconds', 'When the certificate of a host ends, in seconds since 1970; * is the default certificate.', ['host']);
  readonly #ready = this.#gauge('fairlead_ready', '1 while traffic is served.');
  readonly #lag = this.#gauge('fairlead_worker_version_lag', 'Versions by which a worker is behind; the whole version while it serves none.', ['worker']);

  /** Time of one run from objects to table. */
  readonly compileSeconds = this.#seconds('fairlead_compile_seconds', 'Time to make a table of the objects.');
  /** Time to compare it and hand it to the workers. */
  readonly publishSeconds = this.#seconds('fairlead_publish_seconds', 'Time to compare a table with the one before and to send what changed.');
  /** From the moment that a change is seen until every worker serves it. */
  readonly eventToLiveSeconds = this.#seconds('fairlead_event_to_live_seconds', 'From seeing a change until every worker serves it.');
  readonly workerExits = this.#counter('fairlead_worker_exits_total', 'Worker processes that ended without having been told to.');
  readonly refusals = this.#counter('fairlead_tables_refused_total', 'Tables that a worker could not put in force.');
  readonly failures = this.#counter('fairlead_compile_failures_total', 'Runs that failed by a bug; the table before stays in force.');

  constructor(version: string) {
    collectDefaultMetrics({ register: this.#registry });
    new Gauge({ name: 'fairlead_build_info', help: 'Always 1.', labelNames: ['version'], registers: [this.#registry] }).set({ version }, 1);
  }

  /** The whole page. */
  async page(state: ControllerState, stats: WorkerStats): Promise<string> {
    this.#setState(state);
    return `${await this.#registry.metrics()}\n${await workerRegistry(stats).metrics()}`;
  }

  #setExpiry({ listeners, virtualHosts, certificates }: Snapshot): void {
    this.#expiry.reset();
    const note = (host: string, name: string | undefined): void => {
      const certificate = name === undefined ? undefined : certificates[name];
      if (certificate !== undefined && Number.isFinite(certificate.notAfter)) this.#expiry.set({ host }, certificate.notAfter / 1000);
    };
    for (const { tls } of Object.values(listeners)) note('*', tls?.defaultCertificate);
    for (const { hostname, certificate, passthrough } of Object.values(virtualHosts)) if (passthrough === undefined) note(hostname, certificate);
  }

  #setState({ snapshot, problems, ready, workers }: ControllerState): void {
    this.#version.set(snapshot.version);
    this.#ready.set(ready ? 1 : 0);
    const hosts = Object.values(snapshot.virtualHosts);
    this.#entries.set({ kind: 'hosts' }, hosts.length);
    this.#entries.set({ kind: 'routes' }, hosts.reduce((sum, host) => sum + host.routes.length, 0));
    this.#entries.set({ kind: 'clusters' }, Object.keys(snapshot.clusters).length);
    this.#entries.set({ kind: 'endpoints' }, Object.values(snapshot.endpoints).reduce((sum, endpoints) => sum + endpoints.length, 0));
    this.#entries.set({ kind: 'certificates' }, Object.keys(snapshot.certificates).length);
    this.#setExpiry(snapshot);
    this.#problems.reset();
    for (const { severity, reason } of problems) this.#problems.inc({ severity, reason });
    for (const { index, version } of workers) this.#lag.set({ worker: String(index) }, snapshot.version - version);
  }
}

function workerRegistry(stats: WorkerStats): Registry {
  const samples = new Map<string, Sample[]>(WORKER_METRICS.map(({ name }) => [name, []]));
  const definitions = new Map(WORKER_METRICS.map((definition) => [definition.name, definition]));
  const add = (key: string, write: (definition: MetricDefinition, labels: Record<string, string>, into: Sample[]) => void): void => {
    const { name, values } = readSeriesKey(key);
    const definition = definitions.get(name);
    const into = samples.get(name);
    if (definition === undefined || into === undefined) return;
    write(definition, Object.fromEntries(definition.labels.map((label, index) => [label, values[index] ?? ''])), into);
  };
  for (const [key, value] of [...Object.entries(stats.counters), ...Object.entries(stats.gauges)]) {
    add(key, ({ name }, labels, into) => into.push({ metricName: name, labels, value }));
  }
  for (const [key, data] of Object.entries(stats.histograms)) {
    add(key, ({ name }, labels, into) => addHistogram(name, labels, data, into));
  }
  const registry = new Registry();
  for (const { name, help, type } of WORKER_METRICS) {
    // A registry asks a metric for nothing but its name and `get`; there is no class for samples that were counted elsewhere.
    registry.registerMetric({ name, get: async () => ({ name, help, type, values: samples.get(name) ?? [] }) } as unknown as Metric);
  }
  return registry;
}

function addHistogram(name: string, labels: Readonly<Record<string, string>>, data: HistogramData, into: Sample[]): void {
  let count = 0;
  for (const [index, bound] of [...data.bounds, '+Inf'].entries()) {
    count += data.counts[index] ?? 0;
    into.push({ metricName: `${name}_bucket`, labels: { ...labels, le: String(bound) }, value: count });
  }
  into.push({ metricName: `${name}_sum`, labels, value: data.sum });
  into.push({ metricName: `${name}_count`, labels, value: count });
}
