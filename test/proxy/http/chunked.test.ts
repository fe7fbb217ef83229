// What the chunked coding costs and gives behind its last chunk; what it refuses is in the corpus (test/conformance).
import test from 'ava';
import { ChunkedDecoder } from '../../../proxy/http/chunked.ts';
import type { RawHeaders } from '../../../proxy/http/exchange.ts';

/** The trailers of a body that comes in pieces of this size, and how many octets were taken. */
function trailersOf(bytes: Buffer, size: number): { readonly trailers: RawHeaders | undefined; readonly taken: number } {
  const decoder = new ChunkedDecoder(bytes.length, 128);
  let taken = 0;
  for (let at = 0; at < bytes.length && decoder.trailers === undefined; at += size) taken += decoder.push(bytes.subarray(at, at + size), 0, () => undefined);
  return { trailers: decoder.trailers, taken };
}

test('trailers end with their empty line, in whatever pieces they come', (t) => {
  for (const [trailers, list] of [['', []], ['a: b\r\n', ['a', 'b']], ['a:\r\nb: \xe9\r\n', ['a', '', 'b', '\xe9']]] as const) {
    const body = `2\r\nhi\r\n0\r\n${trailers}\r\n`;
    for (let size = 1; size <= body.length + 4; size++) {
      t.deepEqual(trailersOf(Buffer.from(`${body}next`, 'latin1'), size).trailers, [...list]);
    }
    t.is(trailersOf(Buffer.from(`${body}next`, 'latin1'), 100).taken, body.length);
  }
});

test('reading trailers costs as much as they are long, and not its square', (t) => {
  const value = 'x'.repeat(2 * 1024 * 1024);
  const bytes = Buffer.from(`0\r\na: ${value}\r\n\r\n`, 'latin1');
  t.deepEqual(trailersOf(bytes, bytes.length).trailers, ['a', value]);
  t.deepEqual(trailersOf(bytes, 1000).trailers, ['a', value]);
});
