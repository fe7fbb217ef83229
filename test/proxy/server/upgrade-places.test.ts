// Upgrades whose clients take nothing, and the places at endpoints that they hold.
import { once } from 'node:events';
import net from 'node:net';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import { endpoint, simpleTable, startDataPlane } from '../../support/data-plane.ts';
import { exchangeRaw, statusOf } from '../../support/raw-client.ts';

const FIELDS = 'Host: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
/** More than all buffers on the way hold. */
const MUCH = Buffer.alloc(32 * 1024 * 1024, 'a');

for (const [answer, head] of [['a refusal', `HTTP/1.1 200 OK\r\ncontent-length: ${MUCH.length}\r\n\r\n`], ['a WebSocket', 'HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n']] as const) {
  test(`a client that takes nothing of ${answer} gives way to others that wait for its place, one for each of them`, async (t) => {
    const server = net.createServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', (data: Buffer) => {
        if (!data.toString('latin1').includes('GET /much')) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
        else if (socket.write(head)) socket.write(MUCH);
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.teardown(() => server.close());
    const plane = await startDataPlane(simpleTable([endpoint((server.address() as AddressInfo).port)], {}, { connectTimeoutMs: 8_000 }), { forwarding: { endpointRequests: 2 } });
    const deaf = [0, 1].map(() => net.connect(plane.port, '127.0.0.1').pause().on('error', () => {}));
    for (const socket of deaf) socket.write(`GET /much HTTP/1.1\r\n${FIELDS}`);
    await new Promise((resolve) => setTimeout(resolve, 300));
    const { message, client } = await exchangeRaw(plane.port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    t.is(statusOf(message), 200);
    await new Promise((resolve) => setTimeout(resolve, 50));
    t.deepEqual(plane.log.map(({ exchange, reason }) => `${exchange.request.path} ${reason}`).toSorted(), ['/ ', '/much DownstreamStalled']);
    for (const socket of [...deaf, client]) socket.destroy();
    await plane.close();
  });
}
