// Responses of HTTP/2 endpoints that speak in frames: what comes back, and that none which was cut is ever taken for a complete
// one.
import ava from 'ava';
import type { ExecutionContext } from 'ava';
import { ManualBody, readyBody } from '../../support/endpoint-body.ts';
import { send, until } from '../../support/endpoint-call.ts';
import { reset as cutConnection } from '../../support/endpoint-raw.ts';
import { OK, answers, data, head, reset } from '../../support/http2-raw-endpoint.ts';
import type { RawScript } from '../../support/http2-raw-endpoint.ts';
import { HTTP2_TRANSPORTS, http2To } from '../../support/http2-upstream.ts';
import type { Http2Transport } from '../../support/http2-upstream.ts';
import { FLAG, FRAME, frame, headerBlock } from '../../support/raw-http2.ts';

const CODE = { NO_ERROR: 0, PROTOCOL_ERROR: 1, INTERNAL_ERROR: 2, REFUSED_STREAM: 7, CANCEL: 8, ENHANCE_YOUR_CALM: 11 } as const;
const later = (run: () => void, ms = 10): void => void setTimeout(run, ms);

for (const transport of HTTP2_TRANSPORTS) suite(transport);

function suite(transport: Http2Transport): void {
  const { cluster } = transport;
  const test = (title: string, run: (t: ExecutionContext) => Promise<void>): void => ava(`${transport.name}: ${title}`, run);

  test('a response arrives as sent, with repeats in order, and connections are shared', async (t) => {
    const { raw, upstream } = await http2To(t, transport, answers('hello', [...OK, ['x-seen', '1'], ['set-cookie', 'a=\xe9'], ['x-seen', '2']]));
    for (let nth = 0; nth < 3; nth++) {
      const got = await send(upstream, cluster, raw.endpoint).over;
      t.is(got.error, undefined);
      t.is(got.status, 200);
      t.is(got.body.toString(), 'hello');
      t.deepEqual(got.headers, ['x-seen', '1', 'set-cookie', 'a=\xe9', 'x-seen', '2']);
      t.deepEqual(got.events, ['head', 'data', 'end']);
    }
    t.is(raw.connections.length, 1);
    t.true(raw.streams().every((stream) => stream.ended && stream.reset === undefined));
  });

  test('responses without a body end at once, whatever says so', async (t) => {
    const scripts: [string, RawScript, string?][] = [
      ['END_STREAM on the head', (stream, connection) => connection.write(head(stream, OK, true))],
      ['204', (stream, connection) => connection.write(head(stream, [[':status', '204']], true))],
      ['304 with a length', (stream, connection) => connection.write(head(stream, [[':status', '304'], ['content-length', '500']], true))],
      ['HEAD with a length', (stream, connection) => connection.write(head(stream, [...OK, ['content-length', '500']], true)), 'HEAD'],
      ['an empty frame', (stream, connection) => connection.write(head(stream), data(stream, '', true))],
    ];
    for (const [title, script, method] of scripts) {
      const { raw, upstream, dispatchers } = await http2To(t, transport, script);
      const got = await send(upstream, cluster, raw.endpoint, { method }).over;
      t.is(got.error, undefined, title);
      t.deepEqual(got.events, ['head', 'end'], title);
      await until(() => dispatchers.stats().active === 0);
    }
  });

  test('interim responses and trailers are passed on', async (t) => {
    const { raw, upstream } = await http2To(t, transport, (stream, connection) => {
      connection.write(head(stream, [[':status', '103'], ['link', '</a.css>']]), head(stream), data(stream, 'hi'), head(stream, [['x-sum', '7'], ['x-sum', '8'], ['grpc-status', '0']], true));
    });
    const got = await send(upstream, cluster, raw.endpoint).over;
    t.deepEqual(got.information, [{ status: 103, headers: ['link', '</a.css>'] }]);
    t.deepEqual(got.trailers, ['x-sum', '7', 'x-sum', '8', 'grpc-status', '0']);
    t.deepEqual(got.events, ['information', 'head', 'data', 'end']);
  });

  test('an endpoint that never stops sending interim responses is broken', async (t) => {
    const { raw, upstream, dispatchers } = await http2To(t, transport, (stream, connection) => {
      for (let nth = 0; nth < 1000; nth++) connection.write(head(stream, [[':status', '102']]));
    });
    const got = await send(upstream, cluster, raw.endpoint).over;
    t.like(got.error, { reason: 'UpstreamProtocolError', status: 502, retry: 'no' });
    t.is(got.information.length, 100);
    await until(() => dispatchers.stats().active === 0);
  });

  const CUT_AFTER: readonly { readonly title: string; readonly before: (...args: Parameters<RawScript>) => Buffer[] }[] = [
    { title: 'before the head', before: () => [] },
    { title: 'after the head', before: (stream) => [head(stream)] },
    { title: 'after some data', before: (stream) => [head(stream), data(stream, 'part')] },
    { title: 'after all but one byte of the length', before: (stream) => [head(stream, [...OK, ['content-length', '5']]), data(stream, 'part')] },
    { title: 'after all of the length, without END_STREAM', before: (stream) => [head(stream, [...OK, ['content-length', '4']]), data(stream, 'part')] },
  ];
  const BODIES = { 'no body': () => undefined, 'an open upload': () => new ManualBody(undefined), 'a complete upload': () => readyBody('up') };

  for (const code of [CODE.NO_ERROR, CODE.CANCEL, CODE.INTERNAL_ERROR, CODE.PROTOCOL_ERROR, CODE.REFUSED_STREAM]) {
    test(`a response that is reset with code ${code} is never taken for a complete one`, async (t) => {
      for (const { title, before } of CUT_AFTER) {
        for (const [name, body] of Object.entries(BODIES)) {
          for (const atOnce of [true, false]) {
            const { raw, upstream, dispatchers } = await http2To(t, transport, (stream, connection) => {
              const cut = (): void => connection.write(reset(stream, code));
              if (atOnce) {
                connection.write(...before(stream, connection), reset(stream, code));
                return;
              }
              connection.write(...before(stream, connection));
              later(cut, 3);
            });
            const got = await send(upstream, cluster, raw.endpoint, { method: 'POST', body: body() }).over;
            const what = `${title}, ${name}, ${atOnce ? 'in one go' : 'later'}`;
            if (code === CODE.NO_ERROR && title.startsWith('after all of the length')) {
              t.is(got.error, undefined, `${what}: nothing is missing, and some servers end like this`);
              continue;
            }
            t.is(got.events.at(-1), 'error', what);
            t.false(got.events.includes('end'), what);
            t.is(got.error?.side, 'upstream', what);
            const refused = code === CODE.REFUSED_STREAM && title === 'before the head';
            t.is(got.error?.retry, refused ? 'yes' : 'no', what);
            if (!atOnce && title === 'after some data') t.is(got.body.toString(), 'part', what);
            await until(() => dispatchers.stats().active === 0);
            await dispatchers.destroy();
            await raw.close();
          }
        }
      }
    });
  }

  test('a response that is complete stays complete when a reset or the end of the connection follows', async (t) => {
    const afters: [string, (...args: Parameters<RawScript>) => void][] = [
      ['NO_ERROR', (stream, connection) => connection.write(reset(stream, CODE.NO_ERROR))],
      ['FIN', (_stream, connection) => connection.socket.end()],
    ];
    for (const [title, after] of afters) {
      const { raw, upstream } = await http2To(t, transport, (stream, connection) => {
        connection.write(head(stream), data(stream, 'x'.repeat(16_000), true));
        after(stream, connection);
      });
      const body = new ManualBody(undefined);
      const recorded = send(upstream, cluster, raw.endpoint, { method: 'POST', body });
      await recorded.head;
      recorded.call.pause();
      await until(() => raw.connections[0]?.streams.size === 1);
      await new Promise((resolve) => setTimeout(resolve, 20));
      recorded.call.resume();
      const got = await recorded.over;
      t.is(got.error, undefined, title);
      t.is(got.body.length, 16_000, title);
      t.true(body.paused, 'nobody wants the rest of the upload');
    }
  });

  test('a slow client loses nothing of a response whose endpoint has gone, and holds no stream', async (t) => {
    const { raw, upstream, dispatchers } = await http2To(t, transport, (stream, connection) => {
      connection.write(head(stream), data(stream, 'a'.repeat(16_000)), data(stream, 'b'.repeat(16_000)), data(stream, 'c'.repeat(16_000), true));
    });
    const recorded = send(upstream, cluster, raw.endpoint, { onData: (_chunk, self) => self.call.pause() });
    await recorded.head;
    await until(() => dispatchers.stats().active === 0);
    for (const { socket } of raw.connections) cutConnection(socket);
    await until(() => dispatchers.stats().connections === 0);
    while (!recorded.events.includes('end') && recorded.error === undefined) {
      recorded.call.resume();
      await new Promise((resolve) => setImmediate(resolve));
    }
    t.is(recorded.error, undefined);
  });

  test('a connection that ends or breaks mid-response cuts the response', async (t) => {
    const ends: [string, RawScript][] = [
      ['FIN', (stream, connection) => { connection.write(head(stream), data(stream, 'part')); connection.socket.end(); }],
      ['RST', (stream, connection) => { connection.write(head(stream), data(stream, 'part')); later(() => cutConnection(connection.socket)); }],
      ['GOAWAY with an error and FIN', (stream, connection) => { connection.write(head(stream), data(stream, 'part')); connection.goaway(stream.id, CODE.ENHANCE_YOUR_CALM); connection.socket.end(); }],
      ['GOAWAY and FIN', (stream, connection) => { connection.write(head(stream), data(stream, 'part')); connection.goaway(stream.id); connection.socket.end(); }],
    ];
    for (const [title, script] of ends) {
      const { raw, upstream } = await http2To(t, transport, script);
      const got = await send(upstream, cluster, raw.endpoint).over;
      t.like(got.error, { reason: 'UpstreamConnectionTermination', status: 502, retry: 'no' }, title);
      t.false(got.events.includes('end'), title);
    }
  });

  test('a body that is not as long as its content-length is an error', async (t) => {
    for (const [length, body] of [['4', 'hello'], ['6', 'hello'], ['1', ''], ['x', 'hello'], ['5, 5', 'hello']] as const) {
      const { raw, upstream, dispatchers } = await http2To(t, transport, answers(body, [...OK, ['content-length', length]]));
      const got = await send(upstream, cluster, raw.endpoint).over;
      t.is(got.error?.reason, 'UpstreamProtocolError', `${length}: ${body}`);
      t.false(got.events.includes('end'));
      await until(() => dispatchers.stats().active === 0);
    }
    const two = await http2To(t, transport, answers('hello', [...OK, ['content-length', '5'], ['content-length', '6']]));
    t.is((await send(two.upstream, cluster, two.raw.endpoint).over).error?.reason, 'UpstreamProtocolError');
  });

  test('a response that is no valid HTTP/2 is an error', async (t) => {
    const wrong: [string, RawScript][] = [
      ['an upper-case name', answers('x', [...OK, ['X-Bad', '1']])],
      ['no status', answers('x', [['a', '1']])],
      ['a status that is none', answers('x', [[':status', 'abc']])],
      ['a connection field', answers('x', [...OK, ['connection', 'close']])],
      ['101', (stream, connection) => connection.write(head(stream, [[':status', '101']]))],
      ['data before the head', (stream, connection) => connection.write(data(stream, 'x'))],
      ['a broken header block', (stream, connection) => connection.write(frame(FRAME.HEADERS, FLAG.END_HEADERS, stream.id, Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff])))],
      ['a head without end', (stream, connection) => {
        connection.write(frame(FRAME.HEADERS, 0, stream.id, headerBlock(OK)));
        for (let nth = 0; nth < 64; nth++) connection.write(frame(FRAME.CONTINUATION, 0, stream.id, headerBlock([[`x-${nth}`, 'y'.repeat(4000)]])));
      }],
    ];
    for (const [title, script] of wrong) {
      const { raw, upstream, dispatchers } = await http2To(t, transport, script);
      const got = await send(upstream, cluster, raw.endpoint).over;
      t.is(got.error?.side, 'upstream', title);
      t.is(got.error?.retry, 'no', title);
      t.deepEqual(got.events.filter((event) => event !== 'error'), [], title);
      await until(() => dispatchers.stats().active === 0);
    }
  });

  test('a large head is refused, a body of any size is not', async (t) => {
    const large = await http2To(t, transport, answers('x', [...OK, ...Array.from({ length: 40 }, (_, nth) => [`x-${nth}`, 'y'.repeat(1000)] as const)].slice(0, 15)));
    t.is((await send(large.upstream, cluster, large.raw.endpoint).over).error, undefined);
    const many = await http2To(t, transport, answers('x', [...OK, ...Array.from({ length: 400 }, (_, nth) => [`x-${nth}`, 'y'] as const)]));
    t.is((await send(many.upstream, cluster, many.raw.endpoint).over).error?.side, 'upstream');
  });

  test('a slow client is not the endpoint\'s fault', async (t) => {
    const { raw, upstream } = await http2To(t, transport, (stream, connection) => connection.write(head(stream), data(stream, 'a')));
    const recorded = send(upstream, cluster, raw.endpoint, { timeouts: { readIdleMs: 50 }, onData: (_chunk, self) => self.call.pause() });
    await until(() => recorded.events.includes('data'));
    await new Promise((resolve) => setTimeout(resolve, 150));
    t.is(recorded.error, undefined);
    recorded.call.resume();
    t.is((await recorded.over).error?.reason, 'StreamIdleTimeout');
  });

  test('a paused response stops the endpoint and loses nothing', async (t) => {
    const total = 8 * 1024 * 1024;
    const chunk = Buffer.alloc(16_384, 'y');
    const { raw, upstream } = await http2To(t, transport, (stream, connection) => connection.write(head(stream)));
    let bytes = 0;
    const recorded = send(upstream, cluster, raw.endpoint, { onData: (part, self) => {
      if (bytes === 0) self.call.pause();
      bytes += part.length;
    } });
    await recorded.head;
    const [stream] = raw.streams();
    let sent = 0;
    while (sent < total && recorded.error === undefined) {
      const window = stream!.connection.sendWindow(stream!);
      if (window >= chunk.length) {
        sent += chunk.length;
        stream!.connection.spend(stream!, chunk.length);
        stream!.connection.write(data(stream!, chunk, sent === total));
        continue;
      }
      if (bytes <= chunk.length) {
        // All that may be sent before anything is read is on its way.
        await stream!.connection.roundTrip();
        t.true(sent < 1024 * 1024, `${sent} bytes were taken from the endpoint`);
        recorded.call.resume();
      }
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    const got = await recorded.over;
    t.is(got.error, undefined);
    t.is(bytes, total);
  });
}
