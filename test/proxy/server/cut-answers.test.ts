// An answer that its endpoint cuts off, by every shape and end, over HTTP/1.1 and HTTP/2: no client takes it for a whole one,
// and the connection that brought it brings nothing else.
import http2 from 'node:http2';
import test from 'ava';
import { forwardPlane } from '../../support/forward-plane.ts';
import type { AnswerWith } from '../../support/forward-plane.ts';
import { RawClient } from '../../support/raw-client.ts';

const SHAPES = [['by length', 'content-length: 100', 'hello'], ['chunked', 'transfer-encoding: chunked', '5\r\nhello\r\n']] as const;

for (const [shape, framing, part] of SHAPES) {
  for (const how of ['reset', 'closed'] as const) {
    const cut: AnswerWith = (_request, socket) => {
      setTimeout(() => (how === 'reset' ? socket.resetAndDestroy() : socket.destroy()), 30);
      return `HTTP/1.1 200 OK\r\n${framing}\r\n\r\n${part}`;
    };

    test(`${shape}, ${how}: an HTTP/1.1 client sees its connection end before the answer does`, async (t) => {
      const plane = await forwardPlane(t, [cut, cut, cut]);
      const client = await RawClient.connect(plane.port);
      client.write('GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n');
      const bytes = (await client.end()).toString('latin1');
      t.true(bytes.startsWith('HTTP/1.1 200'));
      t.false(bytes.includes('\r\n0\r\n'));
      t.is(bytes.split('HTTP/1.1 ').length, 2, 'the request behind it is not answered on this connection');
      t.deepEqual(plane.log.map(({ reason, exchange }) => [reason, exchange.attempts.length]), [['UpstreamConnectionTermination', 1]]);
      t.true(plane.backends.every((backend) => backend.connections.every(({ requests }) => requests.length === 1)));
    });

    test(`${shape}, ${how}: an HTTP/2 client gets a reset of the stream, and its other streams go on`, async (t) => {
      const plane = await forwardPlane(t, [(request, socket) => (request.startLine.includes('/good') ? 'HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ngood' : cut(request, socket))]);
      const session = http2.connect(`http://127.0.0.1:${plane.port}`);
      t.teardown(() => session.destroy());
      const fetched = (path: string): Promise<string> =>
        new Promise((resolve) => {
          const stream = session.request({ ':path': path, ':authority': 'a' });
          let text = '';
          stream.setEncoding('utf8');
          stream.on('data', (chunk: string) => (text += chunk));
          stream.on('error', (error) => resolve(`error ${error.message}`));
          stream.on('end', () => setTimeout(() => resolve(text), 50));
        });
      const [bad, good] = await Promise.all([fetched('/bad'), fetched('/good')]);
      t.regex(bad, /^error/);
      t.is(good, 'good');
    });
  }
}
