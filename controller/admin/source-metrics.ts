// Metrics of a cluster as the source of objects, and of what is written back to it. Numbers are taken at the moment of the
// scrape; those that only grow are counters that are set to what was counted elsewhere.
import { Gauge, Registry } from 'prom-client';
import type { Metric } from 'prom-client';

/** What is known of one kind of objects. */
export interface KindNumbers {
  readonly kind: string;
  readonly objects: number;
  readonly lists: number;
  readonly watches: number;
  readonly failures: number;
  readonly skipped: number;
  readonly doubted: number;
  /** Milliseconds since the view was last known to be current; undefined: never. */
  readonly ageMs: number | undefined;
  readonly denied: boolean;
}

export interface SourceNumbers {
  readonly kinds: readonly KindNumbers[];
  readonly leader: boolean;
  readonly statusWrites: number;
  readonly events: number;
  readonly eventsWaiting: number;
}

/** The text of the page. `staleMs`: how old the oldest part of what is served may be; 0 for sources that are never behind. */
export async function sourcePage(numbers: SourceNumbers | undefined, staleMs: number, saved: boolean): Promise<string> {
  const registry = new Registry();
  const gauge = (name: string, help: string, value: number): void => new Gauge({ name, help, registers: [registry] }).set(value);
  gauge('fairlead_stale_seconds', 'Time since the oldest part of what is served was last known to be current.', staleMs / 1000);
  gauge('fairlead_table_from_disk', '1 while the table of an earlier run is served, because objects cannot be read yet.', saved ? 1 : 0);
  if (numbers === undefined) return registry.metrics();

  const perKind = (type: 'gauge' | 'counter', name: string, help: string, value: (kind: KindNumbers) => number | undefined): void => {
    const values = numbers.kinds.flatMap((kind) => {
      const now = value(kind);
      return now === undefined ? [] : [{ metricName: name, labels: { kind: kind.kind }, value: now }];
    });
    // A registry asks a metric for nothing but its name and `get`; these are counted elsewhere.
    registry.registerMetric({ name, get: async () => ({ name, help, type, values, aggregator: 'sum' }) } as unknown as Metric);
  };
  const counter = (name: string, help: string, value: number): void => {
    registry.registerMetric({ name, get: async () => ({ name, help, type: 'counter', values: [{ metricName: name, labels: {}, value }], aggregator: 'sum' }) } as unknown as Metric);
  };
  perKind('gauge', 'fairlead_kube_objects', 'Objects that are known, of those that may be read.', ({ objects }) => objects);
  perKind('gauge', 'fairlead_kube_view_age_seconds', 'Time since the view of a kind was last known to be current.', ({ ageMs }) => (ageMs === undefined ? undefined : ageMs / 1000));
  perKind('gauge', 'fairlead_kube_denied', '1 while a kind may not be read.', ({ denied }) => (denied ? 1 : 0));
  perKind('counter', 'fairlead_kube_lists_total', 'Lists of a kind that were begun.', ({ lists }) => lists);
  perKind('counter', 'fairlead_kube_watches_total', 'Watches of a kind that were answered.', ({ watches }) => watches);
  perKind('counter', 'fairlead_kube_failures_total', 'Lists and watches of a kind that did not end as they should.', ({ failures }) => failures);
  perKind('counter', 'fairlead_kube_lists_doubted_total', 'Lists that lacked more than half of what was known, and had to be confirmed.', ({ doubted }) => doubted);
  perKind('counter', 'fairlead_kube_skipped_total', 'Things that arrived and were no objects.', ({ skipped }) => skipped);
  gauge('fairlead_leader', '1 while this replica writes status and Events.', numbers.leader ? 1 : 0);
  gauge('fairlead_events_waiting', 'Events that wait to be written.', numbers.eventsWaiting);
  counter('fairlead_status_writes_total', 'Statuses of Ingresses that were written.', numbers.statusWrites);
  counter('fairlead_events_written_total', 'Events that were written or counted up.', numbers.events);
  return registry.metrics();
}
