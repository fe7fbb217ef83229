// What the worker's counters say of exchanges, and that what a client chooses cannot blow them up.
import test from 'ava';
import { Metrics } from '../../../proxy/observe/metrics.ts';
import { ATTEMPTS, CONNECTIONS, CONNECTIONS_ACCEPTED, CONNECTIONS_REFUSED, DURATION_BOUNDS, EVENT_LOOP_DELAY, EVENT_LOOP_DELAY_P99, HANDSHAKE_FAILURES, LOG_LINES_DROPPED, PASSED, REQUESTS, REQUEST_BYTES, REQUEST_DURATION, RESPONSE_BYTES, UPGRADED, seriesKey } from '../../../proxy/table/metrics.ts';
import type { Cluster } from '../../../proxy/table/cluster.ts';
import type { Route } from '../../../proxy/table/route.ts';
import { EMPTY_SNAPSHOT } from '../../../proxy/table/snapshot.ts';
import type { Snapshot } from '../../../proxy/table/snapshot.ts';
import { exchange, route } from '../../support/fairlead-exchange.ts';

test('an answered request is counted under the object, the service, the method and the status', (t) => {
  const metrics = new Metrics(0);
  const web = route('shop', 'web');
  metrics.observeExchange(exchange({ route: web, cluster: 'shop/web:80', status: 200 }), 10, 100, 3);
  metrics.observeExchange(exchange({ route: web, cluster: 'shop/web:80', status: 200 }), 5, 50, 3);
  metrics.observeExchange(exchange({ route: web, cluster: 'shop/web:80', status: 404 }), 0, 0, 3);
  const { counters } = metrics.stats();
  t.is(counters[seriesKey(REQUESTS, 'shop', 'web', 'shop/web:80', 'GET', '200', '')], 2);
  t.is(counters[seriesKey(REQUESTS, 'shop', 'web', 'shop/web:80', 'GET', '404', '')], 1);
  t.is(counters[seriesKey(REQUEST_BYTES, 'shop', 'web')], 15);
  t.is(counters[seriesKey(RESPONSE_BYTES, 'shop', 'web')], 150);
});

test('what the proxy answered itself is counted under its reason, with or without a route', (t) => {
  const metrics = new Metrics(0);
  metrics.observeExchange(exchange({ status: 404, reason: 'NoRouteFound' }), 0, 0, 1);
  metrics.observeExchange(exchange({ route: route('shop', 'web'), cluster: 'shop/web:80', status: 503, reason: 'NoHealthyUpstream' }), 0, 0, 1);
  const { counters } = metrics.stats();
  t.is(counters[seriesKey(REQUESTS, '', '', '', 'GET', '404', 'NoRouteFound')], 1);
  t.is(counters[seriesKey(REQUESTS, 'shop', 'web', 'shop/web:80', 'GET', '503', 'NoHealthyUpstream')], 1);
});

test('connections that were passed through are counted by service and by why the proxy ended them, as long as there is the service', (t) => {
  const metrics = new Metrics(0);
  let table: Snapshot = { ...EMPTY_SNAPSHOT, version: 1, clusters: { 'shop/pass:443': {} as Cluster } };
  metrics.watchTable(() => table);
  const passage = { client: '', serverName: '', origin: { kind: 'Ingress', namespace: 'shop', name: 'pass' }, cluster: 'shop/pass:443', endpoint: undefined, bytesIn: 0, bytesOut: 0, elapsedMs: 0 } as const;
  for (const reason of ['', '', 'NoHealthyUpstream']) metrics.observePassage({ ...passage, endedBy: reason === '' ? 'client' : 'proxy', reason });
  const { counters } = metrics.stats();
  t.deepEqual([counters[seriesKey(PASSED, 'shop/pass:443', '')], counters[seriesKey(PASSED, 'shop/pass:443', 'NoHealthyUpstream')]], [2, 1]);
  table = { ...EMPTY_SNAPSHOT, version: 2 };
  t.false(Object.keys(metrics.stats().counters).some((key) => key.startsWith(PASSED.name)));
});

