// An endpoint that begins its answer and leaves at once: the head may still wait for its body then. The client must see that
// an answer had begun, else it cannot tell this from an idle connection that closed, and may send its request again.
import { once } from 'node:events';
import net from 'node:net';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { forwardPlane } from '../../support/forward-plane.ts';

test('an answer of known length that is cut right behind its head reaches the client as a cut answer, not as none', async (t) => {
  t.regex(await answerOf(t, 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n'), /^HTTP\/1\.1 200 OK\r\n(?:.+\r\n)*content-length: 100\r\n(?:.+\r\n)*\r\n$/);
});

test('so does one that is cut in its first bytes, with these', async (t) => {
  t.regex(await answerOf(t, 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nfirst'), /^HTTP\/1\.1 200 OK\r\n(?:.+\r\n)*\r\nfirst$/);
});

test('so does one in chunks, without a last one', async (t) => {
  t.regex(await answerOf(t, 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n'), /^HTTP\/1\.1 200 OK\r\n(?:.+\r\n)*\r\n5\r\nfirst\r\n$/);
});

/** All that a client of a POST sees until its connection ends. */
async function answerOf(t: ExecutionContext, bytes: string): Promise<string> {
  const plane = await forwardPlane(t, [(_request, socket) => void socket.end(bytes)]);
  const socket = net.connect(plane.port, '127.0.0.1');
  t.teardown(() => socket.destroy());
  let seen = '';
  socket.on('data', (chunk: Buffer) => (seen += chunk.toString('latin1')));
  socket.write('POST / HTTP/1.1\r\nhost: a.test\r\ncontent-length: 0\r\n\r\n');
  await once(socket, 'close');
  t.is(plane.counts()[0], 1);
  return seen;
}
