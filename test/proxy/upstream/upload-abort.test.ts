// The promise about uploads: whatever a client did not complete, the endpoint never sees complete. Every way of ending an
// upload early, at every moment, against an endpoint that counts complete messages with a parser of its own.
import ava from 'ava';
import type { ExecutionContext } from 'ava';
import fc from 'fast-check';
import { ManualBody } from '../../support/endpoint-body.ts';
import { send, until } from '../../support/endpoint-call.ts';
import { answer } from '../../support/endpoint-raw.ts';
import { TRANSPORTS } from '../../support/endpoint-transport.ts';
import type { Transport } from '../../support/endpoint-transport.ts';
import { upstreamTo } from '../../support/endpoint-upstream.ts';
import type { UpstreamSetup } from '../../support/endpoint-upstream.ts';

function setup(t: ExecutionContext, transport: Transport, maxConnections = 8): Promise<UpstreamSetup> {
  return upstreamTo(t, transport, answer('ok'), { on: 'complete' }, { maxConnections });
}

type Moment = 'sync' | 'microtask' | 'tick' | 'immediate' | '2ms';

function at(moment: Moment, run: () => void): void {
  if (moment === 'sync') run();
  else if (moment === 'microtask') queueMicrotask(run);
  else if (moment === 'tick') process.nextTick(run);
  else if (moment === 'immediate') setImmediate(run);
  else setTimeout(run, 2);
}

const moment = fc.constantFrom<Moment>('sync', 'microtask', 'tick', 'immediate', '2ms');

const shape = fc.record({
  method: fc.constantFrom('POST', 'PUT', 'PATCH', 'DELETE', 'GET'),
  /** Declared length; undefined: chunked. */
  length: fc.option(fc.integer({ min: 1, max: 20 }), { nil: undefined }),
  /** Bytes that come before the end; always fewer than declared. */
  sent: fc.integer({ min: 0, max: 19 }),
  first: moment,
  last: moment,
  end: fc.constantFrom('abort', 'short', 'long', 'call.abort'),
});

for (const transport of TRANSPORTS) suite(transport);

function suite(transport: Transport): void {
  const { cluster } = transport;
  const test = (title: string, run: (t: ExecutionContext) => Promise<void>): void => ava(`${transport.name}: ${title}`, run);

  test('an upload that ends early in any way never reaches the endpoint as a complete message', async (t) => {
    const { raw, upstream, dispatchers } = await setup(t, transport);
    await fc.assert(
      fc.asyncProperty(fc.array(shape, { minLength: 1, maxLength: 12 }), async (shapes) => {
        const before = raw.requests.length;
        const calls = shapes.map(({ method, length, sent, first, last, end }) => {
          const body = new ManualBody(length, (self) => {
            at(first, () => {
              const part = 'x'.repeat(length === undefined ? sent : Math.min(sent, length - 1));
              if (part !== '') self.push(part);
              at(last, () => {
                if (end === 'call.abort') recorded.call.abort();
                else if (end === 'short' && length !== undefined) self.end();
                else if (end === 'long' && length !== undefined) self.push('x'.repeat(length + 1));
                else self.abort();
              });
            });
          });
          const recorded = send(upstream, cluster, raw.endpoint, { method, body, headers: length === undefined ? [] : ['content-length', String(length)] });
          return { recorded, end };
        });
        await until(() => {
          const { active, waiting } = dispatchers.stats();
          return active + waiting === 0;
        });
        for (const { recorded, end } of calls) {
          if (end !== 'call.abort') await recorded.over;
          if (recorded.events.includes('head') || recorded.events.includes('end')) return false;
          if (end === 'call.abort' && recorded.events.length > 0) return false;
          if (recorded.error !== undefined && recorded.error.side !== 'downstream') return false;
        }
        return raw.errors.length === 0 && !raw.requests.slice(before).some((request) => request.complete);
      }),
      { numRuns: 150 },
    );
    // Whatever was still under way to the endpoint is there once its connections are closed.
    await dispatchers.destroy();
    await raw.idle();
    t.deepEqual(raw.errors, []);
    t.deepEqual(raw.requests.filter((request) => request.complete), []);
    t.true(raw.requests.length > 50, 'many were begun');
  });

  test('a body that failed before it was asked for is sent to nobody', async (t) => {
    const { raw, upstream } = await setup(t, transport);
    for (const length of [undefined, 5]) {
      for (const method of ['POST', 'GET']) {
        const body = new ManualBody(length, (self) => self.abort());
        const got = await send(upstream, cluster, raw.endpoint, { method, body }).over;
        t.like(got.error, { reason: 'DownstreamConnectionTermination', status: 499, side: 'downstream' });
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
    t.is(raw.requests.length, 0);
  });

  test('an upload that waits in the queue is not begun, and aborting it there sends nothing', async (t) => {
    const { raw, upstream, dispatchers } = await setup(t, transport, 1);
    const first = new ManualBody(4, (self) => self.push('ab'));
    const busy = send(upstream, cluster, raw.endpoint, { method: 'POST', body: first });
    await until(() => raw.requests.length === 1);
    const queued = new ManualBody(4);
    const waiting = send(upstream, cluster, raw.endpoint, { method: 'POST', body: queued });
    waiting.call.abort();
    first.push('cd');
    first.end();
    t.is((await busy.over).status, 200);
    t.false(queued.started);
    t.is(raw.requests.length, 1);
    t.like(dispatchers.stats(), { active: 0, waiting: 0 });
  });

  test('the reason why a client stopped is told as it is', async (t) => {
    const { raw, upstream } = await setup(t, transport);
    const timeout = { reason: 'RequestBodyTimeout', side: 'downstream', retry: 'no', status: 408 } as const;
    const body = new ManualBody(4, (self) => {
      self.push('ab');
      setImmediate(() => self.sink?.onAbort(timeout));
    });
    t.is((await send(upstream, cluster, raw.endpoint, { method: 'POST', body }).over).error, timeout);
  });

  test('a complete upload is complete whatever its timing', async (t) => {
    const { raw, upstream } = await setup(t, transport);
    await fc.assert(
      fc.asyncProperty(fc.constantFrom('POST', 'PUT', 'PATCH', 'DELETE', 'GET'), fc.option(fc.constant(true)), fc.string({ maxLength: 30 }), moment, moment, async (method, declared, text, first, last) => {
        const before = raw.requests.length;
        const body = new ManualBody(declared === null ? undefined : Buffer.byteLength(text), (self) =>
          at(first, () => {
            if (text !== '') self.push(text);
            at(last, () => self.end());
          }),
        );
        const got = await send(upstream, cluster, raw.endpoint, { method, body }).over;
        const request = raw.requests[before];
        return got.status === 200 && request?.complete === true && request.body.toString() === text && raw.errors.length === 0;
      }),
      { numRuns: 150 },
    );
    t.deepEqual(raw.errors, []);
  });
}