test('two routes of one object share its series, also after the route was replaced by a new table', (t) => {
  const metrics = new Metrics(0);
  for (const each of [route('shop', 'web'), route('shop', 'web')]) metrics.observeExchange(exchange({ route: each, cluster: 'shop/web:80', status: 200 }), 0, 0, 1);
  t.is(metrics.stats().counters[seriesKey(REQUESTS, 'shop', 'web', 'shop/web:80', 'GET', '200', '')], 2);
});

test('methods that nobody knows share one label, whatever they are called', (t) => {
  const metrics = new Metrics(0);
  for (const method of ['PURGE', 'X1', 'X2', '__proto__', 'get']) metrics.observeExchange(exchange({ method, status: 200 }), 0, 0, 1);
  const keys = Object.keys(metrics.stats().counters).filter((key) => key.startsWith(REQUESTS.name));
  t.deepEqual(keys, [seriesKey(REQUESTS, '', '', '', 'OTHER', '200', '')]);
});

test('beyond ten thousand objects further ones share a series', (t) => {
  const metrics = new Metrics(0);
  for (let i = 0; i < 10_200; i++) metrics.observeExchange(exchange({ route: route('shop', `web-${i}`), cluster: `shop/web-${i}:80`, status: 200 }), 0, 0, 1);
  const { histograms, counters } = metrics.stats();
  t.true(Object.keys(histograms).length <= 10_001);
  t.true((counters[seriesKey(REQUESTS, '', '_other', '_other', 'GET', '200', '')] ?? 0) >= 200);
});

test('the delay of an event loop that nobody holds up is none, and that of one that is held up is its length', async (t) => {
  const metrics = new Metrics(3);
  await new Promise((resolve) => setTimeout(resolve, 100));
  metrics.stats();
  // The look that follows a scrape begins the next ones.
  await new Promise((resolve) => setTimeout(resolve, 50));
  for (const until = performance.now() + 150; performance.now() < until; );
  await new Promise((resolve) => setTimeout(resolve, 50));
  const { gauges } = metrics.stats();
  const longest = gauges[seriesKey(EVENT_LOOP_DELAY, '3')] ?? 0;
  t.true(longest >= 0.1 && longest < 1, `${longest} s`);
  t.true((gauges[seriesKey(EVENT_LOOP_DELAY_P99, '3')] ?? -1) >= 0);
});

test('an object or a service that the table no longer has is forgotten, and what has neither is not', (t) => {
  const metrics = new Metrics(0);
  const [kept, gone] = [route('shop', 'kept'), route('shop', 'gone')];
  const cluster = (name: string): Cluster => ({ name, protocol: 'HTTP/1.1', loadBalancer: { type: 'RoundRobin' }, connectTimeoutMs: 1000, origin: kept.origin });
  const table = (version: number, routes: readonly Route[], services: readonly string[]): Snapshot => ({
    ...EMPTY_SNAPSHOT, version, virtualHosts: { 'http/a.example': { listeners: ['http'], hostname: 'a.example', routes } }, clusters: Object.fromEntries(services.map((name) => [name, cluster(name)])),
  });
  let now = table(1, [kept, gone], ['shop/web:80', 'shop/old:80']);
  metrics.watchTable(() => now);
  const observe = (): void => {
    for (const [each, service] of [[kept, 'shop/web:80'], [kept, 'shop/old:80'], [gone, 'shop/web:80']] as const) {
      metrics.observeExchange(exchange({ route: each, cluster: service, status: 200 }), 0, 0, 1);
      metrics.observeExchange(exchange({ route: each, cluster: service, status: 503, reason: 'NoHealthyUpstream' }), 0, 0, 1);
    }
  };
  observe();
  metrics.observeExchange(exchange({ status: 404, reason: 'NoRouteFound' }), 0, 0, 1);
  const requests = (): string[] => Object.keys(metrics.stats().counters).filter((key) => key.startsWith(REQUESTS.name)).map((key) => key.split('\u0000').slice(1, 4).join(' '));
  t.is(requests().length, 7);
  now = table(2, [kept], ['shop/web:80']);
  t.deepEqual([...new Set(requests())].sort(), ['  ', 'shop kept shop/web:80']);
  // A request that outlived its object counts nowhere, and an object that comes back begins anew.
  metrics.observeExchange(exchange({ route: gone, cluster: 'shop/web:80', status: 200 }), 0, 0, 1);
  t.is(requests().length, 3);
  metrics.observeExchange(exchange({ route: route('shop', 'gone'), cluster: 'shop/web:80', status: 200 }), 0, 0, 1);
  t.is(metrics.stats().counters[seriesKey(REQUESTS, 'shop', 'gone', 'shop/web:80', 'GET', '200', '')], 1);
});

