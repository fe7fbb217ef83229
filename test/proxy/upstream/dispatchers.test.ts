// The pools: what they cost, what bounds them, and that nothing can use them up.
import ava from 'ava';
import type { ExecutionContext } from 'ava';
import type { Cluster, Endpoint } from '../../../proxy/table/cluster.ts';
import { Dispatchers } from '../../../proxy/upstream/dispatchers.ts';
import { keepAliveOf } from '../../../proxy/upstream/http1/answer.ts';
import { ManualBody } from '../../support/endpoint-body.ts';
import { send, until } from '../../support/endpoint-call.ts';
import type { RequestOptions } from '../../support/endpoint-call.ts';
import { answer, endpointAt, rawEndpoint, REFUSING, silent } from '../../support/endpoint-raw.ts';
import type { Script } from '../../support/endpoint-raw.ts';
import { TRANSPORTS } from '../../support/endpoint-transport.ts';
import type { Transport } from '../../support/endpoint-transport.ts';
import { upstreamTo } from '../../support/endpoint-upstream.ts';
import type { UpstreamSetup } from '../../support/endpoint-upstream.ts';

for (const transport of TRANSPORTS) suite(transport);

ava('without options a connection is idle for at most 4 s: many applications close theirs after 5, and a request must not meet that', async (t) => {
  const dispatchers = new Dispatchers();
  t.teardown(() => dispatchers.destroy());
  t.is(dispatchers.options.keepAliveMs, 4_000);
  t.is(keepAliveOf([], dispatchers.options.keepAliveMs), 4_000);
  t.is(keepAliveOf(['Keep-Alive', 'timeout=75'], dispatchers.options.keepAliveMs), 4_000, 'an endpoint can make it less and not more');
  t.is(keepAliveOf(['Keep-Alive', 'timeout=3'], dispatchers.options.keepAliveMs), 2_000);
});

