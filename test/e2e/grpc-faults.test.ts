// gRPC while endpoints refuse streams, say GOAWAY, and come and go: no call may fail that need not. The client is
// @grpc/grpc-js with its own retries switched off, so that nothing is hidden.
import { once } from 'node:events';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { Metadata, status } from '@grpc/grpc-js';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { endpoint, simpleTable, startDataPlane } from '../support/data-plane.ts';
import type { DataPlane } from '../support/data-plane.ts';
import { until } from '../support/endpoint-call.ts';
import { GrpcClient, metadata, startGrpcApp } from '../support/grpc.ts';
import type { Outcome } from '../support/grpc.ts';

interface Faults {
  /** GOAWAY after so many requests on a connection. */
  readonly goawayEvery?: number;
  /** Of so many streams one is refused. */
  readonly refuseOneIn?: number;
}

interface FaultyApp {
  readonly port: number;
  served: number;
  refused: number;
  connections: number;
}

/** Echoes unary calls, on node:http2 itself because no gRPC server would do this on purpose. */
async function startFaultyApp(t: ExecutionContext, { goawayEvery = 0, refuseOneIn = 0 }: Faults): Promise<FaultyApp> {
  const server = http2.createServer();
  const sessions = new Set<http2.ServerHttp2Session>();
  const counts = new WeakMap<http2.Http2Session, number>();
  let streams = 0;
  server.on('session', (session) => {
    app.connections++;
    sessions.add(session);
    session.on('close', () => sessions.delete(session));
    session.on('error', () => {});
  });
  server.on('stream', (stream: http2.ServerHttp2Stream) => {
    stream.on('error', () => {});
    if (refuseOneIn > 0 && ++streams % refuseOneIn === 0) {
      app.refused++;
      stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
      return;
    }
    app.served++;
    const { session } = stream;
    if (goawayEvery > 0 && session !== undefined) {
      const count = (counts.get(session) ?? 0) + 1;
      counts.set(session, count);
      // Ends the connection in an orderly way: GOAWAY, then what is open, then FIN.
      if (count === goawayEvery) setImmediate(() => session.close());
    }
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc+proto' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.end(Buffer.concat(chunks));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(async () => {
    for (const session of sessions) session.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  const app: FaultyApp = { port: (server.address() as AddressInfo).port, served: 0, refused: 0, connections: 0 };
  return app;
}

async function start(t: ExecutionContext, ...ports: readonly number[]): Promise<{ proxy: DataPlane; client: GrpcClient }> {
  const proxy = await startDataPlane(simpleTable(ports.map((port) => endpoint(port)), {}, { protocol: 'HTTP/2' }));
  t.teardown(() => proxy.close());
  return { proxy, client: new GrpcClient(t, proxy.port) };
}

/** So many calls, so many of them at a time; what failed, in words. */
async function load(client: GrpcClient, total: number, atOnce: number): Promise<string[]> {
  const failures: string[] = [];
  let begun = 0;
  const run = async (): Promise<void> => {
    while (begun < total) {
      const nth = begun++;
      const got = await client.say(`message ${nth}`);
      if (got.code !== status.OK || got.messages[0]?.toString() !== `message ${nth}`) failures.push(`${nth}: ${got.code} ${got.details}`);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, run));
  return failures;
}

/** In full length with SOAK=1 (npm run soak). */
const CALLS = process.env['SOAK'] === '1' ? 20_000 : 2_000;

test('GOAWAY every 50 requests and every tenth stream refused: no call fails', async (t) => {
  t.timeout(180_000);
  const app = await startFaultyApp(t, { goawayEvery: 50, refuseOneIn: 10 });
  const { client, proxy } = await start(t, app.port);
  t.deepEqual(await load(client, CALLS, 20), []);
  t.is(app.served, CALLS, 'and none is served twice');
  t.true(app.refused >= CALLS / 10, `${app.refused} streams were refused`);
  t.true(app.connections >= CALLS / 70, `${app.connections} connections`);
  t.true(proxy.log.every(({ exchange }) => exchange.attempts.length === 1));
});

test('GOAWAY after every single request, from two endpoints: no call fails', async (t) => {
  const apps = [await startFaultyApp(t, { goawayEvery: 1 }), await startFaultyApp(t, { goawayEvery: 1 })];
  const { client } = await start(t, ...apps.map(({ port }) => port));
  t.deepEqual(await load(client, 300, 10), []);
  t.is(apps[0]!.served + apps[1]!.served, 300);
});

test('an endpoint that refuses everything costs nothing while another one serves', async (t) => {
  const full = await startFaultyApp(t, { refuseOneIn: 1 });
  const good = await startFaultyApp(t, {});
  const { client, proxy } = await start(t, full.port, good.port);
  t.deepEqual(await load(client, 100, 5), []);
  t.is(good.served, 100);
  t.true(full.refused > 0);
  t.true(proxy.log.some(({ exchange }) => exchange.attempts.length === 2 && exchange.attempts[0]?.error === 'UpstreamRemoteReset'));
});

test('a rolling update of graceful pods fails no call, unary or streaming', async (t) => {
  const first = await startGrpcApp(t);
  const { proxy, client } = await start(t, first.port);
  let current = first;
  let stop = false;
  const outcomes: Outcome[] = [];
  const callers = Array.from({ length: 8 }, async () => {
    while (!stop) outcomes.push(await client.say('x'));
  });
  const streams = Array.from({ length: 4 }, async () => {
    while (!stop) {
      const chat = client.chat();
      for (let turn = 0; turn < 5; turn++) {
        chat.call.write(Buffer.from('x'));
        await new Promise((resolve) => chat.call.once('data', resolve));
      }
      chat.call.end();
      outcomes.push(await chat.over);
    }
  });
  for (let round = 0; round < 3; round++) {
    const next = await startGrpcApp(t);
    await proxy.swap({ endpoints: { 'test/web:80': [endpoint(current.port, { ready: false, terminating: true }), endpoint(next.port)] } });
    await until(() => next.calls.length > 0);
    const old = current;
    await new Promise<void>((resolve, reject) => old.server.tryShutdown((error) => (error === undefined ? resolve() : reject(error))));
    await proxy.swap({ endpoints: { 'test/web:80': [endpoint(next.port)] } });
    await until(() => next.calls.length > 50);
    current = next;
  }
  stop = true;
  await Promise.all([...callers, ...streams]);
  t.deepEqual(outcomes.filter(({ code }) => code !== status.OK).map(({ code, details }) => `${code} ${details}`), []);
  t.true(outcomes.length > 150, `${outcomes.length} calls`);
});

test('pods that stop gracefully before the table knows fail no call either', async (t) => {
  const apps = await Promise.all([startGrpcApp(t), startGrpcApp(t), startGrpcApp(t)]);
  const { client } = await start(t, ...apps.map(({ port }) => port));
  const before = await load(client, 60, 6);
  const under = load(client, 600, 10);
  await until(() => apps[0]!.calls.length > 40);
  await new Promise<void>((resolve) => apps[0]!.server.tryShutdown(() => resolve()));
  t.deepEqual([...before, ...(await under)], []);
});

test('large uploads that were refused are sent again only as far as they are kept, and fail clearly', async (t) => {
  const app = await startFaultyApp(t, { refuseOneIn: 1 });
  const { client, proxy } = await start(t, app.port);
  const got = await client.say(Buffer.alloc(1024 * 1024), new Metadata());
  t.is(got.code, status.UNAVAILABLE);
  await until(() => proxy.log.length === 1);
  t.is(proxy.log[0]?.reason, 'UpstreamRemoteReset');
});

test('calls that are cancelled by the dozen leave nothing behind', async (t) => {
  const app = await startGrpcApp(t);
  const { client, proxy } = await start(t, app.port);
  for (let round = 0; round < 5; round++) {
    const calls = Array.from({ length: 15 }, () => client.say('x', metadata(['hang', '1'])));
    await until(() => app.calls.length === (round + 1) * 15);
    for (const { call } of calls) call.cancel();
    for (const call of calls) t.is((await call).code, status.CANCELLED);
  }
  await until(() => app.cancelled.length === 75 && proxy.log.length === 75);
  t.is((await client.say('x')).code, status.OK);
});