test('objects that came and went leave room for those that come', (t) => {
  const metrics = new Metrics(0);
  let version = 1;
  let routes: readonly Route[] = [];
  metrics.watchTable(() => ({ ...EMPTY_SNAPSHOT, version, virtualHosts: { 'http/a.example': { listeners: ['http'], hostname: 'a.example', routes } } }));
  for (let round = 0; round < 3; round++) {
    routes = Array.from({ length: 5_000 }, (_, index) => route('shop', `web-${round}-${index}`));
    version++;
    for (const each of routes) metrics.observeExchange(exchange({ route: each, status: 200 }), 0, 0, 1);
  }
  t.false(Object.keys(metrics.stats().counters).some((key) => key.includes('_other')));
});

test('durations fall into the bucket whose bound they do not exceed', (t) => {
  const metrics = new Metrics(0);
  for (const ms of [1, 1.5, 60_000, 60_001]) metrics.observeExchange(exchange({ status: 200 }), 0, 0, ms);
  const data = metrics.stats().histograms[seriesKey(REQUEST_DURATION, '', '')];
  t.deepEqual(data?.counts.slice(0, 2), [1, 1]);
  t.deepEqual(data?.counts.slice(-2), [1, 1]);
  t.is(data?.counts.length, DURATION_BOUNDS.length + 1);
  t.is(data?.sum, 0.001 + 0.0015 + 60 + 60.001);
});

test('every try counts, by the class of its status or by its failure', (t) => {
  const metrics = new Metrics(0);
  const endpoint = { address: '10.0.0.1', port: 80, ready: true, serving: true, terminating: false };
  const attempts = [{ endpoint, startedAt: 0, error: 'UpstreamConnectionFailure' }, { endpoint, startedAt: 0, status: 204 }];
  metrics.observeExchange(exchange({ cluster: 'shop/web:80', status: 204, attempts }), 0, 0, 1);
  const { counters } = metrics.stats();
  t.is(counters[seriesKey(ATTEMPTS, 'shop/web:80', 'UpstreamConnectionFailure')], 1);
  t.is(counters[seriesKey(ATTEMPTS, 'shop/web:80', '2xx')], 1);
});

test('connections, upgrades, failed handshakes and dropped log lines', (t) => {
  const metrics = new Metrics(0);
  metrics.connectionOpened('http');
  metrics.connectionOpened('http');
  metrics.connectionClosed('http');
  metrics.handshakeFailed('https');
  metrics.connectionRefused('http', 'InvalidProxyHeader');
  metrics.countUpgraded(() => 1);
  metrics.countDroppedLogLines(() => 7);
  const { counters, gauges } = metrics.stats();
  t.is(gauges[seriesKey(CONNECTIONS, 'http')], 1);
  t.is(counters[seriesKey(CONNECTIONS_ACCEPTED, 'http')], 2);
  t.is(counters[seriesKey(HANDSHAKE_FAILURES, 'https')], 1);
  t.is(counters[seriesKey(CONNECTIONS_REFUSED, 'http', 'InvalidProxyHeader')], 1);
  t.is(counters[seriesKey(CONNECTIONS_REFUSED, 'http', 'TooManyConnections')], 0);
  t.is(gauges[seriesKey(UPGRADED)], 1);
  t.is(counters[seriesKey(LOG_LINES_DROPPED)], 7);
});
