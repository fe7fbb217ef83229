// gRPC through the data plane, with @grpc/grpc-js on both sides: clear text and TLS, towards the client and towards the pod.
import { status } from '@grpc/grpc-js';
import ava from 'ava';
import type { ExecutionContext } from 'ava';
import type { Cluster } from '../../proxy/table/cluster.ts';
import { HTTP_LISTENER, cluster, endpoint, route, startDataPlane, virtualHost } from '../support/data-plane.ts';
import type { DataPlane } from '../support/data-plane.ts';
import { until } from '../support/endpoint-call.ts';
import { REFUSING } from '../support/endpoint-raw.ts';
import { testCa } from '../support/endpoint-tls.ts';
import { get } from '../support/fairlead-http.ts';
import { rawHttp2Endpoint } from '../support/http2-raw-endpoint.ts';
import { GrpcClient, metadata, startGrpcApp } from '../support/grpc.ts';
import type { GrpcApp } from '../support/grpc.ts';
import type { WorkerOptions } from '../../proxy/table/messages.ts';
import type { Certificate } from '../../proxy/table/certificate.ts';
import type { Endpoint } from '../../proxy/table/cluster.ts';

const ca = testCa();
const pod = ca.issue(['echo.grpc.svc']);
const edge = ca.issue(['grpc.test']);
const certificate: Certificate = { name: 'edge', hostnames: ['grpc.test'], notAfter: 4_000_000_000_000, chainPem: edge.cert, keyPem: edge.key };

interface Way {
  readonly name: string;
  readonly clientTls: boolean;
  readonly podTls: boolean;
}

const WAYS: readonly Way[] = [
  { name: 'h2c to h2c', clientTls: false, podTls: false },
  { name: 'h2c to TLS', clientTls: false, podTls: true },
  { name: 'TLS to h2c', clientTls: true, podTls: false },
  { name: 'TLS to TLS', clientTls: true, podTls: true },
];

interface Setup {
  readonly app: GrpcApp;
  readonly proxy: DataPlane;
  readonly client: GrpcClient;
}

interface Options {
  /** In place of the application's. */
  readonly endpoints?: readonly Endpoint[];
  readonly cluster?: Partial<Cluster>;
  readonly timeouts?: Partial<WorkerOptions['timeouts']>;
}

async function setup(t: ExecutionContext, way: Way, options: Options = {}): Promise<Setup> {
  const app = await startGrpcApp(t, way.podTls ? pod : undefined);
  const listeners = ['http', 'https'];
  const proxy = await startDataPlane({
    listeners: {
      'listener/http': HTTP_LISTENER,
      'listener/https': { ...HTTP_LISTENER, name: 'https', protocol: 'HTTPS', tls: { defaultCertificate: 'edge', minVersion: 'TLSv1.2' } },
    },
    virtualHosts: { 'http+https/grpc.test': virtualHost('grpc.test', [route('/', 'test/echo:50051')], { listeners, certificate: 'edge' }) },
    clusters: { 'test/echo:50051': cluster('test/echo:50051', { protocol: 'HTTP/2', ...(way.podTls ? { tls: { verify: true, caPem: ca.certPem, serverName: 'echo.grpc.svc' } } : {}), ...options.cluster }) },
    endpoints: { 'test/echo:50051': options.endpoints ?? [endpoint(app.port)] },
    certificates: { edge: certificate },
  }, { timeouts: options.timeouts });
  t.teardown(() => proxy.close());
  const client = way.clientTls ? new GrpcClient(t, proxy.httpsPort as number, { rootPem: ca.certPem }) : new GrpcClient(t, proxy.port);
  return { app, proxy, client };
}

for (const way of WAYS) suite(way);

