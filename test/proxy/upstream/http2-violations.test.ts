// Endpoints that break HTTP/2: what breaks one message costs one stream, what breaks the connection costs the connection, and
// nothing costs more. And flow control, which is where both sides can go wrong.
import ava from 'ava';
import fc from 'fast-check';
import { EndlessBody, ManualBody, readyBody } from '../../support/endpoint-body.ts';
import { send, until } from '../../support/endpoint-call.ts';
import { OK, answers, data, head } from '../../support/http2-raw-endpoint.ts';
import type { RawHttp2Connection, RawScript, RawStream } from '../../support/http2-raw-endpoint.ts';
import { HTTP2_TRANSPORTS, http2To } from '../../support/http2-upstream.ts';
import { FLAG, FRAME, frame, headerBlock, rst } from '../../support/raw-http2.ts';

const PUSH_PROMISE = 5;
const PADDED = 8;
const transport = HTTP2_TRANSPORTS[0]!;
const { cluster } = transport;

function number(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** What it breaks, the code of GOAWAY, and the frames. */
const OF_THE_CONNECTION: readonly (readonly [title: string, code: number, frames: (stream: RawStream) => Buffer[]])[] = [
  ['a frame that is too large', 6, (stream) => [frame(FRAME.DATA, 0, stream.id, Buffer.alloc(20_000))]],
  ['DATA of stream 0', 1, () => [frame(FRAME.DATA, 0, 0, 'x')]],
  ['DATA of a stream that was never opened', 1, () => [frame(FRAME.DATA, 0, 99, 'x')]],
  ['HEADERS of a stream that was never opened', 1, () => [frame(FRAME.HEADERS, FLAG.END_HEADERS, 99, headerBlock(OK))]],
  ['HEADERS of an even stream', 1, () => [frame(FRAME.HEADERS, FLAG.END_HEADERS, 2, headerBlock(OK))]],
  ['RST_STREAM of a stream that was never opened', 1, () => [rst(99, 0)]],
  ['RST_STREAM of a wrong size', 6, (stream) => [frame(FRAME.RST_STREAM, 0, stream.id, 'abc')]],
  ['WINDOW_UPDATE of a wrong size', 6, (stream) => [frame(FRAME.WINDOW_UPDATE, 0, stream.id, 'abc')]],
  ['WINDOW_UPDATE of a stream that was never opened', 1, () => [frame(FRAME.WINDOW_UPDATE, 0, 99, number(1))]],
  ['WINDOW_UPDATE of nothing', 3, () => [frame(FRAME.WINDOW_UPDATE, 0, 0, number(0))]],
  ['a window beyond its limit', 3, () => [frame(FRAME.WINDOW_UPDATE, 0, 0, number(2 ** 31 - 1))]],
  ['PUSH_PROMISE', 1, (stream) => [frame(PUSH_PROMISE, FLAG.END_HEADERS, stream.id, Buffer.concat([number(2), headerBlock([])]))]],
  ['PING of a wrong size', 6, () => [frame(FRAME.PING, 0, 0, 'abc')]],
  ['PING of a stream', 1, (stream) => [frame(FRAME.PING, 0, stream.id, Buffer.alloc(8))]],
  ['SETTINGS of a stream', 1, (stream) => [frame(FRAME.SETTINGS, 0, stream.id)]],
  ['SETTINGS of a wrong size', 6, () => [frame(FRAME.SETTINGS, 0, 0, 'abc')]],
  ['SETTINGS: an answer with content', 6, () => [frame(FRAME.SETTINGS, FLAG.ACK, 0, Buffer.alloc(6))]],
  ['SETTINGS: a window beyond its limit', 3, () => [frame(FRAME.SETTINGS, 0, 0, Buffer.concat([Buffer.from([0, 4]), number(2 ** 31)]))]],
  ['SETTINGS: a frame size out of range', 1, () => [frame(FRAME.SETTINGS, 0, 0, Buffer.concat([Buffer.from([0, 5]), number(100)]))]],
  ['SETTINGS: push', 1, () => [frame(FRAME.SETTINGS, 0, 0, Buffer.concat([Buffer.from([0, 2]), number(1)]))]],
  ['GOAWAY of a wrong size', 6, () => [frame(FRAME.GOAWAY, 0, 0, 'abc')]],
  ['GOAWAY of a stream', 1, (stream) => [frame(FRAME.GOAWAY, 0, stream.id, Buffer.alloc(8))]],
  ['CONTINUATION of nothing', 1, (stream) => [frame(FRAME.CONTINUATION, FLAG.END_HEADERS, stream.id, headerBlock(OK))]],
  ['a frame within a block', 1, (stream) => [frame(FRAME.HEADERS, 0, stream.id, headerBlock(OK)), frame(FRAME.PING, 0, 0, Buffer.alloc(8))]],
  ['CONTINUATION of another stream', 1, (stream) => [frame(FRAME.HEADERS, 0, stream.id, headerBlock(OK)), frame(FRAME.CONTINUATION, FLAG.END_HEADERS, stream.id + 2, headerBlock([]))]],
  ['a block that is none', 9, (stream) => [frame(FRAME.HEADERS, FLAG.END_HEADERS, stream.id, Buffer.from([0x80]))]],
  ['padding longer than its frame', 1, (stream) => [frame(FRAME.DATA, PADDED, stream.id, Buffer.from([9, 1, 2]))]],
  ['padding of no frame', 1, (stream) => [frame(FRAME.HEADERS, FLAG.END_HEADERS | PADDED, stream.id)]],
  ['empty CONTINUATION without end', 11, (stream) => [frame(FRAME.HEADERS, 0, stream.id, headerBlock(OK)), ...Array.from({ length: 20_000 }, () => frame(FRAME.CONTINUATION, 0, stream.id))]],
  ['CONTINUATION without end', 11, (stream) => [frame(FRAME.HEADERS, 0, stream.id, headerBlock(OK)), ...Array.from({ length: 100 }, (_, nth) => frame(FRAME.CONTINUATION, 0, stream.id, headerBlock([[`x-${nth}`, 'y'.repeat(9_000)]])))]],
];

for (const [title, code, frames] of OF_THE_CONNECTION) {
  ava(`${title}: GOAWAY with code ${code}, and the next request gets a new connection`, async (t) => {
    const { raw, upstream, dispatchers } = await http2To(t, transport, (stream, connection) => {
      if (connection.nth > 0) connection.write(head(stream, OK, true));
      else connection.write(...frames(stream));
    });
    const got = await send(upstream, cluster, raw.endpoint).over;
    t.like(got.error, { reason: 'UpstreamProtocolError', side: 'upstream', status: 502, retry: 'no' });
    await until(() => raw.connections[0]?.closed === true);
    t.is(raw.connections[0]?.seen(FRAME.GOAWAY)[0]?.payload.readUInt32BE(4), code);
    t.is((await send(upstream, cluster, raw.endpoint).over).error, undefined);
    t.is(raw.connections.length, 2);
    t.is(dispatchers.stats().active, 0);
  });
}

/** Each of these costs its own stream alone. */
const OF_A_STREAM: readonly (readonly [title: string, code: number, frames: (stream: RawStream) => Buffer[]])[] = [
  ['a window beyond its limit', 3, (stream) => [frame(FRAME.WINDOW_UPDATE, 0, stream.id, number(2 ** 31 - 1))]],
  ['WINDOW_UPDATE of nothing', 3, (stream) => [frame(FRAME.WINDOW_UPDATE, 0, stream.id, number(0))]],
  ['data before the head', 1, (stream) => [data(stream, 'x')]],
  ['a second head', 1, (stream) => [head(stream), head(stream)]],
  ['trailers that do not end it', 1, (stream) => [head(stream), data(stream, 'x'), head(stream, [['x-sum', '1']])]],
  ['trailers with a status', 1, (stream) => [head(stream), data(stream, 'x'), head(stream, OK, true)]],
  ['1xx that ends it', 1, (stream) => [head(stream, [[':status', '103']], true)]],
  ['1xx that announces a body', 1, (stream) => [head(stream, [[':status', '103'], ['content-length', '5']])]],
  ['101', 1, (stream) => [head(stream, [[':status', '101']])]],
  ['an upper-case name', 1, (stream) => [head(stream, [...OK, ['X-Bad', '1']])]],
  ['a connection field', 1, (stream) => [head(stream, [...OK, ['connection', 'close']])]],
  ['a transfer coding', 1, (stream) => [head(stream, [...OK, ['transfer-encoding', 'chunked']])]],
  ['a status behind a field', 1, (stream) => [head(stream, [['a', '1'], ...OK])]],
  ['two statuses', 1, (stream) => [head(stream, [...OK, ...OK])]],
  ['NUL in a value', 1, (stream) => [head(stream, [...OK, ['a', 'x\0y']])]],
  ['CR and LF in a value', 1, (stream) => [head(stream, [...OK, ['a', 'x\r\nb: c']])]],
  ['a blank before a value', 1, (stream) => [head(stream, [...OK, ['a', ' x']])]],
  ['two lengths', 1, (stream) => [head(stream, [...OK, ['content-length', '1'], ['content-length', '1']])]],
  ['a body for 204', 1, (stream) => [head(stream, [[':status', '204']]), data(stream, 'x')]],
  ['a head that is too large', 11, (stream) => [head(stream, [...OK, ...Array.from({ length: 16 }, (_, nth) => [`x-${nth}`, 'y'.repeat(1_000)] as const)])]],
  ['a head of too many fields', 11, (stream) => [head(stream, [...OK, ...Array.from({ length: 300 }, (_, nth) => [`x-${nth}`, 'y'] as const)])]],
  ['trailers that are too large', 11, (stream) => [head(stream), head(stream, Array.from({ length: 300 }, (_, nth) => [`x-${nth}`, 'y'] as const), true)]],
  ['more data than the stream takes', 3, (stream) => [head(stream), ...Array.from({ length: 20 }, () => data(stream, Buffer.alloc(16_384)))]],
];

for (const [title, code, frames] of OF_A_STREAM) {
  ava(`${title}: the stream is reset with code ${code}, and its neighbour notices nothing`, async (t) => {
    const neighbour: { stream: RawStream | undefined; connection: RawHttp2Connection | undefined } = { stream: undefined, connection: undefined };
    const { raw, upstream } = await http2To(t, transport, (stream, connection) => {
      if (neighbour.stream === undefined) {
        Object.assign(neighbour, { stream, connection });
        connection.write(head(stream), data(stream, 'a'));
      } else {
        connection.write(...frames(stream));
      }
    }, {}, { maxHeadBytes: 16_000 });
    const other = send(upstream, cluster, raw.endpoint);
    await other.head;
    const paused = title.startsWith('more data');
    const broken = send(upstream, cluster, raw.endpoint);
    if (paused) broken.call.pause();
    await broken.over;
    t.like(broken.error, { reason: 'UpstreamProtocolError', side: 'upstream', status: 502, retry: 'no' });
    t.false(broken.events.includes('end'));
    await until(() => raw.streams()[1]?.reset !== undefined);
    t.is(raw.streams()[1]?.reset, code);
    neighbour.connection!.write(data(neighbour.stream!, 'b', true));
    t.is((await other.over).body.toString(), 'ab');
    t.is(raw.connections.length, 1);
  });
}

ava('what means nothing is passed over: PRIORITY, unknown frames and settings, frames of streams that have ended', async (t) => {
  const { raw, upstream } = await http2To(t, transport, (stream, connection) => {
    const old = stream.id - 2;
    if (old > 0) connection.write(frame(FRAME.DATA, 0, old, 'late'), rst(old, 2), frame(FRAME.WINDOW_UPDATE, 0, old, number(5)), frame(FRAME.HEADERS, FLAG.END_HEADERS, old, headerBlock(OK)));
    connection.write(
      frame(FRAME.PRIORITY, 0, stream.id, Buffer.alloc(5)),
      frame(0x7b, 0xff, stream.id, 'whatever'),
      frame(FRAME.SETTINGS, 0, 0, Buffer.concat([Buffer.from([0xab, 0xcd]), number(7)])),
      frame(FRAME.HEADERS, FLAG.END_HEADERS | PADDED | 32, stream.id, Buffer.concat([Buffer.from([3]), Buffer.alloc(5), headerBlock(OK), Buffer.alloc(3)])),
      frame(FRAME.DATA, PADDED, stream.id, Buffer.concat([Buffer.from([2]), Buffer.from('hello'), Buffer.alloc(2)])),
      frame(FRAME.DATA, FLAG.END_STREAM | PADDED, stream.id, Buffer.from([0])),
    );
  });
  for (let nth = 0; nth < 3; nth++) t.is((await send(upstream, cluster, raw.endpoint).over).body.toString(), 'hello');
  t.is(raw.connections.length, 1);
});

ava('PING and SETTINGS are answered; an endpoint that only asks and never reads is left', async (t) => {
  const { raw, upstream } = await http2To(t, transport, answers('ok'));
  await send(upstream, cluster, raw.endpoint).over;
  await raw.connections[0]?.roundTrip();
  t.true(raw.connections[0]?.seen(FRAME.SETTINGS).some((one) => (one.flags & FLAG.ACK) !== 0));

  const deaf = await http2To(t, transport, (_stream, connection) => {
    connection.socket.pause();
    const pings = Buffer.concat(Array.from({ length: 20_000 }, () => frame(FRAME.PING, 0, 0, Buffer.alloc(8))));
    const more = (): void => {
      while (!connection.closed && connection.socket.writable) if (!connection.socket.write(pings)) return void connection.socket.once('drain', more);
    };
    more();
  });
  const got = await send(deaf.upstream, cluster, deaf.raw.endpoint).over;
  t.like(got.error, { reason: 'UpstreamProtocolError', retry: 'no' });
});

ava('what an endpoint takes is never exceeded, in however small pieces it takes it', async (t) => {
  const seen: { window: number; line: number }[] = [];
  const total = 100_000;
  const { raw, upstream } = await http2To(t, transport, (stream, connection) => {
    let stage = 0;
    const step = (): void => {
      if (connection.closed || stream.ended) return;
      seen.push({ window: stream.bytes, line: stage });
      stage++;
      // By SETTINGS (up, and down below zero), by the stream, by the connection.
      if (stage === 1) connection.settings({ initialWindowSize: 10 });
      else if (stage === 2) connection.settings({ initialWindowSize: 5 });
      else if (stage === 3) connection.settings({ initialWindowSize: 100 });
      else {
        connection.write(frame(FRAME.WINDOW_UPDATE, 0, stream.id, number(1_000 * stage)));
        if (stage > 12) connection.write(frame(FRAME.WINDOW_UPDATE, 0, 0, number(1_000 * stage)));
      }
      void connection.roundTrip().then(step, () => {});
    };
    step();
  }, { initialWindowSize: 0, takesData: false });
  const recorded = send(upstream, cluster, raw.endpoint, { method: 'POST', body: new EndlessBody(total, total) });
  await until(() => raw.streams()[0]?.ended === true);
  t.is(raw.streams()[0]?.bytes, total);
  t.deepEqual(seen.slice(0, 4).map(({ window }) => window), [0, 10, 10, 100]);
  const limit = 65_535 + seen.reduce((sum, { line }) => sum + (line >= 12 ? 1_000 * (line + 1) : 0), 0);
  t.true(limit >= total);
  for (const { window, line } of seen) if (line <= 12) t.true(window <= 65_535);
  recorded.call.abort();
});

ava('uploads that share a connection all come through', async (t) => {
  const { raw, upstream } = await http2To(t, transport, answers('ok'), { on: 'complete' });
  const sizes = Array.from({ length: 30 }, (_, nth) => 1 + nth * 9_973);
  const all = await Promise.all(sizes.map((size) => send(upstream, cluster, raw.endpoint, { method: 'POST', body: new EndlessBody(size, size) }).over));
  t.true(all.every((got) => got.error === undefined));
  t.deepEqual(raw.streams().map(({ bytes }) => bytes).toSorted((a, b) => a - b), sizes);
  t.is(raw.connections.length, 1);
});

/** A client sends something, and after a while it is too late for the rest. An endpoint is not late before it has the whole body. */
function slow(body: ManualBody): void {
  body.push('a');
  setTimeout(() => body.abort(), 300);
}

ava('whatever an endpoint sends, every request comes to one end and no connection is left', async (t) => {
  const piece = fc.oneof(
    fc.constantFrom<(stream: RawStream) => Buffer>((stream) => head(stream), (stream) => head(stream, OK, true), (stream) => data(stream, 'hello'), (stream) => data(stream, 'x', true), (stream) => rst(stream.id, 0), (stream) => rst(stream.id, 7), (stream) => head(stream, [['x-sum', '1']], true), (stream) => head(stream, [[':status', '103']])),
    fc.tuple(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 0, max: 255 }), fc.constantFrom(0, 1, 3, 5), fc.uint8Array({ maxLength: 30 })).map(([type, flags, id, payload]) => () => frame(type, flags, id, Buffer.from(payload))),
    fc.uint8Array({ maxLength: 30 }).map((bytes) => () => Buffer.from(bytes)),
  );
  await fc.assert(fc.asyncProperty(fc.array(fc.array(piece, { maxLength: 6 }), { minLength: 1, maxLength: 4 }), fc.boolean(), async (scripts, cut) => {
    let nth = 0;
    const script: RawScript = (stream, connection) => {
      const pieces = scripts[nth++ % scripts.length] ?? [];
      connection.write(...pieces.map((make) => make(stream)));
      setTimeout(() => (cut ? connection.socket.destroy() : connection.write(rst(stream.id, 2))), 3);
    };
    const { raw, upstream, dispatchers } = await http2To(t, transport, script);
    const bodies = [() => undefined, () => readyBody('hello'), () => new ManualBody(undefined, slow)];
    const calls = Array.from({ length: 4 }, (_, at) => send(upstream, cluster, raw.endpoint, { method: 'POST', body: bodies[at % 3]?.(), timeouts: { responseHeadMs: 200, readIdleMs: 200 } }));
    for (const { over, events } of calls) {
      await over;
      t.true(events.filter((event) => event === 'end' || event === 'error').length === 1);
    }
    await until(() => dispatchers.stats().active + dispatchers.stats().waiting === 0);
    await dispatchers.destroy();
    t.is(dispatchers.stats().connections, 0);
    await raw.close();
  }), { numRuns: 60 });
});
