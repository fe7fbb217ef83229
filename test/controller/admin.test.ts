// The admin port by itself: what each page answers, and what it never shows.
import type { AddressInfo } from 'node:net';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { AdminMetrics } from '../../controller/admin/metrics.ts';
import { startAdmin } from '../../controller/admin/server.ts';
import type { AdminView } from '../../controller/admin/view.ts';
import type { Problem } from '../../controller/model/problem.ts';
import { EMPTY_SNAPSHOT } from '../../proxy/table/snapshot.ts';
import { REQUESTS, REQUEST_DURATION, seriesKey } from '../../proxy/table/metrics.ts';
import { get } from '../support/fairlead-http.ts';

const PROBLEM: Problem = {
  severity: 'error',
  reason: 'BackendNotFound',
  origin: { kind: 'Ingress', namespace: 'shop', name: '<script>alert(1)</script>', field: 'spec.rules[0]' },
  message: 'there is no Service \u001b[31m"x"',
  effect: 'RouteDenied',
};
const CERTIFICATE = { name: 'sha256/ab', hostnames: ['shop.example.com'], notAfter: 0, chainPem: 'CHAIN', keyPem: '-----BEGIN PRIVATE KEY-----' };

async function start(t: ExecutionContext, view: Partial<AdminView> = {}): Promise<number> {
  const whole: AdminView = {
    notReady: () => undefined,
    snapshot: () => ({ ...EMPTY_SNAPSHOT, certificates: { 'sha256/ab': CERTIFICATE } }),
    problems: () => [PROBLEM],
    locate: () => ({ file: 'shop.yaml', line: 7 }),
    metrics: async () => 'fairlead_up 1\n',
    ...view,
  };
  const { server, port } = await startAdmin('127.0.0.1', 0, whole);
  t.teardown(() => server.close());
  t.is((server.address() as AddressInfo).port, port);
  return port;
}

test('every page is text or json that no browser may interpret', async (t) => {
  const port = await start(t);
  for (const path of ['/', '/healthz', '/readyz', '/metrics', '/table', '/problems', '/table?output=json', '/nothing']) {
    const { headers, status } = await get(port, path);
    t.is(status, path === '/nothing' ? 404 : 200, path);
    t.regex(String(headers['content-type']), /^(text\/plain|application\/json);/);
    t.is(headers['x-content-type-options'], 'nosniff');
    t.regex(String(headers['content-security-policy']), /default-src 'none'/);
  }
});

test('readiness says why it is not', async (t) => {
  const port = await start(t, { notReady: () => 'draining' });
  const { status, body } = await get(port, '/readyz');
  t.deepEqual([status, body], [503, 'draining\n']);
  t.is((await get(port, '/healthz')).status, 200);
});

test('problems come as text and as json, without control characters', async (t) => {
  const port = await start(t);
  t.is((await get(port, '/problems')).body, [
    'shop.yaml:7: error BackendNotFound',
    '  Ingress shop/<script>alert(1)</script> spec.rules[0]',
    '  there is no Service \\u{1b}[31m"x"',
    '  effect: requests that it routes are answered 503',
    '',
    '1 error, 0 warnings',
    '',
  ].join('\n'));
  t.deepEqual(JSON.parse((await get(port, '/problems', { headers: { accept: 'application/json' } })).body), [{
    file: 'shop.yaml', line: 7, object: 'Ingress shop/<script>alert(1)</script>', field: 'spec.rules[0]', severity: 'error', reason: 'BackendNotFound',
    message: 'there is no Service \u001b[31m"x"', effect: 'RouteDenied', done: 'requests that it routes are answered 503',
  }]);
});

test('many Problems whose places take long to find keep nobody else waiting', async (t) => {
  const slow: AdminView['locate'] = () => {
    for (const until = performance.now() + 2; performance.now() < until; );
    return { file: 'shop.yaml', line: 7 };
  };
  const port = await start(t, { problems: () => Array.from({ length: 500 }, () => PROBLEM), locate: slow });
  const answered: string[] = [];
  const ask = async (path: string): Promise<void> => {
    t.is((await get(port, path)).status, 200);
    answered.push(path);
  };
  await Promise.all([ask('/problems'), ask('/problems?output=json'), ask('/healthz')]);
  t.is(answered[0], '/healthz');
});

test('no page shows a private key', async (t) => {
  const port = await start(t);
  for (const path of ['/table', '/table?output=json']) t.false((await get(port, path)).body.includes('PRIVATE KEY'));
});

test('what throws inside a page is an answer of 500 and nothing more', async (t) => {
  const port = await start(t, { metrics: () => Promise.reject(new Error('workers are gone')) });
  t.deepEqual(await get(port, '/metrics').then(({ status, body }) => [status, body]), [500, 'workers are gone\n']);
  t.is((await get(port, '/healthz')).status, 200);
});

test('the metrics page holds the workers\' sums, with buckets that add up, and the state of the controller', async (t) => {
  const page = await new AdminMetrics('1.2.3').page(
    { snapshot: { ...EMPTY_SNAPSHOT, version: 5 }, problems: [PROBLEM, PROBLEM], ready: false, workers: [{ index: 0, version: 5 }, { index: 1, version: 3 }] },
    {
      counters: { [seriesKey(REQUESTS, 'shop', 'a"b\n', 'shop/web:80', 'GET', '200', '')]: 4, 'unknown\u0000x': 1 },
      gauges: {},
      histograms: { [seriesKey(REQUEST_DURATION, 'shop', 'web')]: { bounds: [0.1, 1], counts: [2, 1, 1], sum: 3.5 } },
    },
  );
  t.true(page.includes('fairlead_build_info{version="1.2.3"} 1'));
  t.true(page.includes('fairlead_table_version 5'));
  t.true(page.includes('fairlead_ready 0'));
  t.true(page.includes('fairlead_problems{severity="error",reason="BackendNotFound"} 2'));
  t.true(page.includes('fairlead_worker_version_lag{worker="1"} 2'));
  t.true(page.includes('fairlead_requests_total{namespace="shop",ingress="a\\"b\\n",service="shop/web:80",method="GET",status="200",reason=""} 4'));
  t.true(page.includes('fairlead_request_duration_seconds_bucket{namespace="shop",ingress="web",le="0.1"} 2'));
  t.true(page.includes('fairlead_request_duration_seconds_bucket{namespace="shop",ingress="web",le="1"} 3'));
  t.true(page.includes('fairlead_request_duration_seconds_bucket{namespace="shop",ingress="web",le="+Inf"} 4'));
  t.true(page.includes('fairlead_request_duration_seconds_sum{namespace="shop",ingress="web"} 3.5'));
  t.true(page.includes('fairlead_request_duration_seconds_count{namespace="shop",ingress="web"} 4'));
  t.false(page.includes('unknown'));
  for (const name of new Set([...page.matchAll(/^(fairlead_[a-z_]+?)(?:_bucket|_sum|_count)?[ {]/gm)].map(([, found]) => found ?? ''))) t.true(page.includes(`# HELP ${name}`), name);
});
