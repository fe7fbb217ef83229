// Clients of HTTP/2 that send many heads at a time have them served in turns: others come between, and nothing of what waits is lost.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import { buffer } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { selfSigned } from '../../../certs/self-signed.ts';
import { HTTP_LISTENER, endpoint, route, simpleTable, startDataPlane, virtualHost } from '../../support/data-plane.ts';
import { startBackend } from '../../support/fairlead-backend.ts';
import { FLAG, FRAME, RawHttp2Client, frame, requestFields } from '../../support/raw-http2.ts';

const own = selfSigned({ hostnames: ['a.test'] });
const HEADS = 100;
const windowUpdate = (stream: number, by: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(by);
  return frame(FRAME.WINDOW_UPDATE, 0, stream, bytes);
};

test('a hundred requests in one packet do not all go before the one that another client sends behind them', async (t) => {
  const proxy = await startDataPlane({});
  t.teardown(() => proxy.close());
  const many = await greeted(t, proxy.port);
  const one = net.connect(proxy.port, '127.0.0.1').on('error', () => undefined);
  t.teardown(() => one.destroy());
  await once(one, 'connect');
  // The other side of the connection is there once it has answered.
  one.write('GET /one HTTP/1.1\r\nHost: a.test\r\n\r\n');
  await once(one, 'data');

  askAll(many);
  one.write('GET /one HTTP/1.1\r\nHost: a.test\r\n\r\n');
  await once(one, 'data');
  const before = proxy.log.length - 2;
  t.true(before < HEADS / 2, `${before} of ${HEADS} requests went before it`);
  await answered(many);
  t.is(proxy.log.length, HEADS + 2);
});

for (const version of ['1.1', '2']) {
  test(`twenty clients with a hundred requests in one packet each do not all have a turn before one of HTTP/${version} that sends its own behind them`, async (t) => {
    const proxy = await startDataPlane({});
    t.teardown(() => proxy.close());
    const many = await Promise.all(Array.from({ length: 20 }, () => greeted(t, proxy.port)));
    const one = version === '2' ? await greeted(t, proxy.port) : net.connect(proxy.port, '127.0.0.1').on('error', () => undefined);
    if (one instanceof net.Socket) {
      t.teardown(() => one.destroy());
      await once(one, 'connect');
    }
    // What they have said so far would put them in another order.
    await settled();
    for (const client of many) askAll(client);
    if (one instanceof net.Socket) one.write('GET /one HTTP/1.1\r\nHost: a.test\r\n\r\n');
    else one.write(one.headers(1, requestFields('GET', '/one'), true));
    await Promise.all(many.map(answered));
    t.is(proxy.log.length, many.length * HEADS + 1, 'all of them are served in the end');
    const before = proxy.log.findIndex(({ exchange }) => exchange.request.path === '/one');
    // Each of the twenty has its first one served at once, and some more go in that round of the event loop.
    t.true(before >= 0 && before < (many.length * HEADS) / 10, `${before} of ${many.length * HEADS} requests went before it`);
  });
}

test('sixty clients with a hundred requests in one packet each do not all have a turn before the body of one that came with its head', async (t) => {
  const backend = await startBackend(t, 'web', (request, response) => void buffer(request).then(() => response.end()));
  const proxy = await startDataPlane({ ...simpleTable([endpoint(backend)]), virtualHosts: { 'http/*': virtualHost('*', [route('/one', 'test/web:80')]) } });
  t.teardown(() => proxy.close());
  const [one, ...many] = await Promise.all(Array.from({ length: 61 }, () => greeted(t, proxy.port)));
  await settled();
  for (const client of many) askAll(client);
  one!.write(one!.headers(1, requestFields('POST', '/one'), false), frame(FRAME.DATA, FLAG.END_STREAM, 1, 'body'));
  await Promise.all(many.map(answered));
  const before = proxy.log.findIndex(({ exchange }) => exchange.request.path === '/one');
  t.true(before >= 0 && before < (many.length * HEADS) / 10, `${before} of ${many.length * HEADS} requests went before it`);
});

