// Worker processes that die, are aborted, stop, or throw, under mixed load: what is lost is what was under way in that
// worker, and nothing that was begun after its end. Numbers are those of the list in test/soak/README.md.
import { once } from 'node:events';
import http2 from 'node:http2';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { eventually, get } from '../support/fairlead-http.ts';
import { forwardPlane, ok } from '../support/forward-plane.ts';
import { FULL, isAlive, startLoadSite } from '../support/load-site.ts';
import type { LoadSite } from '../support/load-site.ts';
import { MixedLoad } from '../support/mixed-load.ts';
import type { Failure, Kind } from '../support/mixed-load.ts';
import { RawClient, statusOf } from '../support/raw-client.ts';
import { listening, ownersOf } from '../support/sockets.ts';

const THROWER = fileURLToPath(new URL('../support/throw-in-worker.ts', import.meta.url));
/** As many new connections as kept ones. */
const MIX: readonly Kind[] = ['fresh', 'h1', 'fresh', 'h2', 'fresh', 'ws', 'fresh', 'grpc', 'fresh', 'h1'];

/** What one worker's end was, and who had which connection when it came. */
interface End {
  readonly victim: number;
  readonly owners: ReadonlyMap<number, number>;
  readonly goneAt: number;
  /** From the signal until as many workers listen as before. */
  readonly servingMs: number;
}

/** Ends one worker and follows what comes of it. */
async function end(site: LoadSite, signal: 'SIGKILL' | 'SIGABRT'): Promise<End> {
  const { http } = site.fairlead;
  const before = site.workers();
  const [victim] = before as [number];
  const owners = ownersOf(http, before);
  const sentAt = performance.now();
  process.kill(victim, signal);
  while (isAlive(victim)) await pause(1);
  const goneAt = performance.now();
  await eventually('as many workers listen as before', () => listening(http) === before.length);
  const servingMs = performance.now() - sentAt;
  await eventually('every worker serves the present table', async () => (await site.metric('fairlead_worker_version_lag')) === 0);
  return { victim, owners, goneAt, servingMs };
}

/** How long a client may take to hear that a kept connection is gone: until then it may put a request on it. */
const HEARD_MS = 200;

/**
 * Failures that the end of the worker does not excuse: requests on a connection that another worker had, and those that were
 * begun when it was gone. What had no connection yet when the worker ended may have been waiting to be accepted by it.
 */
function unexcused(failures: readonly Failure[], { victim, owners, goneAt }: Omit<End, 'servingMs'>): readonly Failure[] {
  return failures.filter(({ kind, startedAt, port }) => (owners.get(port ?? 0) ?? victim) !== victim || startedAt > goneAt + (kind === 'fresh' ? 0 : HEARD_MS));
}

async function endAgainAndAgain(t: ExecutionContext, signal: 'SIGKILL' | 'SIGABRT', times: number, everyMs: number): Promise<void> {
  const site = await startLoadSite(t);
  const load = await MixedLoad.start(t, { port: site.fairlead.http, rate: FULL ? 500 : 200, mix: MIX });
  await pause(1_000);
  t.deepEqual(load.lap().failures, []);
  const serving: number[] = [];
  let [sent, lost, known, closed] = [0, 0, 0, 0];
  for (let nth = 0; nth < times; nth++) {
    const ended = await end(site, signal);
    const { victim, owners, servingMs } = ended;
    serving.push(servingMs);
    await pause(Math.max(300, everyMs - servingMs));
    const lap = load.lap();
    sent += lap.sent;
    lost += lap.failures.length;
    known += lap.failures.filter(({ port }) => owners.get(port ?? 0) === victim).length;
    closed += lap.closed;
    t.deepEqual(unexcused(lap.failures, ended), [], `${nth}`);
    t.deepEqual(lap.closedPorts.filter((port) => (owners.get(port ?? 0) ?? victim) !== victim), [], `${nth}: WebSockets of another worker`);
    t.is((await get(site.fairlead.http, '/page', { host: 'shop.example.com' })).status, 200, 'no table is lost');
  }
  t.deepEqual((await load.stop()).failures, []);
  serving.sort((a, b) => a - b);
  t.log(`${times} times ${signal}: ${sent} requests, ${lost} lost (${known} on connections that the worker had, the rest on none yet or in a gRPC channel), 0 of those begun after, ${closed} WebSockets, 0 of the other worker; both workers listen again after ${Math.round(serving[times >> 1]!)} ms (longest ${Math.round(serving.at(-1)!)} ms)`);
  t.true(serving.at(-1)! < (FULL ? 1_000 : 5_000), `${serving.map(Math.round).join(' ')} ms`);
}

