// What connections hold that only began something: bytes that wait must not hold the slabs that they were read into, and a
// connection that is idle after a large request has no buffer of its own.
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import test from 'ava';
import { endpoint, simpleTable, startDataPlane } from '../../support/data-plane.ts';
import type { DataPlane } from '../../support/data-plane.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const CONNECTIONS = 150;
const backend = http.createServer((request, response) => {
  request.resume();
  if (request.url !== '/silent') request.once('end', () => response.end('ok'));
});
let proxy: DataPlane;

test.before(async () => {
  backend.listen(0, '127.0.0.1');
  await once(backend, 'listening');
  proxy = await startDataPlane(simpleTable([endpoint((backend.address() as net.AddressInfo).port)]));
});
test.after.always(async () => {
  await proxy.close();
  backend.closeAllConnections();
  backend.close();
});

/** Bytes of buffers that are in use. */
async function buffers(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return process.memoryUsage().arrayBuffers;
}

const cases: readonly (readonly [string, Buffer, boolean])[] = [
  ['an unfinished head', Buffer.from('GET / HTTP/1.1\r\nhost: a\r\n'), false],
  ['a request behind one that is not answered', Buffer.from('GET /silent HTTP/1.1\r\nhost: a\r\n\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n'), false],
  ['nothing after a body of 20 kB', Buffer.from(`POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 20000\r\n\r\n${'x'.repeat(20_000)}`), true],
];

for (const [what, bytes, answered] of cases) {
  test.serial(`connections with ${what} hold less than 16 kB of buffers each`, async (t) => {
    const sockets: net.Socket[] = [];
    t.teardown(() => sockets.forEach((socket) => socket.destroy()));
    const before = await buffers();
    for (let i = 0; i < CONNECTIONS; i++) {
      const socket = net.connect({ port: proxy.port, host: '127.0.0.1', noDelay: true });
      sockets.push(socket);
      await once(socket, 'connect');
      socket.write(bytes);
      if (answered) await once(socket, 'data');
      else await new Promise((resolve) => setTimeout(resolve, 2));
      // What others read meanwhile takes the rest of the slab.
      for (let k = 0; k < 3; k++) Buffer.allocUnsafe(30_000);
    }
    const held = ((await buffers()) - before) / CONNECTIONS;
    t.true(held < 16 * 1024, `${Math.round(held)} bytes`);
    t.true(sockets.every((socket) => !socket.destroyed && !socket.readableEnded));
  });
}
