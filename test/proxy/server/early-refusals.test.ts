// Endpoints that refuse a request while its body is still coming, on routes that ask another endpoint then: it gets all of the
// body, whatever becomes of the upload to the first one. Over HTTP/1.1 a body can be had again only while 100 is awaited.
import type net from 'node:net';
import ava from 'ava';
import type { ExecutionContext } from 'ava';
import type { Cluster, Endpoint } from '../../../proxy/table/cluster.ts';
import { simpleTable, startDataPlane } from '../../support/data-plane.ts';
import type { DataPlane, DataPlaneOptions } from '../../support/data-plane.ts';
import { until } from '../../support/endpoint-call.ts';
import { rawEndpoint, reset as cut } from '../../support/endpoint-raw.ts';
import { TRANSPORTS } from '../../support/endpoint-transport.ts';
import { data, head, rawHttp2Endpoint } from '../../support/http2-raw-endpoint.ts';
import { HTTP2_TRANSPORTS } from '../../support/http2-upstream.ts';
import { RawClient, exchangeRaw, statusOf } from '../../support/raw-client.ts';
import { FRAME } from '../../support/raw-http2.ts';

/** One request at an endpoint. */
interface Received {
  /** What has come of its body. */
  text(): string;
  complete(): boolean;
  /** The proxy has given it up. */
  over(): boolean;
  head(status: number, length: number): void;
  /** All of the answer's body. */
  body(text: string): void;
  cut(): void;
}

type Script = (received: Received) => void;

interface Kind {
  readonly name: string;
  readonly expects: boolean;
  readonly more: Partial<Cluster>;
  start(t: ExecutionContext, script: Script): Promise<Endpoint>;
}

const http1 = TRANSPORTS.map(({ name, cluster: { tls }, endpoint }): Kind => ({
  name: `HTTP/1.1, ${name}`,
  expects: true,
  more: { tls },
  start: async (t, script) => {
    const raw = await rawEndpoint((request, socket: net.Socket) => {
      if (request.values('expect').length > 0) socket.write('HTTP/1.1 100 Continue\r\n\r\n');
      script({
        text: () => request.body.toString(),
        complete: () => request.complete,
        over: () => socket.destroyed,
        head: (status, length) => void socket.write(`HTTP/1.1 ${status} X\r\ncontent-length: ${length}\r\n\r\n`),
        body: (text) => void socket.write(text),
        cut: () => cut(socket),
      });
    }, endpoint);
    t.teardown(() => raw.close());
    return raw.endpoint;
  },
}));

const overHttp2 = HTTP2_TRANSPORTS.flatMap(({ name, cluster: { protocol, tls }, endpoint }) => [false, true].map((expects): Kind => ({
  name: `${name}${expects ? ', 100-continue' : ''}`,
  expects,
  more: { protocol, tls },
  start: async (t, script) => {
    const raw = await rawHttp2Endpoint((stream, connection) => {
      if (expects) connection.write(head(stream, [[':status', '100']]));
      script({
        text: () => connection.frames.filter((frame) => frame.type === FRAME.DATA && frame.stream === stream.id).map(({ payload }) => payload.toString()).join(''),
        complete: () => stream.ended,
        over: () => stream.reset !== undefined,
        head: (status) => connection.write(head(stream, [[':status', String(status)]])),
        body: (text) => connection.write(data(stream, text, true)),
        cut: () => cut(connection.socket),
      });
    }, endpoint);
    t.teardown(() => raw.close());
    return raw.endpoint;
  },
})));

const BODY = 'abcdefgh';
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

for (const kind of [...http1, ...overHttp2]) suite(kind);

