// How long an idle client connection is kept, whatever the answer before it was like.
import { once } from 'node:events';
import net from 'node:net';
import test from 'ava';
import '../../../proxy/filters/response-headers.ts';
import { endpoint, simpleTable, startDataPlane, virtualHost, route } from '../../support/data-plane.ts';

/** Less than one read of the proxy, so that the end of the body comes together with its last byte. */
const BODY = Buffer.alloc(60_000, 'a');
/** Makes the answer longer than what a socket takes without asking for a pause (64 KiB). */
const LONG_FIELD = { type: 'response-headers', config: { set: [{ name: 'x-long', value: 'b'.repeat(16_000) }] } } as const;

test('an idle connection is closed in time, though the end of its last answer had to wait for the socket', async (t) => {
  const chunked = Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${BODY.length.toString(16)}\r\n`), BODY, Buffer.from('\r\n0\r\n\r\n')]);
  const backend = net.createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', () => socket.write(chunked));
  });
  backend.listen(0, '127.0.0.1');
  await once(backend, 'listening');
  const proxy = await startDataPlane(
    {
      ...simpleTable([endpoint((backend.address() as net.AddressInfo).port)]),
      virtualHosts: { 'http/*': virtualHost('*', [{ ...route('/', 'test/web:80'), filters: [LONG_FIELD] }]) },
    },
    { limits: { keepAliveTimeoutMs: 500 } },
  );
  t.teardown(async () => {
    await proxy.close();
    backend.close();
  });

  const client = net.connect(proxy.port, '127.0.0.1');
  t.teardown(() => client.destroy());
  let received = '';
  client.on('data', (chunk: Buffer) => (received += chunk.toString('latin1')));
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const closed = await Promise.race([once(client, 'close').then(() => true), new Promise((resolve) => setTimeout(() => resolve(false), 5000).unref())]);
  t.true(received.endsWith('0\r\n\r\n'));
  t.true(closed);
});
