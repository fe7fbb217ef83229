// A gate that is set by path holds for every spelling that an endpoint may take for that path, however the request comes.
import { once } from 'node:events';
import http2 from 'node:http2';
import test from 'ava';
import { cluster, endpoint, route, startDataPlane, virtualHost } from '../../support/data-plane.ts';
import type { DataPlane } from '../../support/data-plane.ts';
import { RawClient, exchangeRaw, statusOf } from '../../support/raw-client.ts';
import { startRecordingEndpoint } from '../../support/recording-endpoint.ts';
import type { RecordingEndpoint } from '../../support/recording-endpoint.ts';
import type { Route } from '../../../proxy/table/route.ts';

let backend: RecordingEndpoint;
let proxy: DataPlane;

function denied(prefix: string): Route {
  return { ...route(prefix, ''), action: { type: 'Respond', status: 503, body: '', reason: 'RouteDenied' } };
}

test.before(async () => {
  backend = await startRecordingEndpoint();
  const exact = route('/v1;beta', 'test/web:80');
  proxy = await startDataPlane({
    virtualHosts: {
      'http/shop.test': virtualHost('shop.test', [
        { ...exact, match: { ...exact.match, path: { type: 'Exact', value: '/v1;beta' } } },
        denied('/admin'), denied('/v1'), route('/matrix;v=1', 'test/web:80', { timeouts: { readIdleMs: 2_000 } }), route('/api', 'test/web:80', { timeouts: { readIdleMs: 1_000 } }), route('/orders', 'test/web:80'), route('/', 'test/web:80'),
      ]),
    },
    clusters: { 'test/web:80': cluster('test/web:80') },
    endpoints: { 'test/web:80': [endpoint(backend.port)] },
  });
});
test.after.always(async () => {
  await proxy.close();
  await backend.close();
});

/** How often the endpoint got a request of this target. */
function received(target: string): number {
  return backend.requests().filter(({ startLine }) => startLine.split(' ')[1] === target).length;
}

function ask(target: string): ReturnType<typeof exchangeRaw> {
  return exchangeRaw(proxy.port, `GET ${target} HTTP/1.1\r\nHost: shop.test\r\n\r\n`);
}

const PAST_THE_GATE = ['/admin%2Fx', '/admin%2fx', '/%2Fadmin/x', '/admin;x', '/admin%3Bx', '/;/admin/x', '/;v=1/admin', '/admin%5Cx', '/%5cadmin', '/%61dmin%2fx', '/admin;x%2Fy', '/a/../admin;x', '/api%2Fx', '/api;v=1/x'];

for (const target of PAST_THE_GATE) {
  test(`${target} is another route's path once it is decoded or cut at its parameters, and is refused`, async (t) => {
    const { message, client } = await ask(target);
    t.is(statusOf(message), 400);
    t.regex(message.body.toString(), /^400 Bad Request\nAmbiguousPath: .*another route/);
    t.is(received(target), 0);
    client.destroy();
  });
}

test('a path that only leads to another route with the same application and settings is no way past anything', async (t) => {
  for (const target of ['/orders;jsessionid=1', '/orders%2F7']) {
    const { message, client } = await ask(target);
    t.is(statusOf(message), 200);
    t.is(received(target), 1);
    client.destroy();
  }
});

test('a WebSocket is no way past the gate', async (t) => {
  const client = await RawClient.connect(proxy.port);
  client.write('GET /admin%2Fsocket HTTP/1.1\r\nHost: shop.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n');
  const [message] = await client.responses(1);
  t.is(message && statusOf(message), 400);
  t.is(proxy.log.findLast(({ exchange }) => exchange.request.target === '/admin%2Fsocket')?.reason, 'AmbiguousPath');
  client.destroy();
});

test('nor is HTTP/2', async (t) => {
  const session = http2.connect(`http://127.0.0.1:${proxy.port}`);
  t.teardown(() => session.destroy());
  for (const target of ['/admin%2Fx', '/admin;x']) {
    const stream = session.request({ ':path': target, ':authority': 'shop.test' });
    const [headers] = await once(stream, 'response') as [http2.IncomingHttpHeaders];
    stream.resume();
    t.is(headers[':status'] as unknown, 400);
  }
});

for (const target of ['/api/v4/projects/group%2Fproject', '/api/files/a%5Cb', '/api/orders;v=1/items', '/jobs;jsessionid=1', '/a%3Bb', '/administrator;x', '/v1;beta', '/matrix;v=1', '/matrix;v=1/a', '/matrix;v=1/a%2Fb']) {
  test(`${target} goes on to its endpoint as it was sent: all that it can be read as is the same route's`, async (t) => {
    const { message, client } = await ask(target);
    t.is(statusOf(message), 200);
    t.is(received(target), 1);
    client.destroy();
  });
}