function suite(kind: Kind): void {
  const test = (title: string, run: (t: ExecutionContext) => Promise<void>): void => ava(`${kind.name}: ${title}`, run);

  /** `scripts`: for the first request that comes, wherever it does, for the second, and for all others. */
  async function planeTo(t: ExecutionContext, count: number, scripts: readonly Script[], limits: DataPlaneOptions['limits'] = {}): Promise<{ plane: DataPlane; received: Received[] }> {
    const received: Received[] = [];
    const script: Script = (one) => scripts[Math.min(received.push(one), scripts.length) - 1]!(one);
    const endpoints = await Promise.all(Array.from({ length: count }, () => kind.start(t, script)));
    const plane = await startDataPlane(simpleTable(endpoints, { retry: { on: ['503', 'error'] } }, kind.more), { limits, forwarding: { endpointRequests: 1, waitingRequests: 0 } });
    t.teardown(() => plane.close());
    return { plane, received };
  }

  async function upload(t: ExecutionContext, plane: DataPlane): Promise<RawClient> {
    const client = await RawClient.connect(plane.port);
    t.teardown(() => client.destroy());
    client.write(`PUT / HTTP/1.1\r\nHost: a\r\n${kind.expects ? 'Expect: 100-continue\r\n' : ''}Content-Length: ${BODY.length}\r\n\r\n`);
    if (kind.expects) {
      await client.until(() => (client.received.includes('100 Continue\r\n\r\n') ? true : undefined));
      client.received = Buffer.alloc(0);
    }
    client.write('ab');
    return client;
  }

  const refuses: Script = (one) => void until(() => one.text() !== '').then(() => {
    one.head(503, 5);
    one.body('sorry');
  });
  /** The answer ends when the next endpoint has the upload. */
  const refusesSlowly: Script = (one) => void until(() => one.text() !== '').then(async () => {
    one.head(503, 5);
    await pause(60);
    one.body('sorry');
  });
  const echoes: Script = (one) => void until(() => one.complete()).then(() => {
    one.head(200, one.text().length);
    one.body(one.text());
  });
  const echoesFromTheStart: Script = (one) => void until(() => one.text() !== '').then(async () => {
    one.head(200, BODY.length);
    await until(() => one.complete());
    one.body(one.text());
  });

  for (const [how, first, second] of [
    ['at once', refuses, echoes],
    ['in two steps', refusesSlowly, echoes],
    ['at once, and the next one answers before it has all', refuses, echoesFromTheStart],
    ['in two steps, and the next one answers before it has all', refusesSlowly, echoesFromTheStart],
  ] as const) {
    test(`one that refuses ${how} keeps nothing of the body from the next one`, async (t) => {
      const { plane, received } = await planeTo(t, 2, [first, second]);
      const client = await upload(t, plane);
      await until(() => received[1]?.text() === 'ab');
      await pause(120);
      client.write('cde');
      await until(() => received[1]?.text() === 'abcde');
      client.write('fgh');
      const [message] = await client.responses(1);
      t.is(statusOf(message!), 200);
      t.is(message!.body.toString(), BODY);
      t.deepEqual(plane.log[0]!.exchange.attempts.map(({ status }) => status), [503, 200]);
    });
  }

  for (const [how, first] of [['at once', refuses], ['in two steps', refusesSlowly]] as const) {
    test(`after a refusal ${how}, a client that leaves while the next endpoint has its upload is noticed, and both places are given back`, async (t) => {
      const { plane, received } = await planeTo(t, 2, [first, () => {}, echoes]);
      const client = await upload(t, plane);
      await until(() => received[1]?.text() === 'ab');
      await pause(120);
      client.destroy();
      await until(() => plane.log.length === 1);
      t.is(plane.log[0]!.status, 499, 'the refusal was said to nobody');
      await until(() => received[1]!.over());
      const next = await Promise.all([0, 1].map(() => exchangeRaw(plane.port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')));
      for (const each of next) each.client.destroy();
      t.deepEqual(next.map(({ message }) => statusOf(message)), [200, 200]);
    });

    test(`after a refusal ${how}, a client that does not go on sending is told so, and not what the endpoint said`, async (t) => {
      const { plane, received } = await planeTo(t, 2, [first, () => {}, echoes], { bodyTimeoutMs: 1_500 });
      const client = await upload(t, plane);
      await until(() => received[1]?.text() === 'ab');
      const [message] = await client.responses(1);
      t.is(statusOf(message!), 408);
      t.is(plane.log[0]!.reason, 'DownstreamRequestTimeout');
    });

    test(`a refusal ${how} that nobody can better is heard while the body is still coming`, async (t) => {
      const { plane } = await planeTo(t, 1, [first]);
      const client = await upload(t, plane);
      const [message] = await client.responses(1);
      t.is(statusOf(message!), 503);
      t.is(message!.body.toString(), 'sorry');
    });

    test(`a refusal ${how} is heard after all if the next endpoint breaks off`, async (t) => {
      const { plane } = await planeTo(t, 2, [first, (one) => void until(() => one.text() !== '').then(() => one.cut())]);
      const client = await upload(t, plane);
      const [message] = await client.responses(1);
      t.is(statusOf(message!), 503);
      t.is(message!.body.toString(), 'sorry');
      t.is(plane.log[0]!.exchange.attempts.length, 2);
    });
  }
}
