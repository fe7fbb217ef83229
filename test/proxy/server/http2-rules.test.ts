// What a connection of HTTP/2 does with each frame in each state (RFC 9113 §4 to §6, §8.1), said with raw frames: what it answers, which
// streams it resets, when it ends, and with which code.
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { CODE, codeName } from '../../../proxy/http2/frames.ts';
import { simpleTable, startDataPlane } from '../../support/data-plane.ts';
import { rawEndpoint } from '../../support/endpoint-raw.ts';
import { answer, forwardPlane, ok, silent } from '../../support/forward-plane.ts';
import type { AnswerWith, ForwardPlane, ForwardPlaneOptions } from '../../support/forward-plane.ts';
import { rawHttp2Endpoint } from '../../support/http2-raw-endpoint.ts';
import { FLAG, FRAME, RawHttp2Client, frame, headerBlock, requestFields, rst } from '../../support/raw-http2.ts';
import type { Frame } from '../../support/raw-http2.ts';

const PADDED = 8;
const PRIORITY = 32;
const PUSH_PROMISE = 5;

const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
};
const setting = (id: number, value: number): Buffer => frame(FRAME.SETTINGS, 0, 0, Buffer.concat([Buffer.from([0, id]), u32(value)]));
const windowUpdate = (stream: number, by: number): Buffer => frame(FRAME.WINDOW_UPDATE, 0, stream, u32(by));
const ping = (text = '12345678'): Buffer => frame(FRAME.PING, 0, 0, text);
const get = (stream: number, path = '/'): Buffer => frame(FRAME.HEADERS, FLAG.END_HEADERS | FLAG.END_STREAM, stream, headerBlock(requestFields('GET', path)));
const post = (stream: number, more: readonly (readonly [string, string])[] = []): Buffer => frame(FRAME.HEADERS, FLAG.END_HEADERS, stream, headerBlock(requestFields('POST', '/', 'a.test', more)));
const block = (fields: readonly (readonly [string, string])[]): Buffer => headerBlock(fields);

async function connect(t: ExecutionContext, answers: readonly AnswerWith[], options?: ForwardPlaneOptions): Promise<{ readonly plane: ForwardPlane; readonly client: RawHttp2Client }> {
  const plane = await forwardPlane(t, answers, options);
  const client = await RawHttp2Client.connect(plane.port);
  t.teardown(() => client.destroy());
  return { plane, client };
}

/** Both sides have acknowledged the SETTINGS of the other one. */
async function greeted(client: RawHttp2Client): Promise<void> {
  await client.until(({ type, flags }) => type === FRAME.SETTINGS && (flags & FLAG.ACK) !== 0);
  client.write(ping('greeting'));
  await client.until(({ type }) => type === FRAME.PING);
}

const isReset = (id: number) => ({ type, stream }: Frame): boolean => type === FRAME.RST_STREAM && stream === id;
const isEnd = (id: number) => ({ type, stream, flags }: Frame): boolean => stream === id && (type === FRAME.DATA || type === FRAME.HEADERS) && (flags & FLAG.END_STREAM) !== 0;
const isGoaway = ({ type }: Frame): boolean => type === FRAME.GOAWAY;

/** What became of the connection or of stream 1: the code of GOAWAY or of RST_STREAM, or that a PING behind it all was answered. */
async function outcome(client: RawHttp2Client): Promise<string> {
  const pong = ({ type, flags, payload }: Frame): boolean => type === FRAME.PING && (flags & FLAG.ACK) !== 0 && payload.toString() === 'the last';
  const seen = await client.until((each) => isGoaway(each) || isReset(1)(each) || pong(each), 3_000);
  if (isGoaway(seen)) return `GOAWAY ${codeName(seen.payload.readUInt32BE(4))}`;
  return seen.type === FRAME.RST_STREAM ? `RST_STREAM ${codeName(seen.payload.readUInt32BE(0))}` : 'goes on';
}

