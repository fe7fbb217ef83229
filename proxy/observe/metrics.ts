// Counts what the data path does, in plain numbers: a request costs a few map look-ups here, and no text is made of the
// numbers before somebody scrapes. The series of a route are found through the route object itself, which the table keeps
// as it is for as long as the route does not change.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Exchange } from '../http/exchange.ts';
import { OTHER, liveSeries } from '../table/live-series.ts';
import type { HistogramData, WorkerStats } from '../table/messages.ts';
import {
  ATTEMPTS, CONNECTIONS, CONNECTIONS_ACCEPTED, CONNECTIONS_REFUSED, DURATION_BOUNDS, EVENT_LOOP_DELAY, EVENT_LOOP_DELAY_P99, HANDSHAKE_FAILURES, LOG_LINES_DROPPED,
  MAX_FILES, OPEN_FILES, OVERLOAD, PASSED, REFUSED_CONNECTIONS, REQUESTS, REQUEST_BYTES, REQUEST_DURATION, RESPONSE_BYTES, UPGRADED, WORKER_MEMORY, seriesKey,
} from '../table/metrics.ts';
import type { RefusedConnection } from '../table/metrics.ts';
import type { Route } from '../table/route.ts';
import { EMPTY_SNAPSHOT } from '../table/snapshot.ts';
import type { Snapshot } from '../table/snapshot.ts';
import { fileDescriptors, residentMemory } from './own-process.ts';
import type { ExchangeObserver, Passage } from './observer.ts';

/** Objects, and services, with series of their own; further ones share one named `_other`, so that a table of any size can be scraped. */
const MAX_SERIES = 10_000;
/** The event loop is looked at this often; Node counts the period itself as part of every delay. */
const LOOP_PERIOD_MS = 20;
/** Methods with a label of their own: a client may send any token. */
const METHODS: ReadonlyMap<string, number> = new Map(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'CONNECT'].map((name, index) => [name, index]));
const METHOD_NAMES: readonly string[] = [...METHODS.keys(), 'OTHER'];
const OTHER_METHOD = METHOD_NAMES.length - 1;

/** What is counted for one object that routes requests (an Ingress). */
interface ObjectSeries {
  readonly namespace: string;
  readonly name: string;
  /** By service, then by method and status in one number; only requests that an endpoint answered. */
  readonly answered: Map<string, Map<number, number>>;
  /** By service, method, status and reason in one string: what the proxy answered or cut. */
  readonly replied: Map<string, number>;
  /** One more than the bounds, for +Inf. */
  readonly durations: Float64Array;
  durationSum: number;
  bytesIn: number;
  bytesOut: number;
}

interface ListenerSeries {
  open: number;
  accepted: number;
  failedHandshakes: number;
  readonly refused: Record<RefusedConnection, number>;
}

/** Numbers of one worker since its start. Every method is cheap and none throws. */
export class Metrics implements ExchangeObserver {
  readonly #worker: string;
  readonly #byRoute = new WeakMap<Route, ObjectSeries>();
  readonly #objects = new Map<string, ObjectSeries>();
  readonly #unrouted = newSeries('', '');
  readonly #others = newSeries('', OTHER);
  readonly #attempts = new Map<string, Map<string | number, number>>();
  readonly #passed = new Map<string, Map<string, number>>();
  readonly #listeners = new Map<string, ListenerSeries>();
  readonly #loopDelay = monitorEventLoopDelay({ resolution: LOOP_PERIOD_MS });
  #table: () => Snapshot = () => EMPTY_SNAPSHOT;
  /** Of the table whose objects were last compared with the series. */
  #tableVersion = EMPTY_SNAPSHOT.version;
  #upgraded: () => number = () => 0;
  #overload: () => number = () => 0;
  #droppedLogLines: () => number = () => 0;

  /** `worker`: its index, the label of what is counted per process. */
  constructor(worker: number) {
    this.#worker = String(worker);
    this.#objects.set('', this.#unrouted);
    this.#loopDelay.enable();
  }

  /** Where the table in force is read: series of what it no longer has are dropped with the next scrape. */
  watchTable(read: () => Snapshot): void {
    this.#table = read;
  }

