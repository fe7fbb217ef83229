// Blocks of memory that go round must never have two owners: one comes back only when all that was made of it has been given back.
import { setTimeout as pause } from 'node:timers/promises';
import test from 'ava';
import { giveBack, isLent, lend, lendCopy, putBack, takeBlock } from '../../../proxy/net/read-blocks.ts';

test('a block goes round when the last of its octets was given back, in whatever pieces and order', (t) => {
  const block = takeBlock();
  const bytes = lend(block, 10_000);
  const [a, b, c] = [bytes.subarray(0, 10), bytes.subarray(10, 9_000), bytes.subarray(9_000)];
  giveBack(b);
  giveBack(c);
  t.true(isLent(a));
  t.not(takeBlock().buffer, block.buffer);
  giveBack(a);
  t.false(isLent(bytes));
  t.is(takeBlock().buffer, block.buffer);
});

test('a block of which more was given back than was lent is never used again', (t) => {
  const block = takeBlock();
  const bytes = lend(block, 100);
  giveBack(bytes.subarray(0, 60));
  giveBack(bytes.subarray(0, 60));
  t.false(isLent(bytes));
  for (let nth = 0; nth < 100; nth++) t.not(takeBlock().buffer, block.buffer);
});

test('what was not lent may be given back, and nothing comes of it', (t) => {
  const bytes = Buffer.alloc(20 * 1024);
  giveBack(bytes);
  giveBack(Buffer.from('from a slab'));
  for (let nth = 0; nth < 10; nth++) t.not(takeBlock().buffer, bytes.buffer);
});

test('a copy is as it was, in a block that is hardly larger', (t) => {
  for (const octets of [1, 9, 300, 4_096, 4_097, 16_000, 20_480, 100_000]) {
    const bytes = Buffer.alloc(octets + 5, octets);
    const copy = lendCopy(bytes, octets);
    bytes.fill(0);
    t.deepEqual(copy, Buffer.alloc(octets, octets));
    t.true(copy.buffer.byteLength <= Math.max(256, 4 * octets));
    giveBack(copy);
  }
});

test('blocks that nobody needs any longer are let go', async (t) => {
  const blocks = new Set(Array.from({ length: 64 }, () => takeBlock()));
  for (const block of blocks) putBack(block);
  await pause(4_500);
  let again = 0;
  for (let nth = 0; nth < 64; nth++) if (blocks.has(takeBlock())) again++;
  t.true(again < 16, `${again} of 64 are still there`);
});
