// HPACK: the examples of RFC 7541, another implementation (nghttp2, in node:http2), and everything that is no block.
import { once } from 'node:events';
import http2 from 'node:http2';
import net from 'node:net';
import test from 'ava';
import fc from 'fast-check';
import { HpackDecoder, HpackError } from '../../../proxy/http2/hpack.ts';
import { NO_TABLE, encodeFields } from '../../../proxy/http2/hpack-encoder.ts';
import { FRAME, FLAG } from '../../../proxy/http2/frames.ts';
import { FrameReader } from '../../../proxy/http2/reader.ts';
import { decodeHuffman } from '../../../proxy/http2/huffman.ts';

const decoder = (maxBytes = 100_000, maxFields = 1_000): HpackDecoder => new HpackDecoder(maxBytes, maxFields);
const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

test('the requests of RFC 7541 C.3 and C.4, one connection each', (t) => {
  const wanted = [
    [':method', 'GET', ':scheme', 'http', ':path', '/', ':authority', 'www.example.com'],
    [':method', 'GET', ':scheme', 'http', ':path', '/', ':authority', 'www.example.com', 'cache-control', 'no-cache'],
    [':method', 'GET', ':scheme', 'https', ':path', '/index.html', ':authority', 'www.example.com', 'custom-key', 'custom-value'],
  ];
  const plain = ['828684410f7777772e6578616d706c652e636f6d', '828684be58086e6f2d6361636865', '828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565'];
  const coded = ['828684418cf1e3c2e5f23a6ba0ab90f4ff', '828684be5886a8eb10649cbf', '828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf'];
  for (const blocks of [plain, coded]) {
    const one = decoder();
    t.deepEqual(blocks.map((block) => one.decode(hex(block))), wanted);
  }
});

test('the responses of RFC 7541 C.6, with a small table that evicts', (t) => {
  const one = decoder();
  // The examples have a table of 256 octets.
  t.deepEqual(one.decode(hex('3fe101 4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3')), [
    ':status', '302', 'cache-control', 'private', 'date', 'Mon, 21 Oct 2013 20:13:21 GMT', 'location', 'https://www.example.com',
  ]);
  t.deepEqual(one.decode(hex('4883 640e ffc1 c0bf')), [':status', '307', 'cache-control', 'private', 'date', 'Mon, 21 Oct 2013 20:13:21 GMT', 'location', 'https://www.example.com']);
  t.deepEqual(one.decode(hex('88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07')), [
    ':status', '200', 'cache-control', 'private', 'date', 'Mon, 21 Oct 2013 20:13:22 GMT', 'location', 'https://www.example.com',
    'content-encoding', 'gzip', 'set-cookie', 'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1',
  ]);
});

const value = fc.string({ unit: fc.integer({ min: 0x20, max: 0xff }).map((code) => String.fromCharCode(code)), maxLength: 300 });
const name = fc.string({ unit: fc.constantFrom(...'abcdefghijklmnopqrstuvwxyz0123456789-'), minLength: 1, maxLength: 40 });
const field = fc.oneof(fc.tuple(name, value), fc.constantFrom<[string, string]>([':method', 'GET'], [':path', '/'], [':path', '/x'], ['cookie', 'a=b'], ['content-type', 'text/plain'], [':status', '200']));

test('what is encoded is decoded to the same', (t) => {
  fc.assert(fc.property(fc.array(field, { maxLength: 20 }), (fields) => {
    const list = fields.flat();
    t.deepEqual(decoder().decode(encodeFields(list)), list);
  }), { numRuns: 300 });
});

test('secrets are marked never to be put into a table, and nothing else asks for one', (t) => {
  t.is(encodeFields(['authorization', 'x'])[0]! & 0xf0, 0x10);
  t.is(encodeFields(['cookie', 'x'])[0]! & 0xf0, 0x10);
  t.is(encodeFields(['x-a', 'x'])[0], 0x00);
});

test('what nghttp2 encodes is decoded, tables and Huffman code included', async (t) => {
  const values = Array.from({ length: 300 }, (_, nth) => Array.from({ length: (nth * 7) % 60 }, (_each, at) => {
    const code = 0x21 + ((nth * 31 + at * 17) % 0xde);
    return String.fromCharCode(code >= 0x7f && code < 0xa1 ? 0x41 : code);
  }).join(''));
  const seen: string[] = [];
  const server = net.createServer((socket) => {
    const one = decoder();
    let greeting = 24;
    const reader = new FrameReader((type, flags, _stream, payload) => {
      if (type === FRAME.HEADERS) seen.push(...one.decode(payload.subarray((flags & FLAG.PRIORITY) === 0 ? 0 : 5)).filter((_text, at, all) => all[at - 1] === 'x-value'));
    });
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      const skipped = Math.min(greeting, chunk.length);
      greeting -= skipped;
      reader.push(chunk.subarray(skipped));
    });
    socket.write(Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = http2.connect(`http://127.0.0.1:${(server.address() as net.AddressInfo).port}`);
  client.on('error', () => {});
  for (const text of values) client.request({ ':path': '/', 'x-value': text, 'x-same': 'always' }).on('error', () => {});
  const deadline = performance.now() + 5_000;
  while (seen.length < 100 && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 5));
  client.destroy();
  server.close();
  t.true(seen.length >= 100, `${seen.length} heads`);
  t.deepEqual(seen, values.slice(0, seen.length));
});

