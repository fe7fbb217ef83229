// Counters of workers added up: those of processes that are gone stay, unless the table no longer has what they are about.
import test from 'ava';
import { StatsCollector } from '../../../controller/publish/stats.ts';
import type { WorkerStats } from '../../../proxy/table/messages.ts';
import { ATTEMPTS, CONNECTIONS_ACCEPTED, REQUESTS, REQUEST_DURATION, seriesKey } from '../../../proxy/table/metrics.ts';

const KEPT = seriesKey(REQUESTS, 'shop', 'kept', 'shop/web:80', 'GET', '200', '');
const OF_OLD_SERVICE = seriesKey(REQUESTS, 'shop', 'kept', 'shop/old:80', 'GET', '200', '');
const GONE = seriesKey(REQUESTS, 'shop', 'gone', 'shop/web:80', 'GET', '200', '');
const UNROUTED = seriesKey(REQUESTS, '', '', '', 'GET', '404', 'NoRouteFound');
const OTHERS = seriesKey(REQUESTS, '', '_other', '_other', 'GET', '200', '');
const ACCEPTED = seriesKey(CONNECTIONS_ACCEPTED, 'http');
const TRIES = seriesKey(ATTEMPTS, 'shop/old:80', '2xx');

test('what a worker that is gone had counted stays for as long as the table has its object and its service', async (t) => {
  let table = { objects: ['shop/kept', 'shop/gone'], services: ['shop/web:80', 'shop/old:80'] };
  const collector = new StatsCollector(1, () => false, () => ({ object: (namespace, name) => table.objects.includes(`${namespace}/${name}`), service: (name) => table.services.includes(name) }));
  const counters = Object.fromEntries([KEPT, OF_OLD_SERVICE, GONE, UNROUTED, OTHERS, ACCEPTED, TRIES].map((key) => [key, 1]));
  const histogram = { bounds: [1], counts: [1, 0], sum: 1 };
  const stats: WorkerStats = { counters, gauges: {}, histograms: { [seriesKey(REQUEST_DURATION, 'shop', 'kept')]: histogram, [seriesKey(REQUEST_DURATION, 'shop', 'gone')]: histogram } };
  collector.receive(0, 1, stats);
  collector.retire(0);
  t.deepEqual((await collector.collect()).counters, counters);
  table = { objects: ['shop/kept'], services: ['shop/web:80'] };
  const after = await collector.collect();
  t.deepEqual(Object.keys(after.counters).sort(), [KEPT, UNROUTED, OTHERS, ACCEPTED].sort());
  t.deepEqual(Object.keys(after.histograms), [seriesKey(REQUEST_DURATION, 'shop', 'kept')]);
});
