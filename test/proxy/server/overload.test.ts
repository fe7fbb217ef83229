// An overloaded worker: what it no longer begins, what it refuses, and what goes on.
import http2 from 'node:http2';
import net from 'node:net';
import { once } from 'node:events';
import test from 'ava';
import { Overload, SAMPLE_MS } from '../../../proxy/server/overload.ts';
import type { Load } from '../../../proxy/server/overload.ts';
import { systemLoad } from '../../../proxy/server/load-probe.ts';
import { forwardPlane, ok } from '../../support/forward-plane.ts';
import { RawClient, exchangeRaw, statusOf } from '../../support/raw-client.ts';
import { field } from '../../support/strict-http1.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const IDLE: Load = { memory: 0, loopDelayMs: 0 };

async function overloaded(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, SAMPLE_MS + 100));
}

test('levels by memory: 85 % and 92 %, each left a little below', (t) => {
  let load = IDLE;
  const overload = new Overload(() => load);
  const at = (memory: number): [boolean, boolean] => {
    load = { memory, loopDelayMs: 0 };
    overload.look(0);
    return [overload.high, overload.critical];
  };
  t.deepEqual([0.5, 0.849, 0.85, 0.82, 0.79, 0.84, 0.92, 0.9, 0.87, 0.79].map(at), [
    [false, false], [false, false], [true, false], [true, false], [false, false], [false, false], [true, true], [true, true], [true, false], [false, false],
  ]);
});

test('an event loop that is late has requests refused after two seconds, ever more of them, and ever fewer once it no longer is', (t) => {
  let load: Load = { memory: 0, loopDelayMs: 201 };
  const overload = new Overload(() => load);
  let looks = 0;
  const refusedOf100 = (): number => {
    overload.look(looks++ * SAMPLE_MS);
    return Array.from({ length: 100 }, () => overload.refuses()).filter(Boolean).length;
  };
  // Of a share that is no whole number of hundredths one more or less.
  const near = (seen: number, wanted: number): void => void t.true(Math.abs(seen - wanted) <= 1, `${seen}, not ${wanted}`);
  for (const wanted of [0, 0, 0, 20, 40, 60]) near(refusedOf100(), wanted);
  load = { memory: 0, loopDelayMs: 200 };
  for (const wanted of [50, 40]) near(refusedOf100(), wanted);
  // Late again: only after two seconds does it count again.
  load = { memory: 0, loopDelayMs: 500 };
  for (const wanted of [30, 20, 10, 30, 50, 70, 90, 100, 100]) near(refusedOf100(), wanted);
  load = IDLE;
  for (const wanted of [90, 80, 70, 60, 50, 40, 30, 20, 10, 0, 0]) near(refusedOf100(), wanted);
  t.false(overload.high, 'connections are kept, and streams are not refused');
});

test('the load of this machine can be read, and a limit changes what it means', (t) => {
  const { memory } = systemLoad({ limitBytes: 1024, processes: 1 })();
  t.true(memory > 1);
  t.true(systemLoad({ limitBytes: 2 ** 50, processes: 1 })().memory < 0.01);
});

test('at 85 % connections end with their answer, and HTTP/2 streams are refused so that the client may send them elsewhere', async (t) => {
  let load = IDLE;
  const plane = await forwardPlane(t, [ok], { probe: () => load });
  const session = http2.connect(`http://127.0.0.1:${plane.port}`);
  session.on('error', () => undefined);
  t.teardown(() => session.destroy());
  const fine = session.request({ ':path': '/', ':authority': 'a' });
  await once(fine, 'response');
  load = { memory: 0.86, loopDelayMs: 0 };
  await overloaded();
  const { message, client } = await exchangeRaw(plane.port, GET);
  t.is(statusOf(message), 200);
  t.is(field(message, 'connection'), 'close');
  await client.end();
  const refused = session.request({ ':path': '/', ':authority': 'a' });
  const [error] = (await once(refused, 'error')) as [Error];
  t.regex(error.message, /REFUSED_STREAM/);
  t.is(plane.log.at(-1)!.reason, 'Overload');
  load = IDLE;
  await overloaded();
  const again = session.request({ ':path': '/', ':authority': 'a' });
  const [headers] = (await once(again, 'response')) as [http2.IncomingHttpHeaders];
  t.is(Number(headers[':status']), 200);
});

test('at 92 % new requests are 503, and what is under way goes on', async (t) => {
  let load = IDLE;
  let answerNow: (() => void) | undefined;
  const plane = await forwardPlane(t, [(request, socket) => {
    if (!request.startLine.includes('/slow')) return ok(request, socket);
    answerNow = () => void socket.write('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ndone');
    return undefined;
  }], { probe: () => load });
  const slow = await RawClient.connect(plane.port);
  slow.write('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n');
  await slow.until(() => (answerNow === undefined ? undefined : true));
  load = { memory: 0.93, loopDelayMs: 0 };
  await overloaded();
  const { message, client } = await exchangeRaw(plane.port, GET);
  client.destroy();
  t.is(statusOf(message), 503);
  t.is(field(message, 'retry-after'), '1');
  t.is(plane.log.at(-1)!.reason, 'Overload');
  t.is(plane.counts()[0], 1);
  answerNow!();
  const [late] = await slow.responses(1);
  t.is(late!.body.toString(), 'done');
  slow.destroy();
  load = IDLE;
  await overloaded();
  const after = await exchangeRaw(plane.port, GET);
  t.is(statusOf(after.message), 200);
  after.client.destroy();
});

test('one client address has as many connections as it may, and its places are given back', async (t) => {
  const plane = await forwardPlane(t, [ok], { limits: { connectionsPerAddress: 3 } });
  const clients = await Promise.all([0, 1, 2].map(() => RawClient.connect(plane.port)));
  for (const client of clients) {
    client.write(GET);
    await client.responses(1);
  }
  const fourth = net.connect(plane.port, '127.0.0.1').on('error', () => undefined);
  fourth.end(GET);
  await new Promise((resolve) => fourth.once('close', resolve));
  t.is(fourth.bytesRead, 0);
  clients[0]!.destroy();
  const startedAt = performance.now();
  for (;;) {
    const next = await exchangeRaw(plane.port, GET).catch(() => undefined);
    next?.client.destroy();
    if (next !== undefined) break;
    t.true(performance.now() - startedAt < 5_000);
  }
  for (const client of clients) client.destroy();
});

test('a trusted proxy stands for many clients: it may have any number of connections', async (t) => {
  const plane = await forwardPlane(t, [ok], { limits: { connectionsPerAddress: 1 } });
  const { server } = plane;
  await plane.swap({ listeners: { 'listener/trusting': { name: 'http', address: '127.0.0.1', port: 0, protocol: 'HTTP', proxyProtocol: false, trustedProxies: ['127.0.0.0/8'] } } });
  const port = (await server.apply(server.snapshot))['http'] as number;
  const clients = await Promise.all([0, 1, 2].map(() => RawClient.connect(port)));
  for (const client of clients) {
    client.write(GET);
    t.is(statusOf((await client.responses(1))[0]!), 200);
    client.destroy();
  }
});