test('what is encoded is decoded by nghttp2', async (t) => {
  const fields = ['x-a', 'caf\xe9', 'X-B', 'v'.repeat(5_000), 'x-empty', '', 'cookie', 'a=b', 'accept', '*/*'];
  const server = http2.createServer();
  const heard = new Promise<string[]>((resolve) => server.on('stream', (_stream, _headers, _flags, raw) => resolve(raw)));
  server.on('session', (session) => session.on('error', () => {}));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
  const block = Buffer.concat([NO_TABLE, encodeFields([':method', 'GET', ':scheme', 'http', ':authority', 'a', ':path', '/', ...fields])]);
  const head = Buffer.alloc(9);
  head.writeUIntBE(block.length, 0, 3);
  head.set([1, 5, 0, 0, 0, 1], 3);
  socket.write(Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1'), Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]), head, block]));
  t.deepEqual((await heard).slice(8), fields.map((text, at) => (at % 2 === 0 ? text.toLowerCase() : text)));
  socket.destroy();
  server.close();
});

test('blocks that are none are refused', (t) => {
  const wrong: [string, string][] = [
    ['index 0', '80'],
    ['an index beyond the tables', 'be'],
    ['a name beyond the tables', '7f00 0161'],
    ['an integer without end', 'ff ff ff ff ff ff ff'],
    ['an integer that stops', 'ff'],
    ['a string beyond the block', '00 05 61'],
    ['a value that is missing', '00 01 61'],
    ['a name that is missing', '00'],
    ['Huffman: EOS', '00 84 ff ff ff ff 01 61'],
    ['Huffman: padding of more than seven bits', '00 82 07 ff 01 61'],
    ['Huffman: padding that is not ones', '00 81 00 01 61'],
    ['a table larger than was allowed', '3f e2 1f'],
    ['a table size behind a field', '82 20'],
  ];
  for (const [title, block] of wrong) t.throws(() => decoder().decode(hex(block)), { instanceOf: HpackError }, title);
});

test('no block makes the decoder fail in any other way', (t) => {
  fc.assert(fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 4 }), (blocks) => {
    const one = decoder();
    try {
      for (const block of blocks) one.decode(Buffer.from(block));
    } catch (error) {
      if (!(error instanceof HpackError)) throw error;
    }
    return true;
  }), { numRuns: 3_000 });
  t.pass();
});

test('any octets in the Huffman code are decoded or refused', (t) => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
    const text = decodeHuffman(Buffer.from(bytes), 0, bytes.length);
    return text === undefined || text.length * 5 <= bytes.length * 8;
  }), { numRuns: 3_000 });
  t.pass();
});

test('a list of fields that is too large or has too many is cut and said to be so, and the table goes on', (t) => {
  const one = decoder(1_000, 10);
  t.is(one.decode(Buffer.concat([hex('40 01 61 01 62'), encodeFields(Array.from({ length: 40 }, (_, at) => `n${at}`))])).length, 20);
  t.true(one.tooLarge);
  t.deepEqual(one.decode(hex('be')), ['a', 'b']);
  t.false(one.tooLarge);
  t.deepEqual(one.decode(encodeFields(['a', 'x'.repeat(1_000)])), []);
  t.true(one.tooLarge);
  // One octet each that stands for a field of the table: much ado, and nothing is kept of it.
  const bomb = Buffer.concat([encodeFields([]), hex('40 01 61'), hex('7f 81 07'), Buffer.alloc(1_024, 'x'), Buffer.alloc(50_000, 0xbe)]);
  t.true(decoder(100_000, 256).decode(bomb).length <= 512);
});

test('frames are the same, in whatever pieces they come', (t) => {
  const frame = fc.record({ type: fc.integer({ min: 0, max: 20 }), flags: fc.integer({ min: 0, max: 255 }), stream: fc.integer({ min: 0, max: 2 ** 31 - 1 }), payload: fc.uint8Array({ maxLength: 50 }) });
  fc.assert(fc.property(fc.array(frame, { maxLength: 8 }), fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 60 }), (frames, cuts) => {
    const bytes = Buffer.concat(frames.map(({ type, flags, stream, payload }) => {
      const head = Buffer.alloc(9);
      head.writeUIntBE(payload.length, 0, 3);
      head[3] = type;
      head[4] = flags;
      head.writeUInt32BE(stream, 5);
      return Buffer.concat([head, payload]);
    }));
    const seen: typeof frames = [];
    const reader = new FrameReader((type, flags, stream, payload) => seen.push({ type, flags, stream, payload: Uint8Array.from(payload) }));
    for (let at = 0, nth = 0; at < bytes.length; nth++) {
      const end = at + (cuts[nth % cuts.length] as number);
      t.is(reader.push(bytes.subarray(at, end)), Math.min(end, bytes.length) - at);
      at = end;
    }
    t.deepEqual(seen, frames);
  }), { numRuns: 200 });
});

test('a frame of more than 16 KiB is refused before it is read', (t) => {
  for (const pieces of [[hex('004001 0000 00000001')], [hex('0040'), hex('01 0000 00000001')]]) {
    const reader = new FrameReader(() => t.fail());
    t.deepEqual(pieces.map((piece) => reader.push(piece)), pieces.map(({ length }, at) => (at < pieces.length - 1 ? length : -1)));
  }
});