function suite(transport: Transport): void {
  const { cluster } = transport;
  const test = (title: string, run: (t: ExecutionContext) => Promise<void>): void => ava(`${transport.name}: ${title}`, run);

  function table(endpoints: readonly Endpoint[], clusters: readonly Cluster[] = [cluster]): Parameters<Dispatchers['retain']>[0] {
    return { clusters: Object.fromEntries(clusters.map((one) => [one.name, one])), endpoints: { [cluster.name]: endpoints }, certificates: {} };
  }

  /** Answers when the test says so. */
  function held(): { script: Script; release(): void } {
    const waiting: (() => void)[] = [];
    return {
      script: (request, socket, connection, nth) => waiting.push(() => answer('ok')(request, socket, connection, nth)),
      release: () => {
        for (const go of waiting.splice(0)) go();
      },
    };
  }

  const REFUSED: readonly { title: string; request: RequestOptions }[] = [
    { title: 'a second Host', request: { headers: ['host', 'b'] } },
    { title: 'transfer-encoding', request: { headers: ['transfer-encoding', 'chunked'] } },
    { title: 'keep-alive', request: { headers: ['keep-alive', 'timeout=5'] } },
    { title: 'upgrade', request: { headers: ['upgrade', 'websocket'] } },
    { title: 'a connection field that is no token', request: { headers: ['connection', '@'] } },
    { title: 'a control character', request: { headers: ['x-a', 'a\u0001b'] } },
    { title: 'CR and LF', request: { headers: ['x-a', 'a\r\nx-b: c'] } },
    { title: 'a character above 0xff', request: { headers: ['x-a', '\u20ac'] } },
    { title: 'a name that is no token', request: { headers: ['x a', '1'] } },
    { title: 'a method that is no token', request: { method: 'G ET' } },
    { title: 'a target without slash', request: { target: '*' } },
    { title: 'a target with a space', request: { target: '/a b' } },
    { title: 'an upload with a second Host', request: { method: 'POST', headers: ['host', 'b'], body: new ManualBody(3) } },
  ];

  test('a request that undici refuses takes no place in the pool', async (t) => {
    const { raw, upstream, dispatchers } = await upstreamTo(t, transport, answer('good'), {}, { maxConnections: 2 });
    for (const { title, request } of REFUSED) {
      for (let nth = 0; nth < 3; nth++) {
        const got = await send(upstream, cluster, raw.endpoint, request).over;
        t.like(got.error, { reason: 'InvalidUpstreamRequest', side: 'internal', status: 500, retry: 'no' }, title);
      }
    }
    t.is(raw.connections, 0);
    t.is(dispatchers.stats().active, 0);
    t.is((await send(upstream, cluster, raw.endpoint).over).body.toString(), 'good');
  });

  test('a refused request among good ones disturbs none of them', async (t) => {
    const { raw, upstream, dispatchers } = await upstreamTo(t, transport, answer('good'), {}, { maxConnections: 2 });
    const all = Array.from({ length: 30 }, (_, nth) => send(upstream, cluster, raw.endpoint, nth % 3 === 0 ? { headers: ['host', 'b'] } : {}).over);
    for (const [nth, recorded] of (await Promise.all(all)).entries()) {
      if (nth % 3 === 0) t.is(recorded.error?.reason, 'InvalidUpstreamRequest');
      else t.is(recorded.body.toString(), 'good');
    }
    t.like(dispatchers.stats(), { active: 0, waiting: 0 });
    t.true(raw.connections <= 2);
  });

  const ABORTS: readonly { phase: string; when(setup: UpstreamSetup, recorded: ReturnType<typeof send>): Promise<unknown>; request?: () => RequestOptions }[] = [
    { phase: 'at once', when: async () => {} },
    { phase: 'while connecting', when: () => new Promise((resolve) => process.nextTick(resolve)) },
    { phase: 'while the answer is awaited', when: (_, recorded) => Promise.race([recorded.over, new Promise((resolve) => setTimeout(resolve, 10))]) },
    { phase: 'inside the upload', when: () => new Promise((resolve) => setTimeout(resolve, 10)), request: () => ({ method: 'POST', body: new ManualBody(10, (body) => body.push('abc')) }) },
    { phase: 'before the upload has begun', when: () => new Promise((resolve) => setTimeout(resolve, 10)), request: () => ({ method: 'POST', body: new ManualBody(10) }) },
  ];

  for (const { phase, when, request } of ABORTS) {
    test(`requests aborted ${phase} take no place in the pool, and the handler hears no more`, async (t) => {
      const waiting = held();
      const all = await upstreamTo(t, transport, waiting.script, {}, { maxConnections: 2 });
      const { raw, upstream, dispatchers } = all;
      for (let nth = 0; nth < 3; nth++) {
        const recorded = send(upstream, cluster, raw.endpoint, request?.() ?? {});
        await when(all, recorded);
        recorded.call.abort();
        recorded.call.abort();
        await until(() => dispatchers.stats().active === 0);
        t.deepEqual(recorded.events, []);
        t.false(raw.requests.some((received) => received.method === 'POST' && received.complete));
      }
      const good = send(upstream, cluster, raw.endpoint);
      const before = raw.requests.length;
      await until(() => raw.requests.length > before || raw.requests.some((received) => received.target === '/'));
      const timer = setInterval(waiting.release, 2);
      t.is((await good.over).status, 200);
      clearInterval(timer);
      t.like(dispatchers.stats(), { active: 0, waiting: 0 });
    });
  }

  test('more requests than connections wait their turn; more than the queue holds are 503', async (t) => {
    const waiting = held();
    const { raw, upstream, dispatchers } = await upstreamTo(t, transport, waiting.script, {}, { maxConnections: 2, maxWaiting: 3 });
    const all = Array.from({ length: 6 }, (_, nth) => send(upstream, cluster, raw.endpoint, { target: `/${nth}` }));
    t.deepEqual(all[5]?.events, ['error'], 'told before send has returned');
    t.like(all[5]?.error, { reason: 'UpstreamOverflow', status: 503, retry: 'yes', side: 'upstream' });
    t.like(dispatchers.stats(), { active: 2, waiting: 3 });
    const timer = setInterval(waiting.release, 2);
    const done = await Promise.all(all.slice(0, 5).map((recorded) => recorded.over));
    clearInterval(timer);
    t.deepEqual(done.map((recorded) => recorded.status), [200, 200, 200, 200, 200]);
    t.deepEqual(raw.requests.map((request) => request.target).slice(2), ['/2', '/3', '/4'], 'in the order in which they came');
    t.is(raw.connections, 2);
  });

  test('a request that waits too long is 503, and one that is aborted leaves the queue', async (t) => {
    const { raw, upstream, dispatchers } = await upstreamTo(t, transport, silent, {}, { maxConnections: 1, maxWaiting: 2, maxWaitMs: 40 });
    const first = send(upstream, cluster, raw.endpoint);
    const second = send(upstream, cluster, raw.endpoint);
    const third = send(upstream, cluster, raw.endpoint);
    t.like(dispatchers.stats(), { active: 1, waiting: 2 });
    second.call.abort();
    t.like(dispatchers.stats(), { active: 1, waiting: 1 });
    t.is((await third.over).error?.reason, 'UpstreamOverflow');
    t.like(dispatchers.stats(), { active: 1, waiting: 0 });
    t.deepEqual([first.events, second.events], [[], []]);
    await until(() => raw.requests.length === 1);
  });

  test('requests that fail on connecting free their places for those that wait', async (t) => {
    const { upstream, dispatchers } = await upstreamTo(t, transport, silent, {}, { maxConnections: 2 });
    const nowhere = REFUSING;
    const all = await Promise.all(Array.from({ length: 20 }, () => send(upstream, cluster, nowhere).over));
    t.true(all.every((recorded) => recorded.error?.reason === 'UpstreamConnectionFailure'));
    t.like(dispatchers.stats(), { active: 0, waiting: 0, connections: 0 });
  });

  test('an endpoint that leaves the table: idle connections close at once, requests under way finish', async (t) => {
    const waiting = held();
    const { raw, upstream, dispatchers } = await upstreamTo(t, transport, (request, socket, connection, nth) => (request.target === '/slow' ? waiting.script : answer('ok'))(request, socket, connection, nth), {}, { keepAliveMs: 60_000 });
    const slow = send(upstream, cluster, raw.endpoint, { target: '/slow' });
    await send(upstream, cluster, raw.endpoint, { target: '/quick' }).over;
    t.is(raw.open.size, 2);
    dispatchers.retain(table([raw.endpoint]));
    t.is(dispatchers.stats().pools, 1);
    dispatchers.retain(table([endpointAt(1)]));
    await until(() => raw.open.size === 1);
    t.deepEqual(slow.events, []);
    waiting.release();
    t.is((await slow.over).body.toString(), 'ok');
    await raw.idle();
    await until(() => dispatchers.stats().pools === 0);
  });

  test('a terminating endpoint keeps no idle connection, but is still served on new ones', async (t) => {
    const { raw, upstream, dispatchers } = await upstreamTo(t, transport, answer('ok'), {}, { keepAliveMs: 60_000 });
    await send(upstream, cluster, raw.endpoint).over;
    dispatchers.retain(table([{ ...raw.endpoint, ready: false, terminating: true }]));
    await raw.idle();
    t.is((await send(upstream, cluster, raw.endpoint).over).status, 200);
  });

  test('requests that wait when their endpoint leaves are still served', async (t) => {
    const waiting = held();
    const { raw, upstream, dispatchers } = await upstreamTo(t, transport, waiting.script, {}, { maxConnections: 1 });
    const all = Array.from({ length: 4 }, (_, nth) => send(upstream, cluster, raw.endpoint, { target: `/${nth}` }));
    dispatchers.retain(table([]));
    all[2]?.call.abort();
    const timer = setInterval(waiting.release, 2);
    const done = await Promise.all([0, 1, 3].map((nth) => all[nth]?.over));
    clearInterval(timer);
    t.deepEqual(done.map((recorded) => recorded?.status), [200, 200, 200]);
    t.deepEqual(all[2]?.events, []);
    await until(() => dispatchers.stats().pools === 0);
    t.deepEqual(raw.requests.map((request) => request.target), ['/0', '/1', '/3']);
  });

  test('a cluster that only changes its balancer keeps its connections; other connection settings mean new ones', async (t) => {
    const { raw, upstream, dispatchers } = await upstreamTo(t, transport, answer('ok'), {}, { keepAliveMs: 60_000 });
    await send(upstream, cluster, raw.endpoint).over;
    await new Promise((resolve) => setImmediate(resolve));
    const balanced: Cluster = { ...cluster, loadBalancer: { type: 'LeastRequest' } };
    dispatchers.retain(table([raw.endpoint], [balanced]));
    await send(upstream, balanced, raw.endpoint).over;
    t.is(raw.connections, 1);
    const impatient: Cluster = { ...cluster, connectTimeoutMs: 7_777 };
    dispatchers.retain(table([raw.endpoint], [impatient]));
    await raw.idle();
    await send(upstream, impatient, raw.endpoint).over;
    t.is(raw.connections, 2);
    await send(upstream, { ...impatient, connectTimeoutMs: 7_778 }, raw.endpoint).over;
    t.is(raw.connections, 3, 'also without a word from the table');
    await until(() => raw.open.size === 1);
  });

  test('a pool is dropped when it was idle for its time, but not while a request is under way', async (t) => {
    const waiting = held();
    const { raw, upstream, dispatchers } = await upstreamTo(t, transport, waiting.script, {}, { idleMs: 40, keepAliveMs: 60_000 });
    const recorded = send(upstream, cluster, raw.endpoint);
    await until(() => raw.requests.length === 1);
    await new Promise((resolve) => setTimeout(resolve, 120));
    t.is(dispatchers.stats().pools, 1);
    t.is(raw.open.size, 1);
    waiting.release();
    await recorded.over;
    await until(() => dispatchers.stats().pools === 0);
    await raw.idle();
  });

  test('idle connections close after the keep-alive time', async (t) => {
    const { raw, upstream, dispatchers } = await upstreamTo(t, transport, answer('ok'), {}, { keepAliveMs: 30 });
    await send(upstream, cluster, raw.endpoint).over;
    t.is(dispatchers.stats().connections, 1);
    await raw.idle();
    await until(() => dispatchers.stats().connections === 0);
  });

  test('of too many pools the one that was not used for longest goes, when its requests have ended', async (t) => {
    const waiting = held();
    const first = await upstreamTo(t, transport, waiting.script, {}, { maxPools: 2, keepAliveMs: 60_000 });
    const others = [await rawEndpoint(answer('ok')), await rawEndpoint(answer('ok'))];
    t.teardown(async () => {
      for (const other of others) await other.close();
    });
    const slow = send(first.upstream, cluster, first.raw.endpoint);
    for (const other of others) await send(first.upstream, cluster, other.endpoint).over;
    t.is(first.dispatchers.stats().pools, 3, 'two and the one that is closing');
    await until(() => first.raw.requests.length === 1);
    waiting.release();
    t.is((await slow.over).status, 200);
    await first.raw.idle();
    await until(() => first.dispatchers.stats().pools === 2);
  });

  test('close waits for requests under way; destroy cuts them', async (t) => {
    const waiting = held();
    const { raw, upstream, dispatchers } = await upstreamTo(t, transport, waiting.script);
    const recorded = send(upstream, cluster, raw.endpoint);
    await until(() => raw.requests.length === 1);
    const closed = dispatchers.close();
    waiting.release();
    await closed;
    t.deepEqual(recorded.events, ['head', 'data', 'end']);
    await raw.idle();

    const cut = await upstreamTo(t, transport, silent);
    const lost = send(cut.upstream, cluster, cut.raw.endpoint);
    await until(() => cut.raw.requests.length === 1);
    await cut.dispatchers.destroy();
    t.is((await lost.over).error?.reason, 'UpstreamConnectionTermination');
  });

  test('the same endpoint in two clusters has two pools', async (t) => {
    const { raw, upstream, dispatchers } = await upstreamTo(t, transport, answer('ok'), {}, { keepAliveMs: 60_000 });
    const other = { ...cluster, name: 'shop/other:80' };
    await send(upstream, cluster, raw.endpoint).over;
    await send(upstream, other, raw.endpoint).over;
    t.is(raw.connections, 2);
    dispatchers.retain({ clusters: { [cluster.name]: cluster }, endpoints: { [cluster.name]: [raw.endpoint] }, certificates: {} });
    await until(() => raw.open.size === 1);
  });
}
