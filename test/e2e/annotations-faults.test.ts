// Annotations whose effect only shows where endpoints are slow, silent or broken: one live Fairlead, a host for each.
import { once } from 'node:events';
import net from 'node:net';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import test from 'ava';
import { blackHole } from '../support/endpoint-blackhole.ts';
import { startBackend } from '../support/fairlead-backend.ts';
import { eventually, get } from '../support/fairlead-http.ts';
import type { Answer } from '../support/fairlead-http.ts';
import { annotated, documents, endpoints, service } from '../support/fairlead-manifests.ts';
import type { Notes } from '../support/fairlead-manifests.ts';
import { startFairlead } from '../support/fairlead-run.ts';
import { RawClient, statusOf } from '../support/raw-client.ts';

const SESSION: Notes = { affinity: 'cookie', 'session-cookie-name': 'route' };
const host = (name: string): string => `${name}.example.com`;

/** Host → annotations and the ports of its pods. */
function site(name: string, notes: Notes, ...ports: readonly number[]): string {
  return documents(annotated(name, notes, name), service(name), endpoints(name, ...ports));
}

test('timeouts, buffering, service-upstream and sessions do what their annotations say when endpoints are silent or break', async (t) => {
  t.timeout(60_000);
  const good = await startBackend(t, 'good');
  const other = await startBackend(t, 'other');
  const silent = await startBackend(t, 'silent', () => undefined);
  const mute = await startBackend(t, 'mute', () => undefined);
  const heads: string[] = [];
  const noting = await startBackend(t, 'noting', (request, response) => {
    heads.push(request.headers.host!);
    request.resume().on('end', () => response.end('noted')).on('error', () => undefined);
  });
  let broken = false;
  const moody = await startBackend(t, 'moody', (request, response) => void (broken ? request.socket.destroy() : response.end('moody')));
  const deaf = net.createServer((socket) => socket.pause().on('error', () => undefined));
  deaf.listen(0, '127.0.0.1');
  await once(deaf, 'listening');
  const hole = await blackHole();
  t.teardown(() => Promise.all([deaf.close(), hole.close()]));

  const cluster = { ...(JSON.parse(service('own')) as { spec: object }), spec: { clusterIP: '127.0.0.1', ports: [{ port: good }] } };
  const own = annotated('own', { 'service-upstream': 'true' }, 'own').replace('"number":80', `"number":${good}`);
  const run = await startFairlead(t, {
    files: {
      'read.yaml': site('read', { 'proxy-read-timeout': '1', 'proxy-next-upstream-tries': '1' }, silent),
      'connect.yaml': site('connect', { 'proxy-connect-timeout': '1', 'proxy-next-upstream-tries': '1' }, hole.endpoint.port),
      'send.yaml': site('send', { 'proxy-send-timeout': '1', 'proxy-body-size': '0' }, (deaf.address() as AddressInfo).port),
      'next.yaml': site('next', { 'proxy-read-timeout': '1' }, silent, mute),
      'budget.yaml': site('budget', { 'proxy-read-timeout': '1', 'proxy-next-upstream-timeout': '1' }, silent, mute),
      'held.yaml': site('held', {}, noting),
      'streamed.yaml': site('streamed', { 'proxy-request-buffering': 'off' }, noting),
      'own.yaml': documents(own, JSON.stringify(cluster), endpoints('own', silent)),
      'persistent.yaml': site('persistent', { ...SESSION, 'affinity-mode': 'persistent' }, good, other),
      'cookie.yaml': site('cookie', {
        ...SESSION, 'session-cookie-path': '/app', 'session-cookie-expires': '172800', 'session-cookie-max-age': '60', 'session-cookie-domain': 'example.com',
        'session-cookie-secure': 'true', 'session-cookie-samesite': 'None', 'session-cookie-conditional-samesite-none': 'true',
      }, good),
      'moves.yaml': site('moves', { ...SESSION, 'session-cookie-change-on-failure': 'true' }, moody, good),
      'stays.yaml': site('stays', SESSION, moody, good),
    },
  });
  const ask = (name: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> => get(run.http, '/', { host: host(name), headers });
  const attempts = (name: string): Promise<number> =>
    eventually(`the access log has ${name}`, () => {
      const line = run.accessLog.find((each) => each['host'] === host(name));
      return line === undefined ? undefined : ((line['attempts'] as readonly unknown[] | undefined)?.length ?? 1);
    });
  const timed = async (name: string, request: () => Promise<number>): Promise<void> => {
    const startedAt = performance.now();
    t.is(await request(), 504, name);
    const took = performance.now() - startedAt;
    t.true(took > 900 && took < 5_000, `${name}: ${took} ms`);
  };
  const upload = async (): Promise<number> => {
    const client = await RawClient.connect(run.http);
    client.write(`POST / HTTP/1.1\r\nHost: ${host('send')}\r\nContent-Length: 30000000\r\n\r\n${'x'.repeat(20_000_000)}`);
    const [message] = await client.responses(1);
    client.destroy();
    return statusOf(message!);
  };
  const halfUpload = async (name: string): Promise<void> => {
    const client = await RawClient.connect(run.http);
    client.write(`POST / HTTP/1.1\r\nHost: ${host(name)}\r\nContent-Length: 100\r\n\r\nhalf`);
    await pause(700);
    client.destroy();
  };
  const session = async (name: string, pod: string): Promise<string> =>
    eventually(`a session at ${pod}`, async () => {
      const { body, headers } = await ask(name);
      return body.startsWith(pod) ? headers['set-cookie']?.[0]?.split(';')[0] : undefined;
    });

  await Promise.all([
    timed('read', async () => (await ask('read')).status),
    timed('connect', async () => (await ask('connect')).status),
    timed('send', upload),
    ask('next'),
    ask('budget'),
    halfUpload('held'),
    halfUpload('streamed'),
  ]);
  t.is(await attempts('next'), 2);
  t.is(await attempts('budget'), 1, 'no further try begins after proxy-next-upstream-timeout');
  t.deepEqual(heads, [host('streamed')], 'with buffering on, half a body reaches nobody');

  t.is((await ask('own')).body, 'good GET /');

  const cookie = await session('persistent', 'good');
  for (let nth = 0; nth < 4; nth++) t.is((await ask('persistent', { cookie })).body, 'good GET /');
  run.write('persistent.yaml', site('persistent', { ...SESSION, 'affinity-mode': 'persistent' }, other));
  const moved = await eventually('its pod is gone', async () => (await ask('persistent', { cookie })).headers['set-cookie']?.[0]);
  t.not(moved.split(';')[0], cookie);

  const expected = /^route=[0-9a-f]{32}\|[0-9a-f]{32}; Expires=\w{3}, \d\d-\w{3}-\d\d [\d:]{8} GMT; Max-Age=60; Domain=example\.com; Path=\/app; Secure; HttpOnly/;
  const [set] = (await ask('cookie')).headers['set-cookie']!;
  t.regex(set!, new RegExp(`${expected.source}; SameSite=None$`));
  const [misread] = (await ask('cookie', { 'user-agent': 'Mozilla/5.0 (iPhone; CPU iPhone OS 12_0 like Mac OS X)' })).headers['set-cookie']!;
  t.regex(misread!, new RegExp(`${expected.source}$`));

  const [moving, staying] = await Promise.all([session('moves', 'moody'), session('stays', 'moody')]);
  broken = true;
  const after = await ask('moves', { cookie: moving });
  t.is(after.body, 'good GET /');
  t.true(after.headers['set-cookie']?.[0]?.startsWith('route='), 'the session moves');
  t.is((await ask('stays', { cookie: staying })).status, 502);
});