function suite(way: Way): void {
  const test = (title: string, run: (t: ExecutionContext) => Promise<void>): void => ava(`${way.name}: ${title}`, run);

  test('a unary call brings its message, and metadata in both directions', async (t) => {
    const { app, proxy, client } = await setup(t, way);
    const sent = metadata(['x-text', 'one'], ['x-bytes-bin', Buffer.from([0, 1, 254, 255])], ['x-many', 'a'], ['x-many', 'b']);
    const got = await client.say('hello', sent);
    t.is(got.code, status.OK);
    t.is(got.messages[0]?.toString(), 'hello');
    for (const received of [app.metadata, got.head, got.trailers]) {
      t.deepEqual(received?.get('x-text'), ['one']);
      t.deepEqual(received?.get('x-bytes-bin'), [Buffer.from([0, 1, 254, 255])]);
      t.is(received?.get('x-many').join(', '), 'a, b');
    }
    t.deepEqual(app.metadata.get('x-forwarded-proto'), [way.clientTls ? 'https' : 'http']);
    t.is((await client.say('')).messages[0]?.length, 0);
    t.like(proxy.log[0], { status: 200, reason: '' });
  });

  test('a client streams, a server streams, and both take turns', async (t) => {
    const { client } = await setup(t, way);
    const collected = client.collect();
    for (const text of ['a', 'bb', 'ccc']) collected.call.write(Buffer.from(text));
    collected.call.end();
    t.is((await collected.over).messages[0]?.toString(), '3 6');

    const counted = await client.count(500).over;
    t.deepEqual(counted.messages.map(String), Array.from({ length: 500 }, (_, at) => String(at + 1)));

    const chat = client.chat(metadata(['x-end', 'yes']));
    const heard: string[] = [];
    chat.call.on('data', (message: Buffer) => {
      heard.push(message.toString());
      if (heard.length < 50) chat.call.write(Buffer.from(String(heard.length)));
      else chat.call.end();
    });
    chat.call.write(Buffer.from('0'));
    const over = await chat.over;
    t.is(over.code, status.OK);
    t.deepEqual(heard, Array.from({ length: 50 }, (_, at) => String(at)));
    t.deepEqual(over.trailers.get('x-end'), ['yes']);
  });

  test('every status comes through with its details and trailers, before and after messages', async (t) => {
    const { client, proxy } = await setup(t, way);
    const noted = (): (number | undefined)[] => proxy.log.splice(0).map(({ exchange }) => exchange.grpcStatus);
    t.is((await client.say('x')).code, status.OK);
    t.deepEqual(noted(), [status.OK]);
    for (let code = 1; code <= 16; code++) {
      const failed = await client.say('x', metadata(['fail', String(code)]));
      t.is(failed.code, code);
      t.is(failed.details, `failed as told: ${code}, \u00fcber`);
      t.is(failed.messages.length, 0);
      t.deepEqual(noted(), [code], 'the access log has it');
    }
    const bare = await client.say('x', metadata(['fail', '5'], ['x-why', 'because']));
    t.deepEqual(bare.trailers.get('x-why'), ['because']);
    const late = await client.count(3, metadata(['fail', '8'], ['x-why', 'because'])).over;
    t.is(late.code, status.RESOURCE_EXHAUSTED);
    t.deepEqual(late.messages.map(String), ['1', '2', '3']);
    t.deepEqual(late.trailers.get('x-why'), ['because']);
    t.deepEqual(noted(), [status.NOT_FOUND, status.RESOURCE_EXHAUSTED]);
    const chat = client.chat(metadata(['fail', '10']));
    chat.call.end();
    t.is((await chat.over).code, status.ABORTED);
    const unknown = await client.call('/test.Echo/Nothing');
    t.is(unknown.code, status.UNIMPLEMENTED);
    t.deepEqual(noted(), [status.ABORTED, status.UNIMPLEMENTED]);
  });

  test('a cancelled call is cancelled at the pod', async (t) => {
    const { app, proxy, client } = await setup(t, way);
    const hanging = client.say('x', metadata(['hang', '1']));
    await until(() => app.calls.length === 1);
    hanging.call.cancel();
    t.is((await hanging).code, status.CANCELLED);
    await until(() => app.cancelled.length === 1);

    const chat = client.chat();
    chat.call.write(Buffer.from('x'));
    await new Promise((resolve) => chat.call.once('data', resolve));
    chat.call.cancel();
    await until(() => app.cancelled.length === 2);

    const counted = client.count(1, metadata(['hang', '1']));
    await new Promise((resolve) => counted.call.once('data', resolve));
    counted.call.cancel();
    await until(() => app.cancelled.length === 3);

    const collected = client.collect();
    collected.call.write(Buffer.from('x'));
    await until(() => app.calls.length === 4);
    collected.call.cancel();
    await until(() => app.cancelled.length === 4);
    t.deepEqual(app.cancelled, ['Say', 'Chat', 'Count', 'Collect']);
    await until(() => proxy.log.length === 4);
    t.true(proxy.log.every(({ reason }) => reason === 'DownstreamConnectionTermination'));
    t.is((await client.say('still there')).code, status.OK);
  });

  test('a deadline ends the call, and the pod is told how long it has', async (t) => {
    const { app, client } = await setup(t, way);
    // The connections are there before the time runs, which is short on a busy machine.
    await client.say('x');
    const got = await client.say('x', metadata(['hang', '1']), { deadline: Date.now() + 800 });
    t.is(got.code, status.DEADLINE_EXCEEDED);
    t.true(app.timeLeft > 0 && app.timeLeft <= 800, `${app.timeLeft} ms`);
    t.is((await client.say('x', metadata(), { deadline: Date.now() + 60_000 })).code, status.OK);
    t.true(app.timeLeft > 30_000);
  });

  test('large messages arrive whole in both directions', async (t) => {
    const { client } = await setup(t, way);
    const large = Buffer.alloc(4 * 1024 * 1024, 'large');
    const got = await client.say(large);
    t.is(got.code, status.OK);
    t.true(got.messages[0]?.equals(large));
    const collected = client.collect();
    for (let nth = 0; nth < 2; nth++) collected.call.write(large);
    collected.call.end();
    t.is((await collected.over).messages[0]?.toString(), `2 ${2 * large.length}`);
    const counted = await client.count(2, metadata(['size', String(large.length)])).over;
    t.deepEqual(counted.messages.map(({ length }) => length), [large.length, large.length]);
  });

  test('a hundred streams at once, all alive, all complete', async (t) => {
    const { client, proxy } = await setup(t, way);
    const chats = Array.from({ length: 100 }, () => client.chat());
    const heard = chats.map(() => 0);
    const turns = 10;
    chats.forEach(({ call }, at) => {
      call.on('data', () => {
        heard[at]!++;
        if (heard[at]! < turns) call.write(Buffer.from(`${at}`));
        // Nobody ends before all have begun.
        else if (heard.every((each) => each >= 1)) call.end();
        else setTimeout(() => call.end(), 100);
      });
      call.write(Buffer.from(`${at}`));
    });
    const all = await Promise.all(chats.map(({ over }) => over));
    t.deepEqual(all.map(({ code }) => code), all.map(() => status.OK));
    t.true(heard.every((each) => each === turns));
    t.is(proxy.log.length, 100);
  });

  test('a slow client stops the pod, and gets all of it', async (t) => {
    const { client } = await setup(t, way);
    const { call, over } = client.count(32, metadata(['size', String(256 * 1024)]));
    call.pause();
    await new Promise((resolve) => setTimeout(resolve, 100));
    call.resume();
    const got = await over;
    t.is(got.code, status.OK);
    t.is(got.messages.length, 32);
  });
}

