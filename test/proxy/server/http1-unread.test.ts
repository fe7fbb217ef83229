// A client of HTTP/1.1 that asks ahead and does not read: its answers wait at their endpoints, and not in the proxy.
import { setTimeout as pause } from 'node:timers/promises';
import test from 'ava';
import { answer, forwardPlane } from '../../support/forward-plane.ts';
import { RawClient } from '../../support/raw-client.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const COUNT = 2_000;

test('no more requests of a client are served than it takes answers, and all of them once it reads', async (t) => {
  const plane = await forwardPlane(t, [() => answer(200, 'x'.repeat(15_000))]);
  const client = await RawClient.connect(plane.port);
  t.teardown(() => client.destroy());
  client.socket.pause();
  client.write(GET.repeat(COUNT));
  // What the system takes between the two is a few MB.
  for (let before = -1; plane.log.length !== before; await pause(500)) before = plane.log.length;
  t.true(plane.log.length < 1_000, `${plane.log.length} answers`);
  client.socket.removeAllListeners('data');
  let taken = 0;
  client.socket.on('data', (chunk: Buffer) => (taken += chunk.length));
  client.socket.resume();
  for (const end = performance.now() + 10_000; (taken < COUNT * 15_000 || plane.log.length < COUNT) && performance.now() < end; await pause(20));
  t.true(taken > COUNT * 15_000);
  t.is(plane.log.length, COUNT);
});

test('a client that takes none of the answers that it asked for ahead is cut in time', async (t) => {
  const plane = await forwardPlane(t, [() => answer(200, 'x'.repeat(15_000))], { limits: { writeStallMs: 1_500, keepAliveTimeoutMs: 60_000 } });
  const client = await RawClient.connect(plane.port);
  t.teardown(() => client.destroy());
  client.socket.pause();
  const sending = setInterval(() => client.write(GET), 100);
  t.teardown(() => clearInterval(sending));
  client.write(GET.repeat(COUNT));
  for (const end = performance.now() + 8_000; !client.socket.destroyed && performance.now() < end; await pause(20));
  t.true(client.socket.destroyed);
});