  /** Where the number of upgraded connections is read at scrape. */
  countUpgraded(read: () => number): void {
    this.#upgraded = read;
  }

  /** Where the level of overload is read at scrape. */
  watchOverload(read: () => number): void {
    this.#overload = read;
  }

  /** Where the number of dropped access log lines is read at scrape. */
  countDroppedLogLines(read: () => number): void {
    this.#droppedLogLines = read;
  }

  /** Called once, when the exchange is over. Byte counts are of bodies; `elapsedMs` from the head's end to the last byte. */
  observeExchange(exchange: Exchange, bytesIn: number, bytesOut: number, elapsedMs: number): void {
    const series = exchange.route === undefined ? this.#unrouted : (this.#byRoute.get(exchange.route) ?? this.#seriesOf(exchange.route));
    const service = series === this.#others ? OTHER : (exchange.cluster ?? '');
    const method = METHODS.get(exchange.request.method) ?? OTHER_METHOD;
    if (exchange.reason === '') {
      let counts = series.answered.get(service);
      if (counts === undefined) series.answered.set(service, (counts = new Map()));
      const key = method * 1000 + exchange.status;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    } else {
      const key = `${service}\u0000${METHOD_NAMES[method]}\u0000${exchange.status}\u0000${exchange.reason}`;
      series.replied.set(key, (series.replied.get(key) ?? 0) + 1);
    }
    const seconds = elapsedMs / 1000;
    const bucket = bucketOf(seconds);
    series.durations[bucket] = (series.durations[bucket] ?? 0) + 1;
    series.durationSum += seconds;
    series.bytesIn += bytesIn;
    series.bytesOut += bytesOut;
    for (const attempt of exchange.attempts) count<string | number>(this.#attempts, service, attempt.error ?? Math.floor((attempt.status ?? 0) / 100));
  }

  observePassage({ cluster, reason }: Passage): void {
    count(this.#passed, cluster, reason);
  }

  connectionOpened(listener: string): void {
    const series = this.#listener(listener);
    series.open++;
    series.accepted++;
  }

  connectionClosed(listener: string): void {
    this.#listener(listener).open--;
  }

  connectionRefused(listener: string, reason: RefusedConnection): void {
    this.#listener(listener).refused[reason]++;
  }

  handshakeFailed(listener: string): void {
    this.#listener(listener).failedHandshakes++;
  }

  /** All numbers as plain data. The longest event loop delay starts anew with every call. */
  stats(): WorkerStats {
    this.#forgetTheGone();
    const counters: Record<string, number> = {};
    const histograms: Record<string, HistogramData> = {};
    for (const series of this.#objects.values()) writeObject(series, counters, histograms);
    for (const [service, results] of this.#attempts) {
      for (const [result, count] of results) counters[seriesKey(ATTEMPTS, service, typeof result === 'number' ? `${result}xx` : result)] = count;
    }
    for (const [service, reasons] of this.#passed) for (const [reason, times] of reasons) counters[seriesKey(PASSED, service, reason)] = times;
    const gauges: Record<string, number> = {};
    for (const [name, listener] of this.#listeners) {
      gauges[seriesKey(CONNECTIONS, name)] = listener.open;
      counters[seriesKey(CONNECTIONS_ACCEPTED, name)] = listener.accepted;
      for (const reason of REFUSED_CONNECTIONS) counters[seriesKey(CONNECTIONS_REFUSED, name, reason)] = listener.refused[reason];
      counters[seriesKey(HANDSHAKE_FAILURES, name)] = listener.failedHandshakes;
    }
    gauges[seriesKey(UPGRADED)] = this.#upgraded();
    gauges[seriesKey(OVERLOAD, this.#worker)] = this.#overload();
    counters[seriesKey(LOG_LINES_DROPPED)] = this.#droppedLogLines();
    gauges[seriesKey(EVENT_LOOP_DELAY, this.#worker)] = delaySeconds(this.#loopDelay.max);
    gauges[seriesKey(EVENT_LOOP_DELAY_P99, this.#worker)] = delaySeconds(this.#loopDelay.percentile(99));
    gauges[seriesKey(WORKER_MEMORY, this.#worker)] = residentMemory();
    const files = fileDescriptors();
    gauges[seriesKey(OPEN_FILES, this.#worker)] = files.open;
    gauges[seriesKey(MAX_FILES, this.#worker)] = files.limit;
    this.#loopDelay.reset();
    return { counters, gauges, histograms };
  }

  #seriesOf(route: Route): ObjectSeries {
    const { namespace, name } = route.origin;
    const key = `${namespace}/${name}`;
    let series = this.#objects.get(key);
    if (series === undefined) {
      if (this.#objects.size >= MAX_SERIES) this.#forgetTheGone();
      const full = this.#objects.size >= MAX_SERIES;
      series = full ? this.#others : newSeries(namespace, name);
      this.#objects.set(full ? OTHER : key, series);
    }
    this.#byRoute.set(route, series);
    return series;
  }

  /** What a request that outlives its object counts is lost with it. */
  #forgetTheGone(): void {
    const table = this.#table();
    if (table.version === this.#tableVersion) return;
    this.#tableVersion = table.version;
    const live = liveSeries(table);
    const isGone = (service: string): boolean => service !== '' && service !== OTHER && !live.service(service);
    for (const [key, series] of this.#objects) {
      if (series.namespace !== '' && !live.object(series.namespace, series.name)) this.#objects.delete(key);
      for (const service of series.answered.keys()) if (isGone(service)) series.answered.delete(service);
      for (const reply of series.replied.keys()) if (isGone(reply.slice(0, reply.indexOf('\u0000')))) series.replied.delete(reply);
    }
    for (const counted of [this.#attempts, this.#passed]) for (const service of counted.keys()) if (isGone(service)) counted.delete(service);
  }

  #listener(name: string): ListenerSeries {
    let series = this.#listeners.get(name);
    if (series === undefined) this.#listeners.set(name, (series = { open: 0, accepted: 0, failedHandshakes: 0, refused: { TooManyConnections: 0, InvalidProxyHeader: 0, PlainHttpToHttpsPort: 0 } }));
    return series;
  }
}

function count<Result>(byService: Map<string, Map<Result, number>>, service: string, result: Result): void {
  let results = byService.get(service);
  if (results === undefined) {
    const label = byService.size >= MAX_SERIES ? OTHER : service;
    results = byService.get(label) ?? new Map<Result, number>();
    byService.set(label, results);
  }
  results.set(result, (results.get(result) ?? 0) + 1);
}

function newSeries(namespace: string, name: string): ObjectSeries {
  return { namespace, name, answered: new Map(), replied: new Map(), durations: new Float64Array(DURATION_BOUNDS.length + 1), durationSum: 0, bytesIn: 0, bytesOut: 0 };
}

function delaySeconds(nanoseconds: number): number {
  return Number.isFinite(nanoseconds) ? Math.max(0, nanoseconds / 1e6 - LOOP_PERIOD_MS) / 1000 : 0;
}

function bucketOf(seconds: number): number {
  let index = 0;
  while (index < DURATION_BOUNDS.length && seconds > (DURATION_BOUNDS[index] ?? Infinity)) index++;
  return index;
}

function writeObject(series: ObjectSeries, counters: Record<string, number>, histograms: Record<string, HistogramData>): void {
  const { namespace, name } = series;
  for (const [service, counts] of series.answered) {
    for (const [key, count] of counts) {
      const method = METHOD_NAMES[Math.floor(key / 1000)] ?? 'OTHER';
      counters[seriesKey(REQUESTS, namespace, name, service, method, String(key % 1000), '')] = count;
    }
  }
  for (const [key, count] of series.replied) counters[seriesKey(REQUESTS, namespace, name, key)] = count;
  counters[seriesKey(REQUEST_BYTES, namespace, name)] = series.bytesIn;
  counters[seriesKey(RESPONSE_BYTES, namespace, name)] = series.bytesOut;
  histograms[seriesKey(REQUEST_DURATION, namespace, name)] = { bounds: DURATION_BOUNDS, counts: [...series.durations], sum: series.durationSum };
}