const PLAIN = WAYS[0]!;
const SECURE = WAYS[2]!;

ava('what the proxy answers itself is a status to gRPC clients, and none of it hangs', async (t) => {
  for (const way of [PLAIN, SECURE]) {
    const none = await setup(t, way, { endpoints: [] });
    t.like(await none.client.say('x'), { code: status.UNAVAILABLE, details: 'Received HTTP status code 503' });
    const other = way.clientTls ? new GrpcClient(t, none.proxy.httpsPort as number, { rootPem: ca.certPem, authority: 'grpc.test' }) : new GrpcClient(t, none.proxy.port, { authority: 'other.test' });
    if (!way.clientTls) t.like(await other.say('x'), { code: status.UNIMPLEMENTED, details: 'Received HTTP status code 404' });
    const refusing = await setup(t, way, { endpoints: [REFUSING] });
    t.like(await refusing.client.say('x'), { code: status.UNAVAILABLE, details: 'Received HTTP status code 502' });
    const chat = refusing.client.chat();
    chat.call.write(Buffer.from('x'));
    t.is((await chat.over).code, status.UNAVAILABLE);
    const mute = await rawHttp2Endpoint(() => {}, { greets: false });
    t.teardown(() => mute.close());
    const unanswered = await setup(t, way, { endpoints: [mute.endpoint], cluster: { connectTimeoutMs: 400 } });
    t.like(await unanswered.client.say('x'), { code: status.UNAVAILABLE, details: 'Received HTTP status code 504' });
  }
});

ava('a pod that never answers costs the timeout of the route', async (t) => {
  const { client, app, proxy } = await setup(t, PLAIN, { timeouts: { responseHeadMs: 200 } });
  t.like(await client.say('x', metadata(['hang', '1'])), { code: status.UNAVAILABLE, details: 'Received HTTP status code 504' });
  await until(() => app.cancelled.length > 0);
  t.is(proxy.log.at(-1)?.reason, 'UpstreamRequestTimeout');
});

ava('a stream that is silent for too long is cut, not ended', async (t) => {
  const { client, app } = await setup(t, PLAIN, { timeouts: { readIdleMs: 200 } });
  const got = await client.count(2, metadata(['hang', '1'])).over;
  t.not(got.code, status.OK);
  t.is(got.messages.length, 2);
  await until(() => app.cancelled.length === 1);
});

ava('a pod that goes away in the middle of a stream cuts it, and the others serve on', async (t) => {
  const { client, app, proxy } = await setup(t, PLAIN);
  const second = await startGrpcApp(t);
  const counted = client.count(2, metadata(['hang', '1']));
  await new Promise((resolve) => counted.call.once('data', resolve));
  await proxy.swap({ endpoints: { 'test/echo:50051': [endpoint(second.port)] } });
  const before = await client.say('x');
  t.is(before.code, status.OK);
  t.deepEqual(second.calls, ['Say'], 'the open stream stays, new calls go elsewhere');
  app.server.forceShutdown();
  t.not((await counted.over).code, status.OK);
});

ava('gRPC to a cluster that speaks HTTP/1.1 fails at once, and says what is missing', async (t) => {
  const { client, proxy } = await setup(t, PLAIN, { cluster: { protocol: 'HTTP/1.1' } });
  t.like(await client.say('x'), { code: status.UNAVAILABLE, details: 'Received HTTP status code 502' });
  const chat = client.chat();
  chat.call.write(Buffer.from('x'));
  t.is((await chat.over).code, status.UNAVAILABLE);
  t.deepEqual(proxy.log.map(({ status: code, reason }) => `${code} ${reason}`), ['502 UpstreamProtocolError', '502 UpstreamProtocolError']);
  const answer = await get(proxy.port, '/test.Echo/Say', { method: 'POST', host: 'grpc.test', headers: { 'content-type': 'application/grpc+proto' } });
  t.is(answer.status, 502);
  t.regex(answer.body, /UpstreamProtocolError: gRPC needs .* appProtocol grpc/);
});
