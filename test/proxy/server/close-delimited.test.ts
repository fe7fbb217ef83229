// Answers to HTTP/1.0 clients whose length nobody knows: they end with their connection, so that whoever cuts one must not end it as
// a whole one ends. By every cause of a cut, in clear text and over TLS (a close without close_notify would do there for those who check).
import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { selfSigned } from '../../../certs/self-signed.ts';
import { Http1Connection } from '../../../proxy/server/http1/connection.ts';
import type { ServerContext } from '../../../proxy/server/context.ts';
import { completeLimits } from '../../../proxy/server/limits.ts';
import { Deadlines } from '../../../proxy/time/deadlines.ts';
import type { Endpoint } from '../../../proxy/table/cluster.ts';
import { HTTP_LISTENER, route, simpleTable, startDataPlane, virtualHost } from '../../support/data-plane.ts';
import type { DataPlane } from '../../support/data-plane.ts';
import { rawEndpoint, reset, resetAfter } from '../../support/endpoint-raw.ts';
import { data, head, rawHttp2Endpoint, reset as resetStream } from '../../support/http2-raw-endpoint.ts';
import { DEFAULT_TEST_OPTIONS } from '../../support/worker-options.ts';

const own = selfSigned({ hostnames: ['a.test'] });
const CHUNKED = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n';
const ASK = 'GET / HTTP/1.0\r\nHost: a\r\n\r\n';
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

type Forwarding = Parameters<typeof simpleTable>[1];
type ClusterSettings = Parameters<typeof simpleTable>[2];

async function startPlane(t: ExecutionContext, endpoint: Endpoint, forward?: Forwarding, cluster?: ClusterSettings): Promise<DataPlane> {
  const plane = await startDataPlane({
    ...simpleTable([endpoint], forward, cluster),
    listeners: { 'listener/http': HTTP_LISTENER, 'listener/https': { ...HTTP_LISTENER, name: 'https', protocol: 'HTTPS', tls: { defaultCertificate: own.name, minVersion: 'TLSv1.2' } } },
    virtualHosts: { 'http+https/*': virtualHost('*', [route('/', 'test/web:80', forward)], { listeners: ['http', 'https'] }) },
    certificates: { [own.name]: own },
  });
  t.teardown(() => plane.close());
  return plane;
}

interface Heard {
  readonly socket: net.Socket;
  text: string;
  /** `end`, or the code of the error: what came first. */
  readonly outcome: Promise<string>;
}

async function connect(port: number, secure: boolean): Promise<Heard> {
  const socket = secure ? tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false }) : net.connect(port, '127.0.0.1');
  const heard: Heard = {
    socket,
    text: '',
    outcome: new Promise((resolve) => {
      socket.on('end', () => resolve('end'));
      socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
      socket.on('close', () => resolve('close'));
    }),
  };
  socket.on('data', (chunk: Buffer) => (heard.text += chunk.toString('latin1')));
  await once(socket, secure ? 'secureConnect' : 'connect');
  return heard;
}

async function until(look: () => boolean): Promise<void> {
  for (const deadline = performance.now() + 5_000; !look(); await pause(5)) if (performance.now() > deadline) throw new Error('not within 5 s');
}