for (const secure of [false, true]) {
  test(`what waits for its turn is served whole, with its body (${secure ? 'TLS' : 'clear text'})`, async (t) => {
    const backend = await startBackend(t, 'web', (request, response) => void buffer(request).then((body) => response.end(sha256(body))));
    const proxy = await startDataPlane({
      ...simpleTable([endpoint(backend)]),
      listeners: { 'listener/http': HTTP_LISTENER, 'listener/https': { ...HTTP_LISTENER, name: 'https', protocol: 'HTTPS', tls: { defaultCertificate: own.name, minVersion: 'TLSv1.2' } } },
      virtualHosts: { 'http+https/*': virtualHost('*', [route('/', 'test/web:80')], { listeners: ['http', 'https'] }) },
      certificates: { [own.name]: own },
    });
    t.teardown(() => proxy.close());
    const session = secure ? http2.connect(`https://127.0.0.1:${proxy.httpsPort}`, { rejectUnauthorized: false }) : http2.connect(`http://127.0.0.1:${proxy.port}`);
    t.teardown(() => session.destroy());
    for (let round = 0; round < 3; round++) {
      const answers = Array.from({ length: HEADS }, async (_, i) => {
        const body = Buffer.alloc(10 + i * 200, `${round} ${i} `);
        const stream = session.request({ ':method': 'POST', ':path': '/', 'x-long': `${i}${'y'.repeat(1_500)}` });
        stream.end(body);
        return (await buffer(stream)).toString() === sha256(body);
      });
      t.deepEqual((await Promise.all(answers)).filter((same) => !same), []);
    }
  });
}

for (const what of ['an upload', 'an answer'] as const) {
  test.serial(`a client is not taken for one that stalls while the rest of ${what} is up to what waits for its turn`, async (t) => {
    const big = 'x'.repeat(200_000);
    const backend = await startBackend(t, 'web', (request, response) => void buffer(request).then(() => response.end(request.url === '/app/big' ? big : 'small')));
    const proxy = await startDataPlane({ ...simpleTable([endpoint(backend)], {}, { connectTimeoutMs: 20_000 }), virtualHosts: { 'http/*': virtualHost('*', [route('/app', 'test/web:80')]) } }, { forwarding: { endpointRequests: 1 } });
    t.teardown(() => proxy.close());
    const [one, another, ...many] = await Promise.all(Array.from({ length: 22 }, () => greeted(t, proxy.port)));
    for (const client of many) askAll(client);
    const others = Array.from({ length: 90 }, (_, i) => one!.headers(i * 2 + 3, requestFields('GET', '/other'), true));
    if (what === 'an upload') one!.write(one!.headers(1, requestFields('POST', '/app'), false), ...others, frame(FRAME.DATA, FLAG.END_STREAM, 1, 'all of it'));
    else one!.write(one!.headers(1, requestFields('GET', '/app/big'), true), ...others, windowUpdate(0, 1_000_000), windowUpdate(1, 1_000_000));
    another!.write(another!.headers(1, requestFields('GET', '/app'), true));
    slowDown(t);
    for (const client of [one!, another!]) await client.until(({ type, stream, flags }) => type === FRAME.DATA && stream === 1 && (flags & FLAG.END_STREAM) !== 0, 30_000);
    t.deepEqual(proxy.log.filter(({ exchange }) => exchange.cluster !== undefined).map(({ status, reason }) => [status, reason]), [[200, ''], [200, '']]);
  });
}

test.serial('a drain serves what a client had sent before it, though its turn comes later than the goodbye', async (t) => {
  const backend = await startBackend(t, 'web');
  const proxy = await startDataPlane(simpleTable([endpoint(backend)]));
  t.teardown(() => proxy.close());
  const many = await Promise.all(Array.from({ length: 20 }, () => greeted(t, proxy.port)));
  for (const client of many) askAll(client);
  slowDown(t);
  await pause(100);
  await proxy.server.drain(30_000);
  // What they were sent last may not have been read yet.
  while (!many.every(({ closed }) => closed)) await pause(1);
  const refused = many.map((client) => HEADS - client.frames.filter(({ type, flags }) => type === FRAME.DATA && (flags & FLAG.END_STREAM) !== 0).length);
  t.deepEqual(refused.filter((count) => count > 0), []);
});

