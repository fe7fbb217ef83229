// The primary and its worker processes: real processes and real IPC, with a worker that serves nothing.
import { fileURLToPath } from 'node:url';
import { setTimeout as pause } from 'node:timers/promises';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { Publisher } from '../../../controller/publish/publisher.ts';
import type { WorkerState } from '../../../controller/publish/publisher.ts';
import type { WorkerOptions } from '../../../proxy/table/messages.ts';
import type { Sections } from '../../../proxy/table/snapshot.ts';

const WORKER = fileURLToPath(new URL('../../support/fairlead-tiny-worker.ts', import.meta.url));
const STAYING = fileURLToPath(new URL('../../support/staying-worker.ts', import.meta.url));
const table = (port: number, clusters: string[] = []): Sections => ({
  listeners: { 'listener/http': { name: 'http', address: '127.0.0.1', port, protocol: 'HTTP', proxyProtocol: false, trustedProxies: [] } },
  virtualHosts: {},
  clusters: {},
  endpoints: Object.fromEntries(clusters.map((name) => [name, []])),
  certificates: {},
});

interface Heard {
  readonly publisher: Publisher;
  readonly live: number[];
  readonly exits: string[];
  ports: Readonly<Record<string, number>> | undefined;
}

function start(t: ExecutionContext, workers: number, file = WORKER): Heard {
  const options = (index: number): WorkerOptions => ({
    index,
    accessLog: 'off',
    limits: { headBytes: 0, bodyBytes: 0, headTimeoutMs: 0, bodyTimeoutMs: 0, keepAliveTimeoutMs: 0, keepAliveRequests: 0, maxConcurrentStreams: 0, connectionsPerAddress: 0, passthroughIdleMs: 0 },
    timeouts: { responseHeadMs: 0, readIdleMs: 0, sendIdleMs: 0, requestMs: 0 },
    forwarding: { retry: { attempts: 1, totalMs: 0, on: [], nonIdempotent: false }, requestBuffering: false, endpointRequests: 1, waitingRequests: 0 },
    memory: { limitBytes: 0, processes: 1 },
  });
  const heard: Heard = {
    live: [],
    exits: [],
    ports: undefined,
    publisher: new Publisher(workers, options, {
      onReady: (ports) => (heard.ports = ports),
      onLive: (version) => heard.live.push(version),
      onRefused: () => undefined,
      onWorkerExit: (index, reason, expected) => heard.exits.push(`${index} ${reason} ${expected}`),
      onLogNotReopened: () => undefined,
    }, file),
  };
  t.teardown(() => heard.publisher.killAll());
  return heard;
}

async function until(t: ExecutionContext, what: string, holds: () => boolean): Promise<void> {
  for (let waited = 0; !holds(); waited += 10) {
    if (waited > 20_000) return t.fail(`never came true: ${what}`);
    await pause(10);
  }
}

const versions = (states: readonly WorkerState[]): readonly number[] => states.map((state) => state.version);

test('it is ready when every worker has applied a table, and a later table reaches them all', async (t) => {
  const heard = start(t, 2);
  t.is(heard.publisher.publish(table(8080), undefined, performance.now())?.version, 1);
  t.false(heard.publisher.ready);
  await until(t, 'ready', () => heard.publisher.ready);
  t.is(heard.publisher.publish(table(8080), undefined, performance.now()), undefined, 'an equal table is not published');
  heard.publisher.publish(table(8080, ['shop/web:80']), undefined, performance.now());
  await until(t, 'version 2 is live', () => heard.live.includes(2));
  t.deepEqual(versions(heard.publisher.workers()), [2, 2]);
});

test('with port 0 all workers share the port that the first one got', async (t) => {
  const heard = start(t, 3);
  heard.publisher.publish(table(0), undefined, performance.now());
  await until(t, 'ready', () => heard.ports !== undefined);
  t.deepEqual(heard.ports, { http: 40_000 });
});