test.serial('11: a worker that is killed takes its own requests with it, and no new connection fails', async (t) => {
  t.timeout(900_000);
  await endAgainAndAgain(t, 'SIGKILL', FULL ? 30 : 2, FULL ? 10_000 : 0);
});

test.serial('12: a worker that aborts, as native code does, costs the clients of the other one nothing', async (t) => {
  t.timeout(600_000);
  await endAgainAndAgain(t, 'SIGABRT', FULL ? 20 : 1, FULL ? 2_000 : 0);
});

test.serial('13: a worker that stands still is noticed within three seconds and replaced', async (t) => {
  t.timeout(120_000);
  const site = await startLoadSite(t);
  const load = await MixedLoad.start(t, { port: site.fairlead.http, rate: 100, mix: MIX });
  await pause(500);
  const workers = site.workers();
  const [victim] = workers as [number];
  const owners = ownersOf(site.fairlead.http, workers);
  const stoppedAt = performance.now();
  process.kill(victim, 'SIGSTOP');
  while (isAlive(victim)) await pause(5);
  const noticedMs = performance.now() - stoppedAt;
  const goneAt = performance.now();
  await eventually('every worker serves', async () => !site.workers().includes(victim) && (await site.metric('fairlead_worker_version_lag')) === 0);
  await pause(500);
  const { failures, sent } = await load.stop();
  t.deepEqual(unexcused(failures, { victim, owners, goneAt }), []);
  t.true(noticedMs < 3_000 + (FULL ? 0 : 2_000), `${noticedMs} ms`);
  t.log(`noticed after ${Math.round(noticedMs)} ms; ${failures.length} of ${sent} requests were that worker's and lost, 0 of those begun after`);
});

test.serial('16: an exception while a request is handled is a 500 for that request, and its connection goes on', async (t) => {
  const plane = await forwardPlane(t, [ok]);
  const host = Object.values(plane.server.snapshot.virtualHosts)[0]!;
  const [good] = host.routes;
  let broken = false;
  const bad = { ...good!, get action() {
    if (broken) throw new Error('injected');
    return good!.action;
  } };
  await plane.swap({ virtualHosts: { 'http/*': { ...host, routes: [bad] } } });
  const client = await RawClient.connect(plane.port);
  const session = http2.connect(`http://127.0.0.1:${plane.port}`);
  t.teardown(() => session.destroy());
  const overHttp2 = async (): Promise<number> => {
    const stream = session.request({ ':path': '/', ':authority': 'a' });
    const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders];
    stream.resume();
    return Number(headers[':status']);
  };
  const statuses: number[] = [];
  for (let nth = 1; nth <= 40; nth++) {
    broken = nth % 2 === 1;
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    statuses.push(statusOf((await client.responses(nth))[nth - 1]!), await overHttp2());
  }
  client.destroy();
  t.deepEqual(statuses.slice(0, 4), [500, 500, 200, 200]);
  t.is(statuses.filter((status) => status === 500).length, 40);
  t.is(plane.log.filter(({ reason }) => reason === 'InternalError').length, 40);
});

test.serial('16: an exception that nobody catches ends its worker, which is replaced, and the other one serves on', async (t) => {
  t.timeout(120_000);
  const site = await startLoadSite(t, { env: { NODE_OPTIONS: `--import ${THROWER}` } });
  const load = await MixedLoad.start(t, { port: site.fairlead.http, rate: FULL ? 500 : 150, mix: MIX });
  await pause(500);
  t.deepEqual(load.lap().failures, []);
  let lost = 0;
  for (let nth = 0; nth < (FULL ? 10 : 2); nth++) {
    const had = site.workers();
    const owners = ownersOf(site.fairlead.http, had);
    // It may have left before the worker ended.
    const headers = { 'x-inject': nth % 2 === 0 ? 'uncaught' : 'unhandled' };
    await get(site.fairlead.http, '/page', { host: 'shop.example.com', headers }).catch(() => undefined);
    const gone = await eventually('a worker ended', () => had.find((pid) => !isAlive(pid)));
    const goneAt = performance.now();
    await eventually('it is replaced', () => site.workers().length === 2 && !site.workers().includes(gone));
    await eventually('every worker serves', async () => (await site.metric('fairlead_worker_version_lag')) === 0);
    await pause(FULL ? 1_500 : 500);
    const { failures } = load.lap();
    t.deepEqual(unexcused(failures, { victim: gone, owners, goneAt }), []);
    lost += failures.length;
  }
  const rest = await load.stop();
  t.deepEqual(rest.failures, []);
  t.log(`${lost} requests in flight were lost, 0 of those begun after`);
});