const CASES: readonly (readonly [what: string, expected: string, ...frames: Buffer[]])[] = [
  ['frames of stream 0', 'GOAWAY PROTOCOL_ERROR', frame(FRAME.DATA, 0, 0, 'x')],
  ['HEADERS of stream 0', 'GOAWAY PROTOCOL_ERROR', frame(FRAME.HEADERS, FLAG.END_HEADERS, 0, block(requestFields('GET', '/')))],
  ['RST_STREAM of stream 0', 'GOAWAY PROTOCOL_ERROR', rst(0, 8)],
  ['SETTINGS on a stream', 'GOAWAY PROTOCOL_ERROR', frame(FRAME.SETTINGS, 0, 1)],
  ['PING on a stream', 'GOAWAY PROTOCOL_ERROR', frame(FRAME.PING, 0, 1, '12345678')],
  ['GOAWAY on a stream', 'GOAWAY PROTOCOL_ERROR', frame(FRAME.GOAWAY, 0, 1, Buffer.alloc(8))],
  ['a stream of an even number', 'GOAWAY PROTOCOL_ERROR', get(2)],
  ['DATA of a stream that never was', 'GOAWAY PROTOCOL_ERROR', frame(FRAME.DATA, 0, 1, 'x')],
  ['RST_STREAM of a stream that never was', 'GOAWAY PROTOCOL_ERROR', rst(1, 8)],
  ['WINDOW_UPDATE of a stream that never was', 'GOAWAY PROTOCOL_ERROR', windowUpdate(1, 1)],
  ['PUSH_PROMISE of a client', 'GOAWAY PROTOCOL_ERROR', get(1), frame(PUSH_PROMISE, FLAG.END_HEADERS, 1, Buffer.concat([u32(2), block(requestFields('GET', '/'))]))],
  ['CONTINUATION of nothing', 'GOAWAY PROTOCOL_ERROR', frame(FRAME.CONTINUATION, FLAG.END_HEADERS, 1, block([['x', 'y']]))],
  ['a PING within a block of fields', 'GOAWAY PROTOCOL_ERROR', frame(FRAME.HEADERS, 0, 1, block(requestFields('GET', '/'))), ping()],
  ['CONTINUATION of another stream', 'GOAWAY PROTOCOL_ERROR', frame(FRAME.HEADERS, 0, 1, block(requestFields('GET', '/'))), frame(FRAME.CONTINUATION, FLAG.END_HEADERS, 3)],
  ['a PING of seven octets', 'GOAWAY FRAME_SIZE_ERROR', frame(FRAME.PING, 0, 0, '1234567')],
  ['SETTINGS of five octets', 'GOAWAY FRAME_SIZE_ERROR', frame(FRAME.SETTINGS, 0, 0, '12345')],
  ['an acknowledgement with settings', 'GOAWAY FRAME_SIZE_ERROR', frame(FRAME.SETTINGS, FLAG.ACK, 0, Buffer.alloc(6))],
  ['RST_STREAM of three octets', 'GOAWAY FRAME_SIZE_ERROR', get(1), frame(FRAME.RST_STREAM, 0, 1, '123')],
  ['WINDOW_UPDATE of three octets', 'GOAWAY FRAME_SIZE_ERROR', frame(FRAME.WINDOW_UPDATE, 0, 0, '123')],
  ['PRIORITY of four octets', 'GOAWAY FRAME_SIZE_ERROR', frame(FRAME.PRIORITY, 0, 1, '1234')],
  ['GOAWAY of seven octets', 'GOAWAY FRAME_SIZE_ERROR', frame(FRAME.GOAWAY, 0, 0, '1234567')],
  ['a frame larger than 16,384 octets', 'GOAWAY FRAME_SIZE_ERROR', post(1), frame(FRAME.DATA, 0, 1, Buffer.alloc(16_385))],
  ['padding as long as its frame', 'GOAWAY PROTOCOL_ERROR', post(1), frame(FRAME.DATA, PADDED, 1, Buffer.from([3, 0, 0]))],
  ['a padded head whose padding is too long', 'GOAWAY PROTOCOL_ERROR', frame(FRAME.HEADERS, FLAG.END_HEADERS | PADDED, 1, Buffer.from([9, 0x82]))],
  ['a block that is no HPACK', 'GOAWAY COMPRESSION_ERROR', frame(FRAME.HEADERS, FLAG.END_HEADERS | FLAG.END_STREAM, 1, Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff]))],
  ['an index without entry', 'GOAWAY COMPRESSION_ERROR', frame(FRAME.HEADERS, FLAG.END_HEADERS | FLAG.END_STREAM, 1, Buffer.from([0xff, 0x7f]))],
  ['a table larger than 4,096 octets', 'GOAWAY COMPRESSION_ERROR', frame(FRAME.HEADERS, FLAG.END_HEADERS | FLAG.END_STREAM, 1, Buffer.from([0x3f, 0xe2, 0x1f]))],
  ['ENABLE_PUSH of 2', 'GOAWAY PROTOCOL_ERROR', setting(2, 2)],
  ['INITIAL_WINDOW_SIZE of 2^31', 'GOAWAY FLOW_CONTROL_ERROR', setting(4, 2 ** 31)],
  ['MAX_FRAME_SIZE of 16,383', 'GOAWAY PROTOCOL_ERROR', setting(5, 16_383)],
  ['MAX_FRAME_SIZE of 2^24', 'GOAWAY PROTOCOL_ERROR', setting(5, 2 ** 24)],
  ['WINDOW_UPDATE of 0 on the connection', 'GOAWAY PROTOCOL_ERROR', windowUpdate(0, 0)],
  ['a window of the connection beyond 2^31 - 1', 'GOAWAY FLOW_CONTROL_ERROR', windowUpdate(0, 0x7fffffff)],
  ['WINDOW_UPDATE of 0 on a stream', 'RST_STREAM PROTOCOL_ERROR', post(1), windowUpdate(1, 0)],
  ['a window of a stream beyond 2^31 - 1', 'RST_STREAM FLOW_CONTROL_ERROR', post(1), windowUpdate(1, 0x7fffffff)],
  ['a window of a stream that SETTINGS raise beyond 2^31 - 1', 'GOAWAY FLOW_CONTROL_ERROR', post(1), windowUpdate(1, 0x7fffffff - 65_535), setting(4, 65_536)],
  ['DATA on a stream that the client has ended', 'RST_STREAM STREAM_CLOSED', frame(FRAME.HEADERS, FLAG.END_HEADERS | FLAG.END_STREAM, 1, block(requestFields('GET', '/silent'))), frame(FRAME.DATA, 0, 1, 'x')],
  ['HEADERS on a stream that the client has ended', 'RST_STREAM STREAM_CLOSED', get(1, '/silent'), get(1, '/silent')],
  ['trailers that do not end the stream', 'RST_STREAM PROTOCOL_ERROR', post(1), frame(FRAME.HEADERS, FLAG.END_HEADERS, 1, block([['x', 'y']]))],
  ['a body longer than its Content-Length', 'RST_STREAM PROTOCOL_ERROR', post(1, [['content-length', '3']]), frame(FRAME.DATA, 0, 1, 'abcd')],
  ['a body shorter than its Content-Length', 'RST_STREAM PROTOCOL_ERROR', post(1, [['content-length', '3']]), frame(FRAME.DATA, FLAG.END_STREAM, 1, 'ab')],
  ['a body shorter than its Content-Length before its trailers', 'RST_STREAM PROTOCOL_ERROR', post(1, [['content-length', '3']]), frame(FRAME.DATA, 0, 1, 'ab'), frame(FRAME.HEADERS, FLAG.END_HEADERS | FLAG.END_STREAM, 1, block([['x', 'y']]))],
  ['an upper-case name', 'RST_STREAM PROTOCOL_ERROR', frame(FRAME.HEADERS, FLAG.END_HEADERS | FLAG.END_STREAM, 1, block([...requestFields('GET', '/'), ['X', 'y']]))],
  ['a value that begins with a blank', 'RST_STREAM PROTOCOL_ERROR', frame(FRAME.HEADERS, FLAG.END_HEADERS | FLAG.END_STREAM, 1, block([...requestFields('GET', '/'), ['x', ' y']]))],
  ['a field of a connection', 'RST_STREAM PROTOCOL_ERROR', frame(FRAME.HEADERS, FLAG.END_HEADERS | FLAG.END_STREAM, 1, block([...requestFields('GET', '/'), ['connection', 'close']]))],
  ['a trailer of a connection', 'RST_STREAM PROTOCOL_ERROR', post(1), frame(FRAME.HEADERS, FLAG.END_HEADERS | FLAG.END_STREAM, 1, block([['connection', 'close']]))],
  ['PRIORITY of any stream, unknown frames, unknown settings, and acknowledgements that nobody asked for', 'goes on', frame(FRAME.PRIORITY, 0, 7, Buffer.alloc(5)), frame(0xbb, 0xff, 5, 'whatever'), setting(0xf0, 1), frame(FRAME.SETTINGS, FLAG.ACK, 0), frame(FRAME.PING, FLAG.ACK, 0, '12345678')],
  ['WINDOW_UPDATE and RST_STREAM of a stream that has ended', 'goes on', get(3), rst(3, 8), windowUpdate(3, 1), rst(3, 8)],
];

