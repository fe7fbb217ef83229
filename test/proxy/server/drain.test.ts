// A worker that drains, and WebSockets that come only then.
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import { WebSocketServer } from 'ws';
import { endpoint, simpleTable, startDataPlane } from '../../support/data-plane.ts';
import { RawClient } from '../../support/raw-client.ts';

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

async function until(look: () => boolean): Promise<void> {
  for (const deadline = performance.now() + 5_000; !look(); await new Promise((resolve) => setTimeout(resolve, 5))) {
    if (performance.now() > deadline) throw new Error('not within 5 s');
  }
}
