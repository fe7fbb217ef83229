// Stopping under load, seen from clients: replicas are replaced behind a balancer that notices late, and WebSockets are told
// to go one after the other. With SOAK=1 (npm run soak) in full length.
import { once } from 'node:events';
import http2 from 'node:http2';
import net from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import WebSocket, { WebSocketServer } from 'ws';
import { crowd } from '../support/forward-plane.ts';
import { startBackend } from '../support/fairlead-backend.ts';
import { get } from '../support/fairlead-http.ts';
import { documents, endpoints, ingress, service } from '../support/fairlead-manifests.ts';
import { startFairlead } from '../support/fairlead-run.ts';
import type { FairleadRun } from '../support/fairlead-run.ts';

const FULL = process.env['SOAK'] === '1';
const SIZE = FULL ? { rolls: 10, noticeMs: 5_000, rate: 300 } : { rolls: 2, noticeMs: 600, rate: 150 };

/** A TCP balancer that sends new connections to what was ready some time ago, and knows nothing of HTTP. */
async function startBalancer(t: ExecutionContext, noticeMs: number): Promise<{ port: number; add(run: FairleadRun): void }> {
  const targets: { readonly run: FairleadRun; listed: boolean }[] = [];
  let turn = 0;
  const server = net.createServer((socket) => {
    const listed = targets.filter((target) => target.listed);
    const target = listed[turn++ % listed.length];
    socket.on('error', () => undefined);
    if (target === undefined) return void socket.destroy();
    const upstream = net.connect(target.run.http, '127.0.0.1').on('error', () => socket.destroy());
    socket.pipe(upstream).pipe(socket);
    socket.once('close', () => upstream.destroy());
    upstream.once('close', () => socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const probe = setInterval(() => {
    for (const target of targets) {
      void get(target.run.admin, '/readyz').then(({ status }) => status === 200, () => false).then(async (ready) => {
        if (!ready) await pause(noticeMs);
        target.listed = ready;
      });
    }
  }, 50);
  t.teardown(() => {
    clearInterval(probe);
    server.close();
  });
  return { port: (server.address() as net.AddressInfo).port, add: (run) => void targets.push({ run, listed: true }) };
}

/**
 * One stream after the other over HTTP/2, on a new connection whenever the present one says that it ends. What the connection's end met before anybody
 * looked at it is sent again (RFC 9113 §8.7), as browsers and gRPC do: Node refuses its own streams that have not left yet.
 */
async function http2Client(port: number, until: () => boolean, note: (what: string) => void): Promise<void> {
  let session: http2.ClientHttp2Session | undefined;
  while (!until()) {
    if (session === undefined || session.closed || session.destroyed) {
      session = http2.connect(`http://127.0.0.1:${port}`);
      session.on('error', () => undefined);
      const present = session;
      session.on('goaway', () => present.close());
    }
    const current = session;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        current.off('close', done);
        resolve();
      };
      current.once('close', done);
      const stream = current.request({ ':path': '/page', ':authority': 'shop.example.com' });
      stream.on('response', (headers) => note(String(headers[':status'])));
      stream.on('error', (error) => void (error.message.includes('REFUSED_STREAM') || note(error.message)));
      stream.on('close', done);
      stream.resume();
    });
    await pause(15);
  }
  session?.destroy();
}

test(`${SIZE.rolls} times a replica is replaced behind a balancer that notices ${SIZE.noticeMs} ms late: no request is lost`, async (t) => {
  t.timeout(300_000);
  const web = await startBackend(t, 'web');
  const files = { 'site.yaml': documents(ingress('web'), service('web'), endpoints('web', web)) };
  const start = (): Promise<FairleadRun> =>
    startFairlead(t, { files, args: ['--access-log', 'off', '--shutdown-delay', `${SIZE.noticeMs + 400}ms`, '--drain-timeout', '10s'] });
  const balancer = await startBalancer(t, SIZE.noticeMs);
  let replicas = await Promise.all([start(), start()]);
  for (const replica of replicas) balancer.add(replica);
  let over = false;
  const streams = new Map<string, number>();
  const clients = Array.from({ length: 4 }, () => http2Client(balancer.port, () => over, (what) => streams.set(what, (streams.get(what) ?? 0) + 1)));
  const rolled = (async (): Promise<void> => {
    for (let roll = 0; roll < SIZE.rolls; roll++) {
      const next = await start();
      balancer.add(next);
      const [old, ...others] = replicas;
      replicas = [...others, next] as typeof replicas;
      t.is(await old!.stop(), 0);
    }
  })().finally(() => (over = true));
  const outcomes = new Map<string, number>();
  while (!over) for (const [what, count] of await crowd(balancer.port, { count: SIZE.rate, rate: SIZE.rate, clients: 12, path: '/page', headers: { host: 'shop.example.com' } })) outcomes.set(what, (outcomes.get(what) ?? 0) + count);
  await rolled;
  await Promise.all(clients);
  t.deepEqual([...outcomes.keys()], ['200'], JSON.stringify([...outcomes]));
  t.deepEqual([...streams.keys()], ['200'], JSON.stringify([...streams]));
  t.log(`HTTP/1.1 ${JSON.stringify([...outcomes])}, HTTP/2 ${JSON.stringify([...streams])}`);
});

test('a hundred WebSockets are told to go (1001) one after the other over the drain window; then it exits with 0', async (t) => {
  t.timeout(60_000);
  const echo = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  echo.on('connection', (socket) => socket.on('message', (data) => socket.send(data)));
  await once(echo, 'listening');
  t.teardown(() => echo.close());
  const windowMs = FULL ? 20_000 : 4_000;
  const fairlead = await startFairlead(t, {
    args: ['--access-log', 'off', '--drain-timeout', `${windowMs}ms`],
    files: { 'site.yaml': documents(ingress('web'), service('web'), endpoints('web', (echo.address() as net.AddressInfo).port)) },
  });
  const closes: { readonly code: number; readonly at: number }[] = [];
  const sockets = Array.from({ length: 100 }, () => new WebSocket(`ws://127.0.0.1:${fairlead.http}/`, { headers: { host: 'shop.example.com' } }));
  await Promise.all(sockets.map((socket) => once(socket, 'open')));
  const startedAt = performance.now();
  for (const socket of sockets) socket.on('close', (code) => closes.push({ code, at: performance.now() - startedAt }));
  t.is(await fairlead.stop(), 0);
  const tookMs = performance.now() - startedAt;
  await pause(50);
  t.deepEqual([...new Set(closes.map(({ code }) => code))], [1001]);
  t.is(closes.length, 100);
  t.true(tookMs <= windowMs + 500, `${tookMs} ms`);
  // Spread: most tenths of the window see some of them go, and none sees many.
  const tenths = Array.from({ length: 10 }, (_, nth) => closes.filter(({ at }) => Math.floor((at / windowMs) * 10) === nth).length);
  t.true(tenths.filter((count) => count > 0).length >= 7, tenths.join());
  t.true(Math.max(...tenths) <= 30, tenths.join());
  t.log(`exit after ${Math.round(tookMs)} ms of ${windowMs}; closes per tenth of the window ${tenths.join(' ')}`);
});