for (const secure of [false, true]) {
  const over = secure ? 'TLS' : 'clear text';
  const ask = async (plane: DataPlane, request = ASK): Promise<Heard> => {
    const client = await connect(secure ? (plane.httpsPort as number) : plane.port, secure);
    client.socket.write(request);
    return client;
  };

  test(`${over}: a whole answer ends with its connection, behind all of its bytes`, async (t) => {
    const body = 'x'.repeat(300_000);
    const backend = await rawEndpoint((_request, socket) => {
      socket.write(`HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n`);
      setTimeout(() => socket.write('0\r\n\r\n'), 30);
    });
    t.teardown(() => backend.close());
    const client = await ask(await startPlane(t, backend.endpoint));
    t.is(await client.outcome, 'end');
    t.is(client.text.slice(client.text.indexOf('\r\n\r\n') + 4), body);
    t.false(/^(transfer-encoding|content-length):/im.test(client.text.slice(0, client.text.indexOf('\r\n\r\n'))));
  });

  test(`${over}: an answer that its endpoint resets or closes is a reset`, async (t) => {
    for (const script of [resetAfter(CHUNKED), ((_request, socket) => void socket.end(CHUNKED)) satisfies Parameters<typeof rawEndpoint>[0]]) {
      const backend = await rawEndpoint(script);
      t.teardown(() => backend.close());
      const plane = await startPlane(t, backend.endpoint);
      const client = await ask(plane);
      t.is(await client.outcome, 'ECONNRESET');
      t.true(client.text === '' || client.text.endsWith('hello'));
      t.deepEqual(plane.log.map(({ status, reason }) => [status, reason]), [[200, 'UpstreamConnectionTermination']]);
    }
  });

  test(`${over}: an answer of HTTP/2 without length whose stream is reset is a reset`, async (t) => {
    const backend = await rawHttp2Endpoint((stream, connection) => {
      connection.write(head(stream), data(stream, 'hello'));
      setTimeout(() => connection.write(resetStream(stream, 2)), 50);
    });
    t.teardown(() => backend.close());
    const plane = await startPlane(t, backend.endpoint, undefined, { protocol: 'HTTP/2' });
    const client = await ask(plane);
    t.is(await client.outcome, 'ECONNRESET');
    t.is(plane.log[0]?.reason, 'UpstreamRemoteReset');
  });

  for (const [timeouts, reason] of [[{ readIdleMs: 200 }, 'StreamIdleTimeout'], [{ requestMs: 3_000 }, 'DurationTimeout']] as const) {
    test(`${over}: an answer that stops is a reset, ${reason}`, async (t) => {
      const backend = await rawEndpoint((_request, socket) => void socket.write(CHUNKED));
      t.teardown(() => backend.close());
      const plane = await startPlane(t, backend.endpoint, { timeouts });
      const client = await ask(plane);
      t.is(await client.outcome, 'ECONNRESET');
      t.true(client.text.endsWith('hello'));
      t.is(plane.log[0]?.reason, reason);
    });
  }

  test(`${over}: an answer that is cut at the end of a drain is a reset`, async (t) => {
    const backend = await rawEndpoint((_request, socket) => void socket.write(CHUNKED));
    t.teardown(() => backend.close());
    const plane = await startPlane(t, backend.endpoint);
    const client = await ask(plane);
    await until(() => client.text.endsWith('hello'));
    t.is(await plane.server.drain(100), 1);
    t.is(await client.outcome, 'ECONNRESET');
  });

  test(`${over}: an answer to a request that its client ends before it is complete is a reset`, async (t) => {
    const backend = await rawEndpoint((_request, socket) => void socket.write(CHUNKED));
    t.teardown(() => backend.close());
    const client = await ask(await startPlane(t, backend.endpoint), 'POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nsome');
    await until(() => client.text.endsWith('hello'));
    // Only the sending side: what comes is still read.
    client.socket.allowHalfOpen = true;
    client.socket.end();
    t.is(await client.outcome, 'ECONNRESET');
  });

  /** A connection whose answer was given whole, in one go, to a client that does not read. */
  const given = async (t: ExecutionContext, size: number, writeStallMs: number): Promise<{ readonly client: Heard; readonly connection: Http1Connection; readonly socket: net.Socket }> => {
    const deadlines = new Deadlines();
    deadlines.start();
    const context: ServerContext = {
      limits: completeLimits({ ...DEFAULT_TEST_OPTIONS.limits, writeStallMs }), deadlines, draining: false, overloaded: false,
      opened() {}, closed() {}, refused() {}, passed() {},
      serve({ response }) {
        response.head(200, [], undefined);
        response.data(Buffer.alloc(size, 'x'));
        response.end();
      },
    };
    const made = Promise.withResolvers<{ readonly connection: Http1Connection; readonly socket: net.Socket }>();
    const begin = (socket: net.Socket): void => {
      socket.allowHalfOpen = true;
      const peer = { listener: 'http', client: { address: '127.0.0.1', port: 1 } } as unknown as ConstructorParameters<typeof Http1Connection>[1];
      made.resolve({ socket, connection: new Http1Connection(socket, peer, context) });
    };
    const secured = tls.createServer({ cert: own.chainPem, key: own.keyPem }, begin);
    const server = net.createServer({ noDelay: true }, secure ? (socket) => void secured.emit('connection', socket) : begin);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.teardown(() => {
      deadlines.stop();
      server.close();
    });
    const client = await connect((server.address() as net.AddressInfo).port, secure);
    client.socket.pause();
    client.socket.write(ASK);
    return { client, ...(await made.promise) };
  };

  test(`${over}: an answer that was given whole is a reset if its client never takes all of it`, async (t) => {
    const { client, socket } = await given(t, 64_000_000, 200);
    await once(socket, 'close');
    client.socket.resume();
    t.is(await client.outcome, 'ECONNRESET');
  });

  test(`${over}: what is on its way already when the connection is cut comes whole, and what is not is a reset`, async (t) => {
    for (const [size, outcome] of [[10_000, 'end'], [64_000_000, 'ECONNRESET']] as const) {
      const { client, connection, socket } = await given(t, size, 60_000);
      await until(() => socket.writableEnded);
      if (outcome === 'end') await until(() => socket.writableLength === 0);
      connection.destroy();
      client.socket.resume();
      t.is(await client.outcome, outcome);
      t.is(client.text.endsWith('x'.repeat(10_000)) && client.text.length > size, outcome === 'end');
    }
  });
}

test('an answer of known length that is cut short ends its connection, as ever', async (t) => {
  const backend = await rawEndpoint((_request, socket) => {
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello');
    setTimeout(() => reset(socket), 50);
  });
  t.teardown(() => backend.close());
  const plane = await startPlane(t, backend.endpoint);
  const client = await connect(plane.port, false);
  client.socket.write(ASK);
  t.is(await client.outcome, 'end');
  t.true(client.text.endsWith('hello'));
});