test('a worker that is killed is replaced, and the new one gets the newest table', async (t) => {
  const heard = start(t, 2);
  heard.publisher.publish(table(8080), undefined, performance.now());
  await until(t, 'ready', () => heard.publisher.ready);
  const old = heard.publisher.workers()[1]?.pid ?? 0;
  process.kill(old, 'SIGKILL');
  await until(t, 'gone', () => heard.exits.length === 1);
  heard.publisher.publish(table(8080, ['shop/web:80']), undefined, performance.now());
  await until(t, 'replaced', () => heard.publisher.workers()[1]?.version === 2);
  t.deepEqual(heard.exits, ['1 signal SIGKILL false']);
  t.not(heard.publisher.workers()[1]?.pid, old);
  t.is(heard.publisher.workers()[1]?.restarts, 1);
  t.true(heard.publisher.ready);
});

test('a worker that does not answer for two seconds is killed and replaced', async (t) => {
  const heard = start(t, 2);
  heard.publisher.publish(table(8080), undefined, performance.now());
  await until(t, 'ready', () => heard.publisher.ready);
  process.kill(heard.publisher.workers()[0]?.pid ?? 0, 'SIGSTOP');
  await until(t, 'killed', () => heard.exits.length === 1);
  t.regex(heard.exits[0] ?? '', /^0 stuck: no answer for \d+ ms \(signal SIGKILL\) false$/);
  await until(t, 'replaced', () => heard.publisher.workers()[0]?.version === 1);
});

test('counters of a worker that is gone stay in the sum, its gauges do not', async (t) => {
  const heard = start(t, 2);
  heard.publisher.publish(table(8080), undefined, performance.now());
  await until(t, 'ready', () => heard.publisher.ready);
  t.deepEqual(await heard.publisher.collect(), { counters: { 'tables\u0000': 2 }, gauges: { 'version\u0000': 2 }, histograms: {} });
  process.kill(heard.publisher.workers()[0]?.pid ?? 0, 'SIGKILL');
  await until(t, 'gone', () => heard.exits.length === 1);
  const sum = await heard.publisher.collect();
  t.true((sum.counters['tables\u0000'] ?? 0) >= 2, 'two tables were applied before, and perhaps one since');
});

test('drained workers end of themselves and are not replaced', async (t) => {
  const heard = start(t, 2);
  heard.publisher.publish(table(8080), undefined, performance.now());
  await until(t, 'ready', () => heard.publisher.ready);
  await heard.publisher.drain(5000);
  t.deepEqual([...heard.exits].sort(), ['0 exit code 0 true', '1 exit code 0 true']);
  t.deepEqual(heard.publisher.workers().map((state) => state.pid), [undefined, undefined]);
  t.false(heard.publisher.ready);
});

test('a worker that has drained and does not end is killed a moment later, not at the end of its grace', async (t) => {
  const heard = start(t, 2, STAYING);
  heard.publisher.publish(table(8080), undefined, performance.now());
  await until(t, 'ready', () => heard.publisher.ready);
  const startedAt = performance.now();
  t.is(await heard.publisher.drain(20_000), 6);
  t.true(performance.now() - startedAt < 2000);
  t.deepEqual([...heard.exits].sort(), [0, 1].map((index) => `${index} did not end when it had drained (signal SIGKILL) true`));
});

for (const port of [0, 4711]) {
  test(`workers that were started before there was a table get the first one (port ${port})`, async (t) => {
    const { publisher, ...heard } = start(t, 2);
    publisher.prepare(table(port).listeners);
    await until(t, 'processes run', () => publisher.workers().filter(({ pid }) => pid !== undefined).length === (port === 0 ? 1 : 2));
    await pause(300);
    t.false(publisher.ready);
    t.deepEqual(versions(publisher.workers()), [0, 0]);
    publisher.publish(table(port, ['shop/web:80']), undefined, performance.now());
    await until(t, 'all serve it', () => versions(publisher.workers()).every((version) => version === 1));
    t.true(publisher.ready);
    publisher.publish(table(port), undefined, performance.now());
    await until(t, 'the next one is a delta as any other', () => versions(publisher.workers()).every((version) => version === 2));
    t.deepEqual(heard.exits, []);
  });
}
