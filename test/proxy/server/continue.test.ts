// Expect: 100-continue from end to end (RFC 9110 §10.1.1): the endpoint is asked, and what it says is what the client hears.
import http2 from 'node:http2';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import ava from 'ava';
import type { ExecutionContext } from 'ava';
import type { Endpoint } from '../../../proxy/table/cluster.ts';
import { endpoint as at, simpleTable, startDataPlane } from '../../support/data-plane.ts';
import type { DataPlane, DataPlaneOptions } from '../../support/data-plane.ts';
import { until } from '../../support/endpoint-call.ts';
import { REFUSING, rawEndpoint } from '../../support/endpoint-raw.ts';
import { TRANSPORTS } from '../../support/endpoint-transport.ts';
import { answers, rawHttp2Endpoint, reset } from '../../support/http2-raw-endpoint.ts';
import { RawClient, statusOf } from '../../support/raw-client.ts';
import { field } from '../../support/strict-http1.ts';

/**
 * `willing`: says 100, then how much it got. `unwilling`: 413. `mute`: takes what comes and never says 100. `silent`: nothing at all.
 * `stuck`: begins to answer when some of the body is there, and stops.
 */
type Manner = 'willing' | 'unwilling' | 'mute' | 'silent' | 'stuck';

interface App {
  readonly endpoint: Endpoint;
  /** Of each request: whether 100 was expected, and what has come of its body. */
  asked(): { readonly expect: boolean; readonly bytes: number }[];
}

interface Kind {
  readonly name: string;
  readonly more: Parameters<typeof simpleTable>[2];
  start(t: ExecutionContext, manner: Manner): Promise<App>;
}

