// Endpoints that misbehave while mixed load goes through two workers: what one of them does wrong no client sees, as long as
// another can answer. Each fault in detail, against one worker and raw sockets, is in test/proxy/server and test/proxy/upstream.
// Numbers are those of the list in test/soak/README.md.
import { setTimeout as pause } from 'node:timers/promises';
import test from 'ava';
import { answer, endAfter, rawEndpoint, reset } from '../support/endpoint-raw.ts';
import type { Script } from '../support/endpoint-raw.ts';
import { blackHole } from '../support/endpoint-blackhole.ts';
import { eventually, get } from '../support/fairlead-http.ts';
import { documents, endpoints, ingress, service } from '../support/fairlead-manifests.ts';
import { FULL, startLoadSite } from '../support/load-site.ts';
import { MixedLoad } from '../support/mixed-load.ts';

const SIZE = FULL ? { rate: 500, seconds: 15 } : { rate: 200, seconds: 1 };
const NOTES = { 'nginx.ingress.kubernetes.io/proxy-next-upstream': 'error timeout http_503' };

function annotated(name: string, host: string): string {
  const object = JSON.parse(ingress(name, { host, paths: { '/': name } })) as { metadata: Record<string, unknown> };
  object.metadata['annotations'] = NOTES;
  return JSON.stringify(object);
}

/** Every hundredth answer is followed by the end of the connection, of which nobody was told. */
function stale(): Script {
  let served = 0;
  return (request, socket, connection, nth) => {
    answer('fine')(request, socket, connection, nth);
    if (++served % 100 === 0) setTimeout(() => socket.end(), Math.random() * 4);
  };
}

/** `leftOut`: after a few requests it gets hardly any more. */
const FAULTS: readonly (readonly [what: string, script: Script, leftOut: boolean])[] = [
  ['19: an endpoint that resets every connection before its answer', (_request, socket) => reset(socket), true],
  ['19: an endpoint that closes every connection before its answer', endAfter(''), true],
  ['21: endpoints that close one in a hundred connections behind an answer', stale(), false],
];

for (const [what, script, leftOut] of FAULTS) {
  test.serial(`${what}: no request fails`, async (t) => {
    t.timeout(120_000);
    const site = await startLoadSite(t);
    const load = await MixedLoad.start(t, { port: site.fairlead.http, rate: SIZE.rate });
    await pause(500);
    const bad = await rawEndpoint(script);
    t.teardown(() => bad.close());
    site.fairlead.write('bad.yaml', endpoints('web', bad.endpoint.port));
    await eventually('the endpoint is asked', () => bad.requests.length > 0);
    await pause(SIZE.seconds * 1000);
    const { failures, sent } = await load.stop();
    t.deepEqual(failures, []);
    // Its share would be more than a third of them.
    if (FULL && leftOut) t.true(bad.requests.length < sent / 20, `${bad.requests.length} of ${sent}`);
    t.log(`${sent} requests, F = 0; ${bad.requests.length} of them met the endpoint`);
  });
}

test.serial('22: an endpoint that cannot be connected to costs its first requests the connect timeout, and fails none', async (t) => {
  t.timeout(120_000);
  const site = await startLoadSite(t, { args: ['--proxy-connect-timeout', '1s'] });
  const load = await MixedLoad.start(t, { port: site.fairlead.http, rate: SIZE.rate });
  const hole = await blackHole();
  t.teardown(() => hole.close());
  const slice = endpoints('web', hole.endpoint.port).replaceAll('127.0.0.1', hole.endpoint.address);
  site.fairlead.write('bad.yaml', slice);
  await pause(1_000 + SIZE.seconds * 1000);
  const { failures, sent } = await load.stop();
  t.deepEqual(failures, []);
  const timeouts = (await get(site.fairlead.admin, '/metrics')).body.split('\n').filter((line) => line.startsWith('fairlead_upstream_attempts_total') && line.includes('UpstreamConnectionTimeout')).reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  t.true(timeouts > 0);
  t.log(`${sent} requests, F = 0; ${timeouts} tries ran into the connect timeout`);
});

const CONNECT_MS = FULL ? 5_000 : 1_000;

test.serial(`22: where it is the only one, the answer is 504 when the connect timeout of ${CONNECT_MS} ms is over`, async (t) => {
  t.timeout(120_000);
  const hole = await blackHole();
  t.teardown(() => hole.close());
  const slice = endpoints('alone', hole.endpoint.port).replaceAll('127.0.0.1', hole.endpoint.address);
  const site = await startLoadSite(t, {
    args: ['--proxy-connect-timeout', `${CONNECT_MS}ms`],
    files: { 'alone.yaml': documents(ingress('alone', { host: 'alone.example.com', paths: { '/': 'alone' } }), service('alone'), slice) },
  });
  const load = await MixedLoad.start(t, { port: site.fairlead.http, rate: SIZE.rate });
  const times = await Promise.all(Array.from({ length: 50 }, async (_, nth) => {
    await pause(nth * 20);
    const askedAt = performance.now();
    t.is((await get(site.fairlead.http, '/', { host: 'alone.example.com' })).status, 504);
    return performance.now() - askedAt;
  }));
  const { failures, sent } = await load.stop();
  t.deepEqual(failures, []);
  const [least, most] = [Math.min(...times), Math.max(...times)];
  t.true(least >= CONNECT_MS * 0.9 && most <= CONNECT_MS * 1.1 + (FULL ? 0 : 1_000), `${least} to ${most} ms`);
  t.log(`50 requests got 504 after ${Math.round(least)} to ${Math.round(most)} ms; ${sent} requests of others, F = 0`);
});

