// What each timeout counts, and whose time it does not count. In a file of its own: heavy tests beside it would make it slow.
import ava from 'ava';
import type { ExecutionContext } from 'ava';
import { blackHole } from '../../support/endpoint-blackhole.ts';
import { EndlessBody, ManualBody } from '../../support/endpoint-body.ts';
import { send } from '../../support/endpoint-call.ts';
import { answer, bytes, silent } from '../../support/endpoint-raw.ts';
import { TRANSPORTS } from '../../support/endpoint-transport.ts';
import type { Transport } from '../../support/endpoint-transport.ts';
import { upstreamTo } from '../../support/endpoint-upstream.ts';

for (const transport of TRANSPORTS) suite(transport);

function suite(transport: Transport): void {
  const { cluster } = transport;
  const test = (title: string, run: (t: ExecutionContext) => Promise<void>): void => ava(`${transport.name}: ${title}`, run);

  const OK = 'HTTP/1.1 200 OK\r\n';

  test('a connection that is not established is given up at the connect timeout', async (t) => {
    const { upstream, dispatchers } = await upstreamTo(t, transport, silent);
    const hole = await blackHole();
    t.teardown(() => hole.close());
    const startedAt = performance.now();
    const got = await send(upstream, { ...cluster, connectTimeoutMs: 120 }, hole.endpoint).over;
    const elapsed = performance.now() - startedAt;
    t.like(got.error, { reason: 'UpstreamConnectionTimeout', retry: 'yes', status: 504 });
    t.true(elapsed >= 118 && elapsed < 900, `${elapsed} ms`);
    t.is(dispatchers.stats().connections, 0);
  });

  test('no response head in time is 504, and the connection is not used again', async (t) => {
    const { raw, upstream } = await upstreamTo(t, transport, silent);
    const startedAt = performance.now();
    const got = await send(upstream, cluster, raw.endpoint, { timeouts: { responseHeadMs: 60 } }).over;
    t.like(got.error, { reason: 'UpstreamRequestTimeout', retry: 'no', status: 504 });
    t.true(performance.now() - startedAt >= 58);
    await raw.idle();
  });

  test('the time for the head begins when the body has been sent', async (t) => {
    const { raw, upstream } = await upstreamTo(t, transport, answer('ok'), { on: 'complete' });
    const body = new ManualBody(4, (self) => {
      setImmediate(() => self.push('ab'));
      setTimeout(() => {
        self.push('cd');
        setImmediate(() => self.end());
      }, 350);
    });
    const got = await send(upstream, cluster, raw.endpoint, { method: 'POST', body, timeouts: { responseHeadMs: 200 } }).over;
    t.is(got.status, 200);
  });

  test('a gap in the answer that is too long cuts it', async (t) => {
    const { raw, upstream } = await upstreamTo(t, transport, bytes(`${OK}content-length: 10\r\n\r\nabc`));
    const got = await send(upstream, cluster, raw.endpoint, { timeouts: { readIdleMs: 60 } }).over;
    t.like(got.error, { reason: 'StreamIdleTimeout', status: 504 });
    t.deepEqual(got.events, ['head', 'data', 'error']);
    await raw.idle();
  });

  test('an endpoint that stops reading an upload is given up, one that only reads slowly is not', async (t) => {
    const { raw, upstream } = await upstreamTo(t, transport, silent, { onConnection: (socket) => setTimeout(() => socket.pause(), 0) });
    const got = await send(upstream, cluster, raw.endpoint, { method: 'POST', body: new EndlessBody(64 * 1024 * 1024), timeouts: { sendIdleMs: 80 } }).over;
    t.like(got.error, { reason: 'StreamIdleTimeout', status: 504, side: 'upstream' });

    const slow = await upstreamTo(t, transport, answer('ok'), {
      on: 'complete',
      onConnection(socket) {
        const timer = setInterval(() => (socket.isPaused() ? socket.resume() : socket.pause()), 10);
        socket.on('close', () => clearInterval(timer));
      },
    });
    const fine = await send(slow.upstream, cluster, slow.raw.endpoint, { method: 'POST', body: new EndlessBody(4 * 1024 * 1024), timeouts: { sendIdleMs: 1_000 } }).over;
    t.is(fine.error, undefined);
    t.is(fine.status, 200);
  });

  test('a slow client is not the endpoint\'s fault while its body is awaited', async (t) => {
    const { raw, upstream } = await upstreamTo(t, transport, answer('ok'), { on: 'complete' });
    const body = new ManualBody(undefined, (self) => {
      setImmediate(() => self.push('a'));
      setTimeout(() => self.end(), 350);
    });
    const got = await send(upstream, cluster, raw.endpoint, { method: 'POST', body, timeouts: { sendIdleMs: 200, responseHeadMs: 200 } }).over;
    t.is(got.status, 200);
  });

  test('while the client reads nothing the endpoint is not idle', async (t) => {
    const { raw, upstream } = await upstreamTo(t, transport, answer('hello'));
    const recorded = send(upstream, cluster, raw.endpoint, { timeouts: { readIdleMs: 200 } });
    recorded.call.pause();
    await new Promise((resolve) => setTimeout(resolve, 400));
    t.is(recorded.error, undefined);
    recorded.call.resume();
    const got = await recorded.over;
    t.is(got.body.toString(), 'hello');
  });
}
