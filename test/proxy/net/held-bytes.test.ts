// Pieces of a body that wait, put together where they are small.
import test from 'ava';
import { HeldBytes } from '../../../proxy/net/held-bytes.ts';

test('octets that come one by one are held in few pieces, in order', (t) => {
  const held = new HeldBytes();
  const bytes = Buffer.from(Array.from({ length: 65_000 }, (_, index) => (index * 7) % 251));
  for (let at = 0; at < bytes.length; at++) held.push(bytes.subarray(at, at + 1));
  t.is(held.length, bytes.length);
  const pieces = held.splice();
  t.true(pieces.length <= 10, `${pieces.length} pieces`);
  t.true(pieces.reduce((sum, { buffer }) => sum + buffer.byteLength, 0) < bytes.length * 1.5);
  t.deepEqual(Buffer.concat(pieces), bytes);
  t.is(held.length, 0);
});

test('pieces of all sizes come out as one stream, whenever they are taken', (t) => {
  const held = new HeldBytes();
  const sizes = [1, 0, 1023, 1024, 5, 8_000, 700, 700, 700, 700, 700, 700, 700, 700, 700, 700, 700, 700, 3, 20_000, 1];
  const sent: Buffer[] = [];
  const got: Buffer[] = [];
  sizes.forEach((size, index) => {
    const piece = Buffer.alloc(size, index);
    sent.push(Buffer.from(piece));
    held.push(piece);
    // What was small is a copy; the piece is its owner's again.
    if (size > 0 && size < 1024) piece.fill(0xff);
    if (index % 5 === 4) got.push(held.shift() as Buffer);
  });
  for (let piece = held.shift(); piece !== undefined; piece = held.shift()) got.push(piece);
  t.deepEqual(Buffer.concat(got), Buffer.concat(sent));
  t.is(held.length, 0);
  t.is(held.shift(), undefined);
});
