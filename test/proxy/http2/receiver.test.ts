// What a connection of HTTP/2 receives must not depend on the pieces that it comes in: any frames, well-formed or not, are the same
// events or the same violation, byte by byte or at once. And a partial frame takes little more room than what has come of it, and
// what was read goes round once its payloads have been given back.
import test from 'ava';
import fc from 'fast-check';
import { PREFACE } from '../../../proxy/http2/frames.ts';
import { FrameReader } from '../../../proxy/http2/reader.ts';
import { Http2Receiver, Http2Violation } from '../../../proxy/http2/receiver.ts';
import { giveBack, isLent, lendCopy } from '../../../proxy/net/read-blocks.ts';
import { FLAG, FRAME, frame, headerBlock, requestFields } from '../../support/raw-http2.ts';

const PADDED = 8;

/** All that a receiver says of these pieces. `stopping`: it is stopped at every event. */
function eventsOf(pieces: readonly Buffer[], preface: boolean, stopping = false): string[] {
  const events: string[] = [];
  const note = (...what: unknown[]): void => {
    events.push(JSON.stringify(what));
    if (stopping) receiver.stop();
  };
  const receiver = new Http2Receiver(
    {
      takeData: (stream, data, octets, end) => note('data', stream, data.toString('hex'), octets, end),
      takeFields: (stream, fields, tooLarge, end) => note('fields', stream, fields, tooLarge, end),
      takeReset: (stream, code) => note('reset', stream, code),
      takeSettings: (settings) => note('settings', settings),
      takePing: (payload) => note('ping', payload.toString('hex')),
      takePong: () => note('pong'),
      takeGoaway: (last, code) => note('goaway', last, code),
      takeWindow: (stream, octets) => note('window', stream, octets),
      takeNothing: (type) => note('nothing', type),
    },
    { headBytes: 4_096, fields: 50, blockBytes: 16_384, preface },
  );
  try {
    for (const piece of pieces) {
      for (let rest: Buffer | undefined = piece; rest !== undefined; ) {
        const before = events.length;
        rest = receiver.push(rest);
        if (stopping && events.slice(before + 1).some((event) => event.startsWith('["fields"'))) events.push('a head was taken behind it');
      }
    }
  } catch (error) {
    if (!(error instanceof Http2Violation)) throw error;
    note('violation', error.code, error.message);
  }
  return events;
}

/** The same bytes in pieces, each in memory of its own. */
function* cut(bytes: Buffer, sizes: readonly number[]): Iterable<Buffer> {
  for (let at = 0, nth = 0; at < bytes.length; nth++) {
    const size = sizes[nth % sizes.length] as number;
    yield Buffer.from(bytes.subarray(at, at + size));
    at += size;
  }
}

const anyFrame = fc.oneof(
  fc.record({ type: fc.constantFrom(...Object.values(FRAME), 5, 0xbb), flags: fc.integer({ min: 0, max: 255 }), stream: fc.integer({ min: 0, max: 9 }), payload: fc.uint8Array({ maxLength: 40 }) }).map(({ type, flags, stream, payload }) => frame(type, flags, stream, Buffer.from(payload))),
  fc.integer({ min: 0, max: 4 }).map((nth) => frame(FRAME.HEADERS, FLAG.END_HEADERS, nth * 2 + 1, headerBlock(requestFields('GET', '/')))),
  fc.tuple(fc.integer({ min: 0, max: 4 }), fc.integer({ min: 0, max: 60 })).map(([nth, at]) => {
    const block = headerBlock(requestFields('POST', '/in/two/frames'));
    const stream = nth * 2 + 1;
    return Buffer.concat([frame(FRAME.HEADERS, FLAG.END_STREAM, stream, block.subarray(0, at)), frame(FRAME.CONTINUATION, FLAG.END_HEADERS, stream, block.subarray(at))]);
  }),
  fc.uint8Array({ maxLength: 300 }).map((data) => frame(FRAME.DATA, 0, 1, Buffer.from(data))),
);