test('nothing more is begun of what waits for its turn when its connection is cut', async (t) => {
  const backend = await startBackend(t, 'web');
  const proxy = await startDataPlane(simpleTable([endpoint(backend)]));
  const many = await Promise.all(Array.from({ length: 30 }, () => greeted(t, proxy.port)));
  for (const client of many) askAll(client);
  while (proxy.log.length === 0) await pause(1);
  const cutAt = performance.now();
  await proxy.close();
  while (!many.every(({ closed }) => closed)) await pause(1);
  t.true(proxy.log.length < many.length * HEADS, 'some waited');
  t.is(proxy.log.filter(({ exchange }) => exchange.startedAt > cutAt).length, 0);
});

test('a client that lets answers lie while its requests wait is served when it reads again', async (t) => {
  const big = Buffer.alloc(200_000, 'x');
  const asked: string[] = [];
  const held: ServerResponse[] = [];
  const backend = await startBackend(t, 'web', ({ url = '' }, response) => {
    asked.push(url);
    if (url !== '/head') return void response.end(big);
    // Their heads would stop the reading of the last of them.
    if (held.push(response.setHeader('x-long', 'x'.repeat(14_000))) === 30) for (const each of held) each.end(big);
    return undefined;
  });
  const proxy = await startDataPlane(simpleTable([endpoint(backend)]));
  t.teardown(() => proxy.close());
  const client = await greeted(t, proxy.port);
  client.socket.pause();
  let streams = 0;
  const ask = (path: string, count: number): Buffer => Buffer.concat(Array.from({ length: count }, () => Buffer.concat([client.headers(++streams * 2 - 1, requestFields('GET', path, 'a.test', [['x-long', 'x'.repeat(2_000)]]), true), windowUpdate(streams * 2 - 1, 1_000_000)])));
  // Data fills what the system takes, heads what we keep; so nothing is read any more when only some of the last requests have been served.
  client.write(windowUpdate(0, 1_000_000_000), ask('/data', 60));
  await settled();
  client.write(ask('/head', 30));
  await settled();
  client.write(ask('/waits', 38));
  await settled();
  const served = asked.filter((path) => path === '/waits').length;
  t.true(served > 0 && served < 38, `${served} of 38 were served to a client that reads nothing`);
  client.socket.resume();
  for (let i = 0; i < streams; i++) await client.until(({ type, stream, flags }) => type === FRAME.DATA && stream === i * 2 + 1 && (flags & FLAG.END_STREAM) !== 0);
  t.is(client.frames.reduce((sum, { type, payload }) => sum + (type === FRAME.DATA ? payload.length : 0), 0), streams * big.length);
});

/** A client whose SETTINGS are acknowledged. */
async function greeted(t: ExecutionContext, port: number): Promise<RawHttp2Client> {
  const client = await RawHttp2Client.connect(port);
  t.teardown(() => client.destroy());
  await client.until(({ type, flags }) => type === FRAME.SETTINGS && flags === FLAG.ACK);
  return client;
}

/** With so much to do beside it the event loop comes round seldom, and it is seconds until many clients have had all their turns. */
function slowDown(t: ExecutionContext): void {
  let slow = true;
  t.teardown(() => (slow = false));
  const work = (): void => {
    for (const until = performance.now() + 25; performance.now() < until; );
    if (slow) setImmediate(work);
  };
  work();
}

/** A hundred requests in one packet. */
function askAll(client: RawHttp2Client): void {
  client.write(...Array.from({ length: HEADS }, (_, i) => client.headers(i * 2 + 1, requestFields('GET', '/many', 'a.test', [['x-long', 'x'.repeat(300)]]), true)));
}

/** The last of them is answered. */
async function answered(client: RawHttp2Client): Promise<void> {
  await client.until(({ stream, flags, type }) => type !== FRAME.SETTINGS && stream === HEADS * 2 - 1 && (flags & FLAG.END_STREAM) !== 0);
}

/** Client, proxy and application are all in this process: they have nothing to do any more, however long that takes on a crowded machine. */
async function settled(): Promise<void> {
  const { eventLoopUtilization } = performance;
  for (let busy = 1; busy > 0.05; ) {
    const before = eventLoopUtilization();
    await pause(200);
    busy = eventLoopUtilization(before).utilization;
  }
}

function sha256(body: Buffer): string {
  return createHash('sha256').update(body).digest('hex');
}

