// Interim responses of an endpoint (103 Early Hints, RFC 8297): clients of HTTP/1.1 and HTTP/2 have them before the answer is there,
// clients of HTTP/1.0, which know none (RFC 9110 §15.2), have the answer alone.
import { once } from 'node:events';
import http2 from 'node:http2';
import ava from 'ava';
import type { ExecutionContext } from 'ava';
import type { Endpoint } from '../../../proxy/table/cluster.ts';
import { simpleTable, startDataPlane } from '../../support/data-plane.ts';
import type { DataPlane } from '../../support/data-plane.ts';
import { rawEndpoint } from '../../support/endpoint-raw.ts';
import { TRANSPORTS } from '../../support/endpoint-transport.ts';
import { nodeHttp2Endpoint } from '../../support/http2-node-endpoint.ts';
import { RawClient } from '../../support/raw-client.ts';

const LINKS = ['</a.css>; rel=preload', '</b.js>; rel=preload'] as const;

/** An endpoint that says 103 twice and answers when it is told to. */
interface Kind {
  readonly name: string;
  readonly cluster: Parameters<typeof simpleTable>[2];
  start(t: ExecutionContext, answer: Promise<void>): Promise<Endpoint>;
}

const http1 = TRANSPORTS.map(({ name, cluster: { tls }, endpoint }): Kind => ({
  name: `HTTP/1.1, ${name}`,
  cluster: { tls },
  start: async (t, answer) => {
    const raw = await rawEndpoint((_request, socket) => {
      for (const link of LINKS) socket.write(`HTTP/1.1 103 Early Hints\r\nLink: ${link}\r\nConnection: x-hop\r\nX-Hop: 1\r\n\r\n`);
      void answer.then(() => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone'));
    }, endpoint);
    t.teardown(() => raw.close());
    return raw.endpoint;
  },
}));

const overHttp2: Kind = {
  name: 'HTTP/2',
  cluster: { protocol: 'HTTP/2' },
  start: async (t, answer) => {
    const node = await nodeHttp2Endpoint(t, {
      answer: (stream) => {
        for (const link of LINKS) stream.additionalHeaders({ ':status': 103, link });
        void answer.then(() => {
          stream.respond({ ':status': 200, 'content-length': '4' });
          stream.end('done');
        });
      },
    });
    return node.endpoint;
  },
};

for (const kind of [...http1, overHttp2]) {
  const test = (title: string, run: (t: ExecutionContext, plane: DataPlane, answer: () => void) => Promise<void>): void =>
    ava(`${kind.name}: ${title}`, async (t) => {
      const told = Promise.withResolvers<void>();
      const endpoint = await kind.start(t, told.promise);
      const plane = await startDataPlane(simpleTable([endpoint], undefined, kind.cluster));
      t.teardown(() => plane.close());
      await run(t, plane, told.resolve);
    });

  test('a client of HTTP/1.1 has each 103 before the answer', async (t, plane, answer) => {
    const client = await RawClient.connect(plane.port);
    t.teardown(() => client.destroy());
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    const hints = LINKS.map((link) => `HTTP/1.1 103 Early Hints\r\nlink: ${link}\r\n\r\n`).join('');
    const text = (): string => client.received.toString('latin1').replaceAll('Link:', 'link:');
    await client.until(() => (text() === hints ? true : undefined));
    answer();
    await client.until(() => (text().endsWith('done') ? true : undefined));
    t.true(text().startsWith(`${hints}HTTP/1.1 200 OK\r\n`));
    t.deepEqual(plane.log.map(({ status, reason }) => [status, reason]), [[200, '']]);
  });

  test('a client of HTTP/2 has each 103 before the answer', async (t, plane, answer) => {
    const session = http2.connect(`http://127.0.0.1:${plane.port}`);
    t.teardown(() => session.destroy());
    const stream = session.request({ ':path': '/', ':authority': 'a' });
    const hints: unknown[] = [];
    const heard = Promise.withResolvers<void>();
    stream.on('headers', (headers) => {
      hints.push([headers[':status'], headers['link'], headers['x-hop']]);
      if (hints.length === LINKS.length) heard.resolve();
    });
    await heard.promise;
    t.deepEqual(hints, LINKS.map((link) => [103, link, undefined]));
    answer();
    const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders];
    t.is(Number(headers[':status']), 200);
    let body = '';
    for await (const chunk of stream) body += String(chunk);
    t.is(body, 'done');
  });

  test('a client of HTTP/1.0 has the answer alone', async (t, plane, answer) => {
    const client = await RawClient.connect(plane.port);
    client.write('GET / HTTP/1.0\r\nHost: a\r\n\r\n');
    await new Promise((resolve) => setTimeout(resolve, 100));
    t.is(client.received.length, 0);
    answer();
    const bytes = (await client.end()).toString('latin1');
    t.true(bytes.startsWith('HTTP/1.1 200 OK\r\n') && bytes.endsWith('\r\n\r\ndone'), bytes);
  });
}