/** What a Service that never answers may have under way and waiting in each of the two workers: less than comes over HTTP/1.1 alone until the first timeout (connections with one request are served before those with many), and more than others need. */
const HANG = { places: FULL ? 40 : 30, waiting: FULL ? 10 : 2, timeoutMs: 1_000 };

test.serial('23: a Service that accepts and never answers slows nobody else, and has no more requests than it may', async (t) => {
  t.timeout(120_000);
  const hanging = await rawEndpoint(() => undefined);
  t.teardown(() => hanging.close());
  const site = await startLoadSite(t, {
    args: ['--proxy-response-timeout', `${HANG.timeoutMs}ms`, '--endpoint-requests', String(HANG.places), '--waiting-requests', String(HANG.waiting)],
    files: { 'hang.yaml': documents(ingress('hang', { host: 'hang.example.com', paths: { '/': 'hang' } }), service('hang'), endpoints('hang', hanging.endpoint.port)) },
  });
  const load = await MixedLoad.start(t, { port: site.fairlead.http, rate: SIZE.rate });
  await pause(1_000);
  load.lap();
  await pause(SIZE.seconds * 1000);
  const quiet = load.lap();
  const stuckAt = performance.now();
  const stuck = await MixedLoad.start(t, { port: site.fairlead.http, rate: SIZE.rate / 2, mix: ['h1', 'h2'], host: 'hang.example.com' });
  await pause(SIZE.seconds * 1000);
  const meanwhile = load.lap();
  const hung = await stuck.stop();
  const stuckMs = performance.now() - stuckAt;
  const rest = await load.stop();
  t.deepEqual([...quiet.failures, ...meanwhile.failures, ...rest.failures], []);
  t.deepEqual(Object.keys(hung.outcomes), ['h1 503', 'h1 504', 'h2 503', 'h2 504'], JSON.stringify(hung.outcomes));
  if (FULL) t.true(meanwhile.p99 < quiet.p99 * 2, `p99 ${quiet.p99} → ${meanwhile.p99} ms`);
  // Each place is taken for the whole timeout, and then by the next one.
  const most = 2 * HANG.places * (Math.floor(stuckMs / (HANG.timeoutMs * 0.99)) + 1);
  t.true(hanging.requests.length <= most, `${hanging.requests.length} requests reached it in ${Math.round(stuckMs)} ms, and ${most} may`);
  t.log(`${meanwhile.sent} requests of others, F = 0; p50 ${quiet.p50.toFixed(1)} → ${meanwhile.p50.toFixed(1)} ms, p99 ${quiet.p99.toFixed(1)} → ${meanwhile.p99.toFixed(1)} ms; its own: ${JSON.stringify(hung.outcomes)}, ${hanging.requests.length} of them reached it in ${(stuckMs / 1000).toFixed(1)} s`);
});

const unavailable = answer('sorry', [], '503 Service Unavailable');

test.serial('30: of three endpoints one answers 30 % with 503: after five seconds at least 99.5 % succeed', async (t) => {
  t.timeout(120_000);
  const [bad, one, two] = await Promise.all([
    rawEndpoint((...call) => (Math.random() < 0.3 ? unavailable : answer('fine'))(...call)), rawEndpoint(answer('fine')), rawEndpoint(answer('fine')),
  ]);
  t.teardown(() => Promise.all([bad, one, two].map((each) => each.close())));
  const site = await startLoadSite(t, { files: { 'flaky.yaml': documents(annotated('flaky', 'flaky.example.com'), service('flaky'), endpoints('flaky', bad.endpoint.port, one.endpoint.port, two.endpoint.port)) } });
  const load = await MixedLoad.start(t, { port: site.fairlead.http, rate: SIZE.rate, mix: ['h1', 'h2', 'fresh'], host: 'flaky.example.com' });
  await pause(FULL ? 5_000 : 500);
  load.lap();
  await pause(SIZE.seconds * 1000);
  const { failures, sent, outcomes } = await load.stop();
  t.true(failures.length <= sent * 0.005, JSON.stringify(outcomes));
  t.log(`${sent - failures.length} of ${sent} succeeded; requests at the endpoints: ${[bad, one, two].map((each) => each.requests.length).join(', ')}`);
});

test.serial('31: when every endpoint says 503, they get at most 1.2 times what clients send', async (t) => {
  t.timeout(120_000);
  const bad = await Promise.all([0, 1, 2].map(() => rawEndpoint(unavailable)));
  t.teardown(() => Promise.all(bad.map((each) => each.close())));
  const site = await startLoadSite(t, { files: { 'storm.yaml': documents(annotated('storm', 'storm.example.com'), service('storm'), endpoints('storm', ...bad.map(({ endpoint }) => endpoint.port))) } });
  const load = await MixedLoad.start(t, { port: site.fairlead.http, rate: SIZE.rate, mix: ['h1', 'h2', 'fresh'], host: 'storm.example.com' });
  const seconds = FULL ? 20 : 5;
  await pause(seconds * 1000);
  const { sent, outcomes } = await load.stop();
  t.true(Object.keys(outcomes).every((outcome) => outcome.endsWith(' 503')), JSON.stringify(outcomes));
  const asked = bad.reduce((sum, { requests }) => sum + requests.length, 0);
  // A worker may try three a second again, however few requests it has; of two at this rate only one can have so few that this is more than a fifth.
  t.true(asked <= sent * 1.2 + 3 * seconds, `${asked} for ${sent}`);
  t.true(asked > sent * 1.05, `${asked} for ${sent}: hardly any was tried again`);
  t.log(`${asked} requests at the endpoints for ${sent} of clients: ${(asked / sent).toFixed(2)} times`);
});