test('frames in any pieces are the same events', (t) => {
  let violations = 0;
  let whole = 0;
  fc.assert(
    fc.property(fc.array(anyFrame, { maxLength: 12 }), fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 8 }), fc.boolean(), (frames, sizes, preface) => {
      const bytes = Buffer.concat([...(preface ? [PREFACE] : []), frame(FRAME.SETTINGS, 0, 0), ...frames]);
      const atOnce = eventsOf([bytes], preface);
      t.deepEqual(eventsOf([...cut(bytes, sizes)], preface), atOnce);
      t.deepEqual(eventsOf([bytes], preface, true), atOnce, 'stopped at each of them');
      t.deepEqual(eventsOf([...cut(bytes, sizes)], preface, true), atOnce);
      if (atOnce.at(-1)?.startsWith('["violation"') === true) violations++;
      else whole++;
    }),
    { numRuns: 1_000 },
  );
  t.true(violations > 50 && whole > 50, `${violations} of them violations, ${whole} not`);
});

test('another preface is a violation at its first wrong octet', (t) => {
  for (const at of [0, 3, 23]) {
    const bytes = Buffer.from(PREFACE);
    bytes[at] = 0x58;
    t.deepEqual(eventsOf([bytes.subarray(0, at)], true), []);
    t.regex(eventsOf([...cut(bytes.subarray(0, at + 1), [1])], true).join(''), /violation/);
  }
});

test('a frame that is announced and does not come takes no room', (t) => {
  const head = frame(FRAME.DATA, 0, 1, Buffer.alloc(16_384)).subarray(0, 12);
  const before = process.memoryUsage().arrayBuffers;
  const readers = Array.from({ length: 2_000 }, () => new FrameReader(() => undefined));
  for (const reader of readers) t.is(reader.push(head), head.length);
  const grown = process.memoryUsage().arrayBuffers - before;
  t.true(grown < 2_000 * 256, `${grown} octets for ${readers.length} partial frames`);
});

test('what was read comes back with the last payload that was given back, however frames lie in it', (t) => {
  const frames = Buffer.concat([
    frame(FRAME.SETTINGS, 0, 0),
    frame(FRAME.HEADERS, FLAG.END_HEADERS, 1, headerBlock(requestFields('POST', '/'))),
    frame(FRAME.DATA, 0, 1, Buffer.alloc(9_000, 'a')),
    frame(FRAME.PING, 0, 0, Buffer.alloc(8)),
    frame(FRAME.DATA, PADDED, 1, Buffer.concat([Buffer.from([5]), Buffer.alloc(3_000, 'b'), Buffer.alloc(5)])),
    frame(FRAME.DATA, 0, 1, Buffer.alloc(16_384, 'c')),
    frame(0x42, 0, 0, Buffer.alloc(700)),
    frame(FRAME.DATA, FLAG.END_STREAM, 1, Buffer.alloc(12_000, 'd')),
  ]);
  for (const size of [20_480, 15_000, 9_001, 300]) {
    const payloads: Buffer[] = [];
    const nothing = (): void => undefined;
    const receiver = new Http2Receiver(
      { takeData: (_stream, data) => void payloads.push(data), takeFields: nothing, takeReset: nothing, takeSettings: nothing, takePing: nothing, takePong: nothing, takeGoaway: nothing, takeWindow: nothing, takeNothing: nothing },
      { headBytes: 4_096, fields: 50, blockBytes: 16_384, preface: true },
    );
    const reads = Array.from(cut(Buffer.concat([PREFACE, frames]), [size]), (piece) => lendCopy(piece, piece.length));
    for (const read of reads) receiver.push(read);
    t.true(Buffer.concat(payloads).toString() === `${'a'.repeat(9_000)}${'b'.repeat(3_000)}${'c'.repeat(16_384)}${'d'.repeat(12_000)}`);
    t.true(payloads.every(isLent));
    payloads.forEach(giveBack);
    t.deepEqual([...reads, ...payloads].filter(isLent), [], `reads of ${size} octets`);
  }
});