for (const [what, expected, ...frames] of CASES) {
  test(`${what}: ${expected}`, async (t) => {
    const { client } = await connect(t, [silent]);
    client.write(...frames, ping('the last'));
    t.is(await outcome(client), expected);
  });
}

for (const [way, protocol, requestBuffering] of [['held until it is complete', 'HTTP/1.1', true], ['sent on as it comes', 'HTTP/1.1', false], ['sent on over HTTP/2', 'HTTP/2', false]] as const) {
  test(`${way}: a body that breaks its own Content-Length is its client's fault in the log, and not a client that has left`, async (t) => {
    const app = protocol === 'HTTP/2' ? await rawHttp2Endpoint(() => {}) : await rawEndpoint(() => {});
    const plane = await startDataPlane(simpleTable([app.endpoint], { requestBuffering }, { protocol }));
    t.teardown(async () => {
      await plane.close();
      await app.close();
    });
    const client = await RawHttp2Client.connect(plane.port);
    t.teardown(() => client.destroy());
    const head = (id: number): Buffer => post(id, [['content-length', '3']]);
    client.write(head(1), frame(FRAME.DATA, 0, 1, 'abcd'), head(3), frame(FRAME.DATA, FLAG.END_STREAM, 3, 'ab'), head(5), frame(FRAME.DATA, 0, 5, 'a'), head(7), head(9), frame(FRAME.DATA, 0, 9, 'a'));
    await greeted(client);
    await new Promise((resolve) => setTimeout(resolve, 50));
    client.write(frame(FRAME.DATA, 0, 5, 'bcd'), frame(FRAME.DATA, FLAG.END_STREAM, 7, 'ab'), rst(9, CODE.CANCEL));
    for (let tries = 0; plane.log.length < 5 && tries < 300; tries++) await new Promise((resolve) => setTimeout(resolve, 10));
    t.deepEqual(plane.log.map(({ status, reason }) => `${status} ${reason}`), [...Array.from({ length: 4 }, () => '499 DownstreamProtocolError'), '499 DownstreamConnectionTermination']);
  });
}

