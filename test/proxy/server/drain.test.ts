// A worker that drains: WebSockets and connections that come to be only then, and what is cut at its end.
import http from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { WebSocketServer } from 'ws';
import { endpoint, simpleTable, startDataPlane } from '../../support/data-plane.ts';
import { ask } from '../../support/https-client.ts';
import { proxyV1 } from '../../support/proxy-header.ts';
import { RawClient } from '../../support/raw-client.ts';
import { startTlsPlane } from '../../support/tls-plane.ts';

const UPGRADE = 'GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
/** RFC 6455 §5.5.1, with code 1001. */
const GOING_AWAY = Buffer.from([0x88, 2, 0x03, 0xe9]);

test('WebSockets that are opened while the worker drains hear 1001 before its end, as those hear it that were open', async (t) => {
  const server = http.createServer();
  new WebSocketServer({ server });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const plane = await startDataPlane(simpleTable([endpoint((server.address() as AddressInfo).port)]));
  const before = await Promise.all([0, 1].map(() => RawClient.connect(plane.port)));
  for (const client of before) client.write(UPGRADE);
  const later = await Promise.all([0, 1, 2].map(() => RawClient.connect(plane.port)));
  await until(() => before.every((client) => client.received.includes('101 Switching')));

  const startedAt = performance.now();
  const drained = plane.server.drain(2_500);
  for (const client of later) client.write(UPGRADE);
  await until(() => later.every((client) => client.received.includes('101 Switching')));
  t.true(performance.now() - startedAt < 2_000, 'the upgrades were made within the drain');
  await drained;
  for (const client of [...before, ...later]) {
    await until(() => client.closed);
    t.true(client.received.includes(GOING_AWAY), client.received.toString('latin1'));
    client.destroy();
  }
});

test('what is cut at the end of a drain is logged as that, and not as if its client had left', async (t) => {
  const server = http.createServer((request, response) => {
    if (request.url === '/begun') response.write('some');
  });
  new WebSocketServer({ server, clientTracking: false }).on('connection', (socket) => socket.pause());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const plane = await startDataPlane(simpleTable([endpoint((server.address() as AddressInfo).port)]));
  const [silent, begun, left, upload, socket] = await Promise.all([0, 1, 2, 3, 4].map(() => RawClient.connect(plane.port)));
  silent!.write('GET /silent HTTP/1.1\r\nHost: a\r\n\r\n');
  begun!.write('GET /begun HTTP/1.1\r\nHost: a\r\n\r\n');
  left!.write('GET /left HTTP/1.1\r\nHost: a\r\n\r\n');
  upload!.write('POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\nsome');
  socket!.write(UPGRADE);
  await until(() => begun!.received.includes('some') && socket!.received.includes('101 Switching'));
  left!.destroy();
  await until(() => plane.log.length === 1);
  t.is(await plane.server.drain(200), 4);
  t.deepEqual(plane.log.map(({ exchange, status, reason }) => `${exchange.request.path} ${status} ${reason}`).toSorted(), [
    '/ 101 DrainTimeout', '/begun 200 DrainTimeout', '/left 499 DownstreamConnectionTermination', '/silent 503 DrainTimeout', '/upload 503 DrainTimeout',
  ]);
  for (const client of [silent!, begun!, upload!, socket!]) client.destroy();
});

for (const [what, header, version] of [
  ['a TLS handshake', '', '1.1'],
  ['a TLS handshake for HTTP/2', '', '2'],
  ['a PROXY protocol header and a TLS handshake', proxyV1({ address: '203.0.113.9', port: 4711, localPort: 443 }), '1.1'],
] as const) {
  test(`a connection that has ${what} before it when the drain begins gets its answer, with nothing else open`, async (t) => {
    const plane = await startTlsPlane(t, { hosts: { 'a.test': {} }, listener: { proxyProtocol: header !== '' } });
    const socket = await opened(t, plane.httpsPort);
    const startedAt = performance.now();
    const drained = plane.server.drain(4_000);
    await new Promise((resolve) => setTimeout(resolve, 300));
    if (socket.destroyed) return t.fail('it was cut');
    socket.write(header);
    t.is((await ask(plane.httpsPort, 'a.test', { socket, version })).status, 200);
    await drained;
    t.true(performance.now() - startedAt < 3_500, 'it is the last answer');
  });
}

test('a connection that says nothing holds a drain up for no longer than one that is idle, whether it was to say a header, a hello or a request', async (t) => {
  for (const listener of [{}, { proxyProtocol: true }]) {
    const plane = await startTlsPlane(t, { hosts: { 'a.test': {} }, listener, httpListener: listener });
    await opened(t, plane.httpsPort);
    const late = await opened(t, plane.port);
    const startedAt = performance.now();
    const drained = plane.server.drain(5_000);
    if ('proxyProtocol' in listener) late.write(proxyV1({ address: '203.0.113.9', port: 4711, localPort: 80 }));
    await drained;
    const elapsed = performance.now() - startedAt;
    t.true(elapsed > 2_400 && elapsed < 4_600, `${elapsed} ms`);
  }
});

/** A connection that the server has accepted, and on which nothing was said. */
async function opened(t: ExecutionContext, port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  t.teardown(() => socket.destroy());
  socket.on('error', () => undefined);
  await new Promise((resolve) => socket.once('connect', resolve));
  await new Promise((resolve) => setTimeout(resolve, 50));
  return socket;
}

async function until(look: () => boolean): Promise<void> {
  for (const deadline = performance.now() + 5_000; !look(); await new Promise((resolve) => setTimeout(resolve, 5))) {
    if (performance.now() > deadline) throw new Error('not within 5 s');
  }
}
