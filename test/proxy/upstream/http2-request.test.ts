// Requests to HTTP/2 endpoints that speak in frames: what goes out, and that no upload which was cut ever looks complete there.
import ava from 'ava';
import type { ExecutionContext } from 'ava';
import fc from 'fast-check';
import { EndlessBody, ManualBody, readyBody } from '../../support/endpoint-body.ts';
import { send, until } from '../../support/endpoint-call.ts';
import { answers, data, head } from '../../support/http2-raw-endpoint.ts';
import { nodeHttp2Endpoint } from '../../support/http2-node-endpoint.ts';
import { HTTP2_TRANSPORTS, http2To } from '../../support/http2-upstream.ts';
import type { Http2Transport } from '../../support/http2-upstream.ts';

const CANCEL = 8;
const later = (run: () => void, ms = 10): void => void setTimeout(run, ms);

for (const transport of HTTP2_TRANSPORTS) suite(transport);

function suite(transport: Http2Transport): void {
  const { cluster } = transport;
  const test = (title: string, run: (t: ExecutionContext) => Promise<void>): void => ava(`${transport.name}: ${title}`, run);

  test('a request body is complete at the endpoint only if the client completed it', async (t) => {
    const { raw, upstream } = await http2To(t, transport, answers('ok'), { on: 'complete' });
    const body = new ManualBody(6, (self) => later(() => {
      self.push('abc');
      later(() => {
        self.push('def');
        self.end();
      });
    }, 1));
    t.is((await send(upstream, cluster, raw.endpoint, { method: 'POST', body }).over).status, 200);
    t.is((await send(upstream, cluster, raw.endpoint, { method: 'POST', body: readyBody('at once', undefined) }).over).status, 200);
    t.is((await send(upstream, cluster, raw.endpoint, { method: 'POST', body: readyBody('', 0) }).over).status, 200);
    t.deepEqual(raw.streams().map(({ bytes, ended, reset: code }) => [bytes, ended, code]), [[6, true, undefined], [7, true, undefined], [0, true, undefined]]);
  });

  test('a server on node:http2 sees the request as it was meant', async (t) => {
    const node = await nodeHttp2Endpoint(t, { tls: transport.endpoint.tls });
    const { upstream } = await http2To(t, transport, () => {});
    const long = 'v'.repeat(20_000);
    const headers = ['X-B', '1', 'x-a', 'caf\xe9', 'X-B', '3', 'Cookie', 'a=1; b=2', 'te', 'trailers', 'content-length', '999', 'Expect', '100-continue', 'x-long', long];
    const got = await send(upstream, cluster, node.endpoint, { method: 'PUT', target: '/a%2Fb//c?x=1', authority: 'shop.example.com:8443', headers, body: readyBody('hello') }).over;
    t.is(got.error, undefined);
    t.deepEqual(node.requests[0]?.headers, [
      ':method', 'PUT', ':scheme', transport.cluster.tls === undefined ? 'http' : 'https', ':authority', 'shop.example.com:8443', ':path', '/a%2Fb//c?x=1',
      'x-b', '1', 'x-a', 'caf\xe9', 'x-b', '3', 'cookie', 'a=1; b=2', 'te', 'trailers', 'x-long', long, 'content-length', '5',
    ]);
    t.is(node.requests[0]?.body, 'hello');
    const old = await send(upstream, cluster, node.endpoint, { authority: '' }).over;
    t.is(old.error, undefined);
    t.is(node.requests[1]?.headers[5], `127.0.0.1:${node.endpoint.port}`, 'HTTP/1.0 without Host');
    t.is(node.connections, 1);
  });

  test('trailers of a request are sent, without those that belong into a head', async (t) => {
    const node = await nodeHttp2Endpoint(t, { tls: transport.endpoint.tls });
    const { upstream } = await http2To(t, transport, () => {});
    for (const text of ['abc', '']) {
      const body = new ManualBody(undefined, (self) => {
        if (text !== '') self.push(text);
        self.sink?.onEnd(['X-Sum', '7', 'x-sum', '8', 'content-length', '3', 'connection', 'x', 'x-forwarded-for', '1.1.1.1', 'host', 'b']);
      });
      t.is((await send(upstream, cluster, node.endpoint, { method: 'POST', body }).over).status, 200);
      t.deepEqual(node.requests.at(-1)?.trailers, ['x-sum', '7', 'x-sum', '8']);
      t.is(node.requests.at(-1)?.body, text);
    }
  });

  test('trailers are announced where they may follow, and not by a request without a body', async (t) => {
    const node = await nodeHttp2Endpoint(t, { tls: transport.endpoint.tls });
    const { upstream } = await http2To(t, transport, () => {});
    const headers = ['Trailer', 'X-Sum', 'x-a', '1'];
    for (const [body, announced] of [[undefined, false], [readyBody('', 0), false], [readyBody('hi'), true], [new ManualBody(undefined, (self) => self.end()), true]] as const) {
      t.is((await send(upstream, cluster, node.endpoint, { method: 'POST', headers, ...(body !== undefined && { body }) }).over).status, 200);
      t.is(node.requests.at(-1)?.headers.includes('trailer'), announced);
    }
  });

  const moment = fc.constantFrom<((run: () => void) => void)>((run) => run(), queueMicrotask, process.nextTick, setImmediate, (run) => setTimeout(run, 2));
  const shape = fc.record({
    length: fc.option(fc.integer({ min: 1, max: 20 }), { nil: undefined }),
    sent: fc.integer({ min: 0, max: 19 }),
    first: moment,
    last: moment,
    end: fc.constantFrom('abort', 'short', 'long', 'call.abort'),
  });

  test('an upload that ends early in any way never reaches the endpoint as a complete message', async (t) => {
    const { raw, upstream, dispatchers } = await http2To(t, transport, answers('ok'), { on: 'complete' });
    await fc.assert(
      fc.asyncProperty(fc.array(shape, { minLength: 1, maxLength: 12 }), async (shapes) => {
        const calls = shapes.map(({ length, sent, first, last, end }) => {
          const body = new ManualBody(length, (self) => {
            first(() => {
              const part = 'x'.repeat(length === undefined ? sent : Math.min(sent, length - 1));
              if (part !== '') self.push(part);
              last(() => {
                // The body may begin before `send` has returned.
                if (end === 'call.abort') queueMicrotask(() => recorded.call.abort());
                else if (end === 'short' && length !== undefined) self.end();
                else if (end === 'long' && length !== undefined) self.push('x'.repeat(length + 1));
                else self.abort();
              });
            });
          });
          const recorded = send(upstream, cluster, raw.endpoint, { method: 'POST', body });
          return { recorded, end };
        });
        for (const { recorded, end } of calls) if (end !== 'call.abort') await recorded.over;
        await until(() => dispatchers.stats().active + dispatchers.stats().waiting === 0);
        for (const { recorded, end } of calls) {
          if (recorded.events.includes('head') || recorded.events.includes('end')) return false;
          if (end === 'call.abort' && recorded.events.length > 0) return false;
          if (recorded.error !== undefined && recorded.error.side !== 'downstream') return false;
        }
        await until(() => raw.streams().every((stream) => stream.reset !== undefined));
        return raw.streams().every((stream) => !stream.ended && stream.reset === CANCEL);
      }),
      { numRuns: 100 },
    );
    t.true(raw.streams().length > 100);
  });

  test('an endpoint that does not take the body stops the upload, and after a while the request', async (t) => {
    const { raw, upstream } = await http2To(t, transport, () => {}, { takesData: false });
    const body = new EndlessBody(64 * 1024 * 1024);
    const got = await send(upstream, cluster, raw.endpoint, { method: 'POST', body, timeouts: { sendIdleMs: 100 } }).over;
    t.like(got.error, { reason: 'StreamIdleTimeout', status: 504, retry: 'no' });
    t.true(body.bytes < 1024 * 1024, `${body.bytes} bytes were taken from the client`);
    await until(() => raw.streams()[0]?.reset === CANCEL);
    t.false(raw.streams()[0]?.ended);
  });

  test('a large upload arrives whole', async (t) => {
    const { raw, upstream } = await http2To(t, transport, answers('ok'), { on: 'complete' });
    const total = 5_000_000;
    const got = await send(upstream, cluster, raw.endpoint, { method: 'POST', body: new EndlessBody(total, total) }).over;
    t.is(got.status, 200);
    t.is(raw.streams()[0]?.bytes, total);
  });

  test('an answer that comes before the upload has ended is delivered, and the upload is stopped', async (t) => {
    const { raw, upstream } = await http2To(t, transport, (stream, connection) => later(() => connection.write(head(stream, [[':status', '413']]), data(stream, 'big', true)), 3));
    const body = new ManualBody(1_000_000, (self) => setImmediate(() => self.push('x'.repeat(1000))));
    const got = await send(upstream, cluster, raw.endpoint, { method: 'POST', body }).over;
    t.is(got.status, 413);
    t.is(got.body.toString(), 'big');
    t.true(body.paused);
    await until(() => raw.streams()[0]?.reset === CANCEL);
    t.false(raw.streams()[0]?.ended);
  });

  test('both directions stream at the same time', async (t) => {
    const { raw, upstream } = await http2To(t, transport, (stream, connection) => {
      connection.write(head(stream));
      const timer = setInterval(() => {
        if (stream.bytes >= 3) {
          clearInterval(timer);
          connection.write(data(stream, 'last', true));
        } else {
          connection.write(data(stream, '.'));
        }
      }, 2);
    });
    const body = new ManualBody(undefined, (self) => self.push('a'));
    const recorded = send(upstream, cluster, raw.endpoint, { method: 'POST', body });
    await recorded.head;
    await until(() => recorded.body.length >= 2);
    body.push('b');
    await until(() => raw.streams()[0]?.bytes === 2);
    body.push('c');
    body.end();
    const got = await recorded.over;
    t.is(got.error, undefined);
    t.regex(got.body.toString(), /^\.+last$/);
    t.true(raw.streams()[0]?.ended);
  });

  test('a client that goes away resets the stream with CANCEL, and nothing else is told', async (t) => {
    const { raw, upstream, dispatchers } = await http2To(t, transport, (stream, connection) => connection.write(head(stream), data(stream, 'part')));
    for (const body of [undefined, readyBody('up'), new ManualBody(undefined)]) {
      const recorded = send(upstream, cluster, raw.endpoint, { method: 'POST', body });
      await recorded.head;
      recorded.call.abort();
      recorded.call.abort();
      await until(() => raw.streams().at(-1)?.reset !== undefined);
      t.is(raw.streams().at(-1)?.reset, CANCEL);
      t.false(recorded.events.includes('error'));
      t.false(recorded.events.includes('end'));
    }
    await until(() => dispatchers.stats().active === 0);
    t.is(raw.connections.length, 1, 'the connection lives on');
  });

  test('timeouts: no head, and a gap in the body', async (t) => {
    const silent = await http2To(t, transport, () => {});
    const head1 = await send(silent.upstream, cluster, silent.raw.endpoint, { timeouts: { responseHeadMs: 50 } }).over;
    t.like(head1.error, { reason: 'UpstreamRequestTimeout', status: 504, retry: 'no' });
    const stuck = await http2To(t, transport, (stream, connection) => connection.write(head(stream), data(stream, 'part')));
    const gap = await send(stuck.upstream, cluster, stuck.raw.endpoint, { timeouts: { readIdleMs: 50 } }).over;
    t.like(gap.error, { reason: 'StreamIdleTimeout', status: 504, retry: 'no' });
    await until(() => silent.raw.streams()[0]?.reset === CANCEL && stuck.raw.streams()[0]?.reset === CANCEL);
  });

  test('what cannot stand in a head is refused before anything is sent, and takes no place', async (t) => {
    const { raw, upstream, dispatchers } = await http2To(t, transport, answers('good'));
    const refused: [string, Parameters<typeof send>[3]][] = [
      ['a second host', { headers: ['host', 'b'] }],
      ['NUL', { headers: ['x-a', 'a\0b'] }],
      ['CR and LF', { headers: ['x-a', 'a\r\nx-b: c'] }],
      ['a character above 0xff', { headers: ['x-a', '\u20ac'] }],
      ['a name that is no token', { headers: ['x a', '1'] }],
      ['a pseudo-header field', { headers: [':path', '/'] }],
      ['a connection field', { headers: ['connection', 'close'] }],
      ['a transfer coding', { headers: ['transfer-encoding', 'chunked'] }],
      ['an upgrade', { headers: ['upgrade', 'websocket'] }],
      ['a method that is no token', { method: 'G ET' }],
      ['CONNECT', { method: 'CONNECT' }],
      ['a target without slash', { target: '*' }],
      ['a target with a space', { target: '/a b' }],
      ['a target with NUL', { target: '/a\0:authority\0b' }],
      ['an authority with a blank', { authority: 'a\nb' }],
    ];
    for (const [title, request] of refused) {
      const got = await send(upstream, cluster, raw.endpoint, request).over;
      t.like(got.error, { reason: 'InvalidUpstreamRequest', side: 'internal', status: 500, retry: 'no' }, title);
    }
    t.is((await send(upstream, cluster, raw.endpoint).over).body.toString(), 'good');
    t.is(raw.streams().length, 1);
    await until(() => dispatchers.stats().active + dispatchers.stats().waiting === 0);
  });
}