test('a message with padding, priority and CONTINUATION in pieces of one octet, and one in whole, are the same request', async (t) => {
  const { client, plane } = await connect(t, [ok]);
  const fields = block([...requestFields('POST', '/pieces'), ['x-own', '1']]);
  const message = (stream: number): Buffer => {
    const head = Buffer.concat([Buffer.from([2]), u32(0), Buffer.from([7]), fields.subarray(0, 10), Buffer.alloc(2)]);
    return Buffer.concat([
      frame(FRAME.HEADERS, PADDED | PRIORITY, stream, head), frame(FRAME.CONTINUATION, 0, stream), frame(FRAME.CONTINUATION, 0, stream, fields.subarray(10, 20)), frame(FRAME.CONTINUATION, FLAG.END_HEADERS, stream, fields.subarray(20)),
      frame(FRAME.DATA, PADDED, stream, Buffer.concat([Buffer.from([4]), Buffer.from('ab'), Buffer.alloc(4)])), frame(FRAME.DATA, 0, stream), frame(FRAME.DATA, FLAG.END_STREAM | PADDED, stream, Buffer.concat([Buffer.from([0]), Buffer.from('c')])),
    ]);
  };
  client.write(message(1));
  await client.until(isEnd(1));
  for (const octet of message(3)) {
    client.write(Buffer.from([octet]));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await client.until(isEnd(3));
  t.deepEqual(plane.backends[0]?.requests().map(({ startLine, body }) => [startLine, body.toString()]), [['POST /pieces HTTP/1.1', 'abc'], ['POST /pieces HTTP/1.1', 'abc']]);
});

test('streams beyond the limit are refused; a client that cancels one and opens another in one packet keeps to it', async (t) => {
  const limits = { maxConcurrentStreams: 2 };
  const { client } = await connect(t, [silent], { limits });
  client.write(get(1), get(3), get(5));
  t.is((await client.until(isReset(5))).payload.readUInt32BE(0), CODE.REFUSED_STREAM);
  for (let id = 7; id < 200; id += 2) {
    client.write(rst(id === 7 ? 3 : id - 2, CODE.CANCEL), get(id));
    await client.until(({ type }) => type === FRAME.SETTINGS);
  }
  client.write(ping('the last'));
  t.is(await outcome(client), 'goes on');
  t.deepEqual(client.frames.filter(({ type }) => type === FRAME.RST_STREAM).map(({ stream }) => stream), [5]);
});

test('more DATA than the window of a stream: RST_STREAM FLOW_CONTROL_ERROR', async (t) => {
  const { client, plane } = await connect(t, [silent], { forward: { requestBuffering: false }, forwarding: { endpointRequests: 1, waitingRequests: 1 } });
  client.write(get(1));
  while (plane.counts()[0] === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  // It waits for the place, and nobody takes anything of its body meanwhile.
  client.write(post(3), ...Array.from({ length: 4 }, () => frame(FRAME.DATA, 0, 3, Buffer.alloc(16_384))));
  t.is((await client.until(isReset(3))).payload.readUInt32BE(0), CODE.FLOW_CONTROL_ERROR);
});

test('more DATA than the window of the connection: GOAWAY FLOW_CONTROL_ERROR', async (t) => {
  const { client } = await connect(t, [silent], { limits: { maxConcurrentStreams: 300 }, forwarding: { endpointRequests: 1, waitingRequests: 1_000 } });
  await greeted(client);
  const credit = client.frames.find(({ type, stream }) => type === FRAME.WINDOW_UPDATE && stream === 0)?.payload.readUInt32BE(0) ?? 0;
  const held = Array.from({ length: 5 }, (_, index) => Buffer.alloc(index < 4 ? 16_000 : 1_535));
  for (let id = 1, sent = 0; sent <= credit + 65_535; id += 2, sent += 65_535) client.write(post(id), ...held.map((data) => frame(FRAME.DATA, 0, id, data)));
  t.is((await client.until(isGoaway)).payload.readUInt32BE(4), CODE.FLOW_CONTROL_ERROR);
});

test('a head that is too large, or has too many fields, is 431, and the connection goes on', async (t) => {
  const { client, plane } = await connect(t, [ok], { limits: { headBytes: 8 * 1024 } });
  const large = block([...requestFields('GET', '/'), ['x', 'y'.repeat(9_000)]]);
  const many = block([...requestFields('GET', '/'), ...Array.from({ length: 129 }, () => ['x', 'y'] as const)]);
  const statusOf = (id: number): string => client.frames.find(({ type, stream }) => type === FRAME.HEADERS && stream === id)?.payload.toString('latin1', 2, 5) ?? '';
  client.write(frame(FRAME.HEADERS, FLAG.END_HEADERS | FLAG.END_STREAM, 1, large), frame(FRAME.HEADERS, FLAG.END_HEADERS, 3, many));
  await client.until(isEnd(1));
  await client.until(isEnd(3));
  t.deepEqual([statusOf(1), statusOf(3)], ['431', '431']);
  // The second one said that a body follows; it is told not to send it.
  t.is((await client.until(isReset(3))).payload.readUInt32BE(0), CODE.NO_ERROR);
  client.write(get(5));
  await client.until(isEnd(5));
  t.deepEqual(plane.log.map(({ status, reason }) => [status, reason]), [[431, 'RequestHeadersTooLarge'], [431, 'RequestHeadersTooLarge'], [200, '']]);
});

test('a block of fields that never ends costs the connection, by its size or by its time', async (t) => {
  const { client, plane } = await connect(t, [ok], { limits: { headTimeoutMs: 300 } });
  await greeted(client);
  client.write(frame(FRAME.HEADERS, FLAG.END_STREAM, 1, block(requestFields('GET', '/'))));
  t.is((await client.until(isGoaway)).payload.readUInt32BE(4), CODE.ENHANCE_YOUR_CALM);
  const other = await RawHttp2Client.connect(plane.port);
  await greeted(other);
  other.write(frame(FRAME.HEADERS, FLAG.END_STREAM, 1, block(requestFields('GET', '/'))), ...Array.from({ length: 200 }, () => frame(FRAME.CONTINUATION, 0, 1)));
  t.is((await other.until(isGoaway)).payload.readUInt32BE(4), CODE.ENHANCE_YOUR_CALM);
  other.destroy();
});

test('blocks of fields of which each is soon complete are no block that never ends, however they are cut', async (t) => {
  const { client } = await connect(t, [ok], { limits: { headTimeoutMs: 1_200 } });
  await greeted(client);
  const fields = block(requestFields('GET', '/'));
  let id = 1;
  client.write(frame(FRAME.HEADERS, FLAG.END_STREAM, id, fields));
  for (const until = performance.now() + 4_000; performance.now() < until; id += 2) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    client.write(frame(FRAME.CONTINUATION, FLAG.END_HEADERS, id), frame(FRAME.HEADERS, FLAG.END_STREAM, id + 2, fields));
  }
  client.write(frame(FRAME.CONTINUATION, FLAG.END_HEADERS, id), ping('the last'));
  t.is(await outcome(client), 'goes on');
});

test('who says nothing behind the connection is cut, and an idle connection is told that it ends', async (t) => {
  const plane = await forwardPlane(t, [ok], { limits: { headTimeoutMs: 300, keepAliveTimeoutMs: 600 } });
  const client = await RawHttp2Client.connect(plane.port);
  client.write(get(1));
  await client.until(isEnd(1));
  const goaway = await client.until(isGoaway);
  t.deepEqual([goaway.payload.readUInt32BE(0), goaway.payload.readUInt32BE(4)], [1, CODE.NO_ERROR]);
  for (const end = performance.now() + 5_000; !client.closed && performance.now() < end; await new Promise((resolve) => setTimeout(resolve, 10)));
  t.true(client.closed);
});

const FLOODS: readonly (readonly [what: string, each: (index: number) => Buffer])[] = [
  ['PING', () => ping()],
  ['SETTINGS', () => setting(3, 100)],
  ['acknowledgements', () => frame(FRAME.SETTINGS, FLAG.ACK, 0)],
  ['PRIORITY', (index) => frame(FRAME.PRIORITY, 0, index * 2 + 1, Buffer.alloc(5))],
  ['WINDOW_UPDATE', () => windowUpdate(0, 1)],
  ['empty DATA', () => frame(FRAME.DATA, 0, 1)],
  ['padding', () => frame(FRAME.DATA, PADDED, 1, Buffer.from([0]))],
  ['unknown frames', () => frame(0xbb, 0, 0, 'x')],
];

for (const [what, each] of FLOODS) {
  test(`a flood of ${what} ends the connection: ENHANCE_YOUR_CALM`, async (t) => {
    const { client } = await connect(t, [silent]);
    client.write(post(1), ...Array.from({ length: 4_000 }, (_, index) => each(index)));
    t.is((await client.until(isGoaway)).payload.readUInt32BE(4), CODE.ENHANCE_YOUR_CALM);
  });
}

test('a client that takes no body is answered by a head alone when the answer is our own, and its streams are free again', async (t) => {
  const { client } = await connect(t, []);
  client.write(setting(4, 0), ...Array.from({ length: 100 }, (_, index) => get(index * 2 + 1)), ...Array.from({ length: 100 }, (_, index) => get(index * 2 + 201)));
  await client.until(isEnd(399));
  const heads = client.frames.filter(({ type }) => type === FRAME.HEADERS);
  t.is(heads.length, 200);
  t.true(heads.every(({ flags, payload }) => (flags & FLAG.END_STREAM) !== 0 && payload.toString('latin1', 2, 5) === '503'));
});

test('an answer comes whole through a window that opens a little at a time, its streams in turns', async (t) => {
  const big = 'x'.repeat(100_000);
  const { client } = await connect(t, [(request) => answer(200, request.startLine.includes('/big') ? big : 'small')]);
  client.write(setting(4, 0), get(1, '/big'), get(3, '/small'));
  await client.until(({ type, stream }) => type === FRAME.HEADERS && stream === 3);
  client.write(windowUpdate(3, 10));
  await client.until(isEnd(3));
  t.false(client.frames.some(({ type, stream }) => type === FRAME.DATA && stream === 1));
  const got = (): number => client.frames.filter(({ type, stream }) => type === FRAME.DATA && stream === 1).reduce((sum, { payload }) => sum + payload.length, 0);
  for (let given = 0; given < big.length; given += 7_777) {
    client.write(windowUpdate(1, 7_777), windowUpdate(0, 7_777));
    await client.until(() => got() >= Math.min(big.length, given + 7_777));
    t.true(got() <= given + 7_777);
  }
  await client.until(isEnd(1));
  t.is(got(), big.length);
});

test('what a paused endpoint does not take is not given back to the client, and the window grows while it is taken', async (t) => {
  const bodies: number[] = [];
  const { client, plane } = await connect(t, [(request) => (bodies.push(request.body.length), answer(200, 'ok'))]);
  client.write(post(1));
  let credit = 65_535;
  let seen = 0;
  let sent = 0;
  while (sent < 1_000_000) {
    for (const { type, payload, stream } of client.frames.slice(seen)) if (type === FRAME.WINDOW_UPDATE && stream === 1) credit += payload.readUInt32BE(0);
    seen = client.frames.length;
    const most = Math.min(16_384, credit - sent, 1_000_000 - sent);
    if (most > 0) {
      sent += most;
      client.write(frame(FRAME.DATA, sent === 1_000_000 ? FLAG.END_STREAM : 0, 1, Buffer.alloc(most)));
    } else {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
  await client.until(isEnd(1));
  t.deepEqual(bodies, [1_000_000]);
  t.true(credit >= 1_000_000 && credit <= 1_000_000 + 256 * 1024);
  t.is(plane.log[0]?.status, 200);
});

test('when a worker drains, the client is told first, and what it had sent until then is answered', async (t) => {
  const sockets: (() => void)[] = [];
  const { client, plane } = await connect(t, [(_request, socket) => void sockets.push(() => socket.write(answer(200, 'late')))]);
  client.write(get(1));
  for (const end = performance.now() + 5_000; sockets.length < 1 && performance.now() < end; await new Promise((resolve) => setTimeout(resolve, 5)));
  const drained = plane.server.drain(5_000);
  t.is((await client.until(isGoaway)).payload.readUInt32BE(0), 2 ** 31 - 1);
  client.write(get(3));
  for (const end = performance.now() + 5_000; sockets.length < 2 && performance.now() < end; await new Promise((resolve) => setTimeout(resolve, 5)));
  await client.until((each) => isGoaway(each) && each.payload.readUInt32BE(0) === 3);
  client.write(get(5));
  t.is((await client.until(isReset(5))).payload.readUInt32BE(0), CODE.REFUSED_STREAM);
  for (const reply of sockets) reply();
  await client.until(isEnd(1));
  await client.until(isEnd(3));
  await drained;
});