const http1 = TRANSPORTS.map(({ name, cluster: { tls }, endpoint }): Kind => ({
  name: `HTTP/1.1, ${name}`,
  more: { tls },
  start: async (t, manner) => {
    const raw = await rawEndpoint((request, socket) => {
      if (manner === 'unwilling') socket.write('HTTP/1.1 413 No\r\ncontent-length: 2\r\n\r\nno');
      if (manner === 'silent') return;
      if (manner === 'stuck') {
        void until(() => request.body.length > 0).then(() => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nearly'));
        return;
      }
      if (manner === 'willing' && request.values('expect').length > 0) socket.write('HTTP/1.1 100 Continue\r\n\r\n');
      void until(() => request.complete || socket.destroyed).then(() => {
        if (socket.writable && manner !== 'unwilling') socket.write(`HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n${request.body.length}`);
      });
    }, endpoint);
    t.teardown(() => raw.close());
    return { endpoint: raw.endpoint, asked: () => raw.requests.map((request) => ({ expect: request.values('expect').length > 0, bytes: request.body.length })) };
  },
}));

const overHttp2: Kind = {
  name: 'HTTP/2',
  more: { protocol: 'HTTP/2' },
  start: async (t, manner) => {
    const asked: { expect: boolean; bytes: number }[] = [];
    const server = http2.createServer();
    const answer = (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders): void => {
      const seen = { expect: headers['expect'] !== undefined, bytes: 0 };
      asked.push(seen);
      stream.on('error', () => {});
      if (manner === 'unwilling') {
        stream.respond({ ':status': 413 });
        stream.end('no');
        return;
      }
      if (manner === 'willing') stream.additionalHeaders({ ':status': 100 });
      stream.on('data', (chunk: Buffer) => (seen.bytes += chunk.length));
      if (manner === 'stuck') {
        stream.once('data', () => {
          stream.respond({ ':status': 200, 'content-length': '9' });
          stream.write('early');
        });
        return;
      }
      if (manner !== 'silent') stream.on('end', () => {
        if (stream.destroyed || stream.aborted) return;
        stream.respond({ ':status': 200 });
        stream.end(String(seen.bytes));
      });
    };
    server.on('stream', answer);
    server.on('checkContinue', (request: http2.Http2ServerRequest) => answer(request.stream, request.headers));
    const sessions = new Set<http2.ServerHttp2Session>();
    server.on('session', (session) => sessions.add(session));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.teardown(() => {
      for (const session of sessions) session.destroy();
      server.close();
    });
    return { endpoint: at((server.address() as AddressInfo).port), asked: () => asked };
  },
};

async function planeTo(t: ExecutionContext, kind: Kind, endpoints: readonly Endpoint[], options: DataPlaneOptions & { readonly forward?: Parameters<typeof simpleTable>[1] } = {}): Promise<DataPlane> {
  const plane = await startDataPlane(simpleTable(endpoints, options.forward, kind.more), options);
  t.teardown(() => plane.close());
  return plane;
}

const ASK = 'POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n';
const REFUSED_STREAM = 7;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const hears100 = (client: RawClient): Promise<true> => client.until(() => (client.received.toString('latin1').startsWith('HTTP/1.1 100 Continue\r\n\r\n') ? true : undefined));
const heard100 = (client: RawClient): boolean => client.received.includes('HTTP/1.1 100');

for (const kind of [...http1, overHttp2]) suite(kind);

ava('HTTP/2: a stream that is refused again and again is asked for anew, also when its client no longer waits to be told', async (t) => {
  const REFUSALS = 4;
  const app = await rawHttp2Endpoint((stream, connection) => {
    const nth = connection.streams.size;
    void until(() => (nth > REFUSALS ? stream.ended : stream.bytes > 0)).then(() => {
      if (nth > REFUSALS) answers(String(stream.bytes))(stream, connection);
      else connection.write(reset(stream, REFUSED_STREAM));
    });
  });
  t.teardown(() => app.close());
  const plane = await planeTo(t, overHttp2, [app.endpoint]);
  const client = await RawClient.connect(plane.port);
  client.write(ASK);
  await until(() => app.streams().length > 0);
  client.write('he');
  await until(() => app.streams().length > REFUSALS);
  client.write('llo');
  const [message] = await client.responses(1);
  t.is(statusOf(message!), 200);
  t.is(message!.body.toString(), '5');
  client.destroy();
});

function suite(kind: Kind): void {
  const test = (title: string, run: (t: ExecutionContext) => Promise<void>): void => ava(`${kind.name}: ${title}`, run);

  test('the endpoint is asked before any of the body is sent, and its 100 goes to the client', async (t) => {
    const app = await kind.start(t, 'willing');
    const plane = await planeTo(t, kind, [app.endpoint], { forward: { requestBuffering: true } });
    const client = await RawClient.connect(plane.port);
    for (let nth = 0; nth < 2; nth++) {
      client.received = Buffer.alloc(0);
      client.write(ASK);
      await hears100(client);
      t.deepEqual(app.asked()[nth], { expect: true, bytes: 0 });
      client.write('hello');
      const [message] = await client.responses(1);
      t.is(statusOf(message!), 200);
      t.is(message!.body.toString(), '5');
    }
    client.destroy();
  });

  test('a refusal is heard in place of 100, and the body is never asked for', async (t) => {
    const app = await kind.start(t, 'unwilling');
    const plane = await planeTo(t, kind, [app.endpoint]);
    const client = await RawClient.connect(plane.port);
    client.write(ASK);
    const [message] = await client.responses(1);
    t.is(statusOf(message!), 413);
    t.is(message!.body.toString(), 'no');
    t.is(field(message!, 'connection'), 'close', 'whether the body follows is not known');
    t.false(heard100(client));
    t.deepEqual(app.asked(), [{ expect: true, bytes: 0 }]);
    await client.end();
  });

  test('where another endpoint is asked after a refusal, its 100 goes to the client, and it gets the whole body', async (t) => {
    const [unwilling, willing] = [await kind.start(t, 'unwilling'), await kind.start(t, 'willing')];
    const plane = await planeTo(t, kind, [unwilling.endpoint, willing.endpoint], { forward: { retry: { on: ['413'], nonIdempotent: true } } });
    for (let nth = 0; nth < 2; nth++) {
      const client = await RawClient.connect(plane.port);
      client.write(ASK);
      await hears100(client);
      client.write('he');
      await pause(50);
      client.write('llo');
      const [message] = await client.responses(1);
      t.is(statusOf(message!), 200);
      t.is(message!.body.toString(), '5');
      client.destroy();
    }
    t.true(plane.log.some(({ exchange }) => exchange.attempts.length === 2), 'the unwilling one was asked');
  });

  test('a client that does not wait for ever is served, by an endpoint that never says 100 too', async (t) => {
    const app = await kind.start(t, 'mute');
    const plane = await planeTo(t, kind, [app.endpoint], { forward: { timeouts: { responseHeadMs: 300 } }, limits: { bodyTimeoutMs: 200 } } as DataPlaneOptions);
    const client = await RawClient.connect(plane.port);
    client.write(ASK);
    await pause(250);
    client.write('he');
    await pause(150);
    client.write('llo');
    const [message] = await client.responses(1);
    t.is(statusOf(message!), 200, 'neither was late: the endpoint was given its time, and then the client');
    t.false(heard100(client));
    client.destroy();
  });

  test('an endpoint that says nothing is late, not the client that waits for it', async (t) => {
    const app = await kind.start(t, 'silent');
    const plane = await planeTo(t, kind, [app.endpoint], { forward: { timeouts: { responseHeadMs: 300 } }, limits: { bodyTimeoutMs: 100 } } as DataPlaneOptions);
    const client = await RawClient.connect(plane.port);
    client.write(ASK);
    const [message] = await client.responses(1);
    t.is(statusOf(message!), 504);
    t.is(plane.log[0]?.reason, 'UpstreamRequestTimeout');
    await client.end();
  });

  test('an answer that stops is late, also if its client began to send unasked and has not come to its end', async (t) => {
    const app = await kind.start(t, 'stuck');
    const plane = await planeTo(t, kind, [app.endpoint], { forward: { timeouts: { readIdleMs: 200 } } });
    const client = await RawClient.connect(plane.port);
    client.write(ASK);
    await until(() => app.asked().length > 0);
    client.write('he');
    await client.until(() => (client.received.includes('early') ? true : undefined));
    await until(() => plane.log.length > 0);
    t.is(plane.log[0]?.reason, 'StreamIdleTimeout');
    client.destroy();
  });

  test('a client that was told to send and does not is late', async (t) => {
    const app = await kind.start(t, 'willing');
    const plane = await planeTo(t, kind, [app.endpoint], { forward: { timeouts: { responseHeadMs: 5_000 } }, limits: { bodyTimeoutMs: 200 } } as DataPlaneOptions);
    const client = await RawClient.connect(plane.port);
    client.write(ASK);
    await hears100(client);
    await client.until(() => (client.received.includes('HTTP/1.1 408') ? true : undefined));
    t.deepEqual(app.asked(), [{ expect: true, bytes: 0 }]);
    client.destroy();
  });

  test('an endpoint that refuses connections costs nothing, and the next one is asked', async (t) => {
    const app = await kind.start(t, 'willing');
    const plane = await planeTo(t, kind, [REFUSING, app.endpoint]);
    for (let nth = 0; nth < 2; nth++) {
      const client = await RawClient.connect(plane.port);
      client.write(ASK);
      await hears100(client);
      client.write('hello');
      t.is(statusOf((await client.responses(1))[0]!), 200);
      client.destroy();
    }
  });

  test('a body that came with its head is not announced to the endpoint, and a 100 that nobody asked for is not passed on', async (t) => {
    const app = await kind.start(t, 'willing');
    const plane = await planeTo(t, kind, [app.endpoint]);
    const client = await RawClient.connect(plane.port);
    client.write(`${ASK}hello`);
    t.is(statusOf((await client.responses(1))[0]!), 200);
    t.false(heard100(client));
    t.like(app.asked(), [{ expect: false }]);
    client.destroy();
  });

  test('a client of HTTP/2 hears the same', async (t) => {
    for (const manner of ['willing', 'unwilling'] as const) {
      const app = await kind.start(t, manner);
      const plane = await planeTo(t, kind, [app.endpoint]);
      const session = http2.connect(`http://127.0.0.1:${plane.port}`);
      t.teardown(() => session.destroy());
      const stream = session.request({ ':method': 'POST', ':authority': 'a', ':path': '/', expect: '100-continue', 'content-length': '5' });
      stream.on('error', () => {});
      let told = false;
      stream.on('continue', () => {
        told = true;
        t.deepEqual(app.asked(), [{ expect: true, bytes: 0 }]);
        stream.end('hello');
      });
      const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders];
      t.is(Number(headers[':status']), manner === 'willing' ? 200 : 413);
      t.is(told, manner === 'willing');
      session.destroy();
    }
  });
}
