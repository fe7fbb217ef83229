// A filter that throws is a bug, and costs the request that meets it: 500, wherever the filter was called from, and never the worker.
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { WebSocketServer } from 'ws';
import type { Filter } from '../../../proxy/filters/define.ts';
import { FILTERS } from '../../../proxy/filters/registry.ts';
import type { FilterSpec } from '../../../proxy/table/filter.ts';
import { cluster, endpoint, route, startDataPlane, virtualHost } from '../../support/data-plane.ts';
import type { DataPlane } from '../../support/data-plane.ts';
import { RawClient, statusOf } from '../../support/raw-client.ts';

const UPGRADE = 'Upgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';

function bug(): never {
  throw new Error('a filter with a bug');
}

const BROKEN: Readonly<Record<string, Filter>> = {
  request: { onRequest: bug },
  response: { onResponse: bug },
  end: { onEnd: bug },
  later: { onRequest: () => new Promise((resolve) => setTimeout(resolve, 20, undefined)) },
};

test.before(() => {
  for (const [type, filter] of Object.entries(BROKEN)) {
    (FILTERS as Map<string, unknown>).set(type, { type, phase: 'transform', check: () => undefined, create: () => filter });
  }
});

/** An endpoint that says nothing to `/silent`, and refuses WebSockets but those to `/socket`. */
async function start(t: ExecutionContext, ...filters: (keyof typeof BROKEN)[]): Promise<DataPlane> {
  const server = http.createServer((request, response) => void (request.url === '/silent' || response.end('ok')));
  new WebSocketServer({ server, path: '/socket' });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const specs = filters.map((type) => ({ type, config: {} })) as unknown as FilterSpec[];
  const plane = await startDataPlane({
    virtualHosts: { 'http/broken.test': virtualHost('broken.test', [{ ...route('/', 'test/web:80'), filters: specs }]), 'http/sound.test': virtualHost('sound.test', [route('/', 'test/web:80')]) },
    clusters: { 'test/web:80': cluster('test/web:80', { connectTimeoutMs: 200 }) },
    endpoints: { 'test/web:80': [endpoint((server.address() as AddressInfo).port)] },
  }, { forwarding: { endpointRequests: 1, waitingRequests: 10 } });
  t.teardown(async () => {
    await plane.close();
    server.closeAllConnections();
    server.close();
  });
  return plane;
}

async function ask(plane: DataPlane, path: string, host = 'broken.test', fields = ''): Promise<number | undefined> {
  const client = await RawClient.connect(plane.port);
  client.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${fields}\r\n`);
  const [message] = await client.responses(1);
  client.destroy();
  return message && statusOf(message);
}

test('of an answer', async (t) => {
  const plane = await start(t, 'response');
  t.is(await ask(plane, '/'), 500);
  t.is(await ask(plane, '/', 'sound.test'), 200);
});

for (const path of ['/socket', '/refused']) {
  test(`of what an endpoint says to an upgrade of ${path}`, async (t) => {
    const plane = await start(t, 'response');
    t.is(await ask(plane, path, 'broken.test', UPGRADE), 500);
    t.is(plane.log.at(-1)?.reason, 'InternalError');
    t.is(await ask(plane, '/', 'sound.test'), 200, 'its place is free again');
  });
}

test('of an answer of our own that a timer gives', async (t) => {
  const plane = await start(t, 'response');
  const holder = await RawClient.connect(plane.port);
  holder.write('GET /silent HTTP/1.1\r\nHost: sound.test\r\n\r\n');
  t.is(await ask(plane, '/'), 500);
  holder.destroy();
});

test('behind a filter that answers later', async (t) => {
  const plane = await start(t, 'later', 'request');
  t.is(await ask(plane, '/'), 500);
});

test('of the end, which is logged all the same', async (t) => {
  const plane = await start(t, 'end');
  t.is(await ask(plane, '/'), 200);
  const client = await RawClient.connect(plane.port);
  client.write('GET /silent HTTP/1.1\r\nHost: broken.test\r\n\r\n');
  await new Promise((resolve) => setTimeout(resolve, 50));
  client.socket.resetAndDestroy();
  for (const until = performance.now() + 5_000; plane.log.length < 2 && performance.now() < until;) await new Promise((resolve) => setTimeout(resolve, 10));
  t.deepEqual(plane.log.map(({ status }) => status), [200, 499]);
});
