// When an HTTP/1.1 connection is read and when not: what waits behind a request is bounded, and a client that leaves behind
// its upload is noticed, whatever the upload waited for.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type net from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { rawEndpoint } from '../../support/endpoint-raw.ts';
import { simpleTable, startDataPlane } from '../../support/data-plane.ts';
import { answer, forwardPlane } from '../../support/forward-plane.ts';
import { RawClient } from '../../support/raw-client.ts';

/** Bytes of early requests that stop the reading, and one read. */
const MOST_HELD = 64 * 1024 + 20 * 1024;

/** The sockets that servers of this process accept. */
function accepted(t: ExecutionContext): net.Socket[] {
  const sockets: net.Socket[] = [];
  const note = (message: unknown): void => void sockets.push((message as { readonly socket: net.Socket }).socket);
  subscribe('net.server.socket', note);
  t.teardown(() => unsubscribe('net.server.socket', note));
  return sockets;
}

for (const [what, request] of [
  ['by length', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx'],
  ['in chunks', 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n'],
] as const) {
  test.serial(`of small uploads ${what} that a client sends ahead no more is held than of other requests`, async (t) => {
    const sockets = accepted(t);
    let port = 0;
    let served = 0;
    let most = 0;
    const plane = await forwardPlane(t, [
      () => {
        const client = sockets.find(({ localPort }) => localPort === port);
        most = Math.max(most, (client?.bytesRead ?? 0) - served++ * request.length);
        return answer(200, 'ok');
      },
    ]);
    port = plane.port;
    const client = await RawClient.connect(port);
    t.teardown(() => client.destroy());
    client.write(request.repeat(Math.ceil(12_000_000 / request.length)));
    await client.until(() => (served >= 400 ? true : undefined), 20_000);
    t.true(most <= MOST_HELD + request.length, `${most} bytes`);
  });
}

test.serial('a client that leaves while its whole upload waits for a place at an endpoint is noticed', async (t) => {
  const backend = await rawEndpoint(() => undefined);
  const proxy = await startDataPlane(simpleTable([backend.endpoint], {}, { connectTimeoutMs: 5_000 }), { forwarding: { requestBuffering: true, endpointRequests: 1 } });
  t.teardown(async () => {
    await proxy.close();
    await backend.close();
  });
  const busy = await RawClient.connect(proxy.port);
  busy.write('GET /busy HTTP/1.1\r\nHost: a\r\n\r\n');
  const client = await RawClient.connect(proxy.port);
  // With its last read it turns out to be too large to be held, and nobody takes it yet.
  client.write(`POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n10001\r\n${'x'.repeat(65_536)}`);
  await pause(100);
  client.write('x\r\n0\r\n\r\n');
  await pause(100);
  t.is(proxy.log.length, 0);
  client.socket.resetAndDestroy();
  for (const end = performance.now() + 2_000; proxy.log.length === 0 && performance.now() < end; await pause(5));
  t.is(proxy.log[0]?.status, 499);
  t.is(proxy.log[0]?.exchange.request.method, 'POST');
  busy.destroy();
});
