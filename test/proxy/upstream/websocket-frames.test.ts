// Frame boundaries, against frames made from the words of RFC 6455 §5.2.
import test from 'ava';
import fc from 'fast-check';
import { FrameBoundary, closeFrame } from '../../../proxy/upstream/websocket-frames.ts';

test('an end of frame is found in whatever pieces the bytes arrive', (t) => {
  const frame = fc.record({ length: fc.constantFrom(0, 1, 125, 126, 127, 65_535, 65_536, 70_000), mask: fc.boolean() });
  fc.assert(
    fc.property(fc.array(frame, { minLength: 1, maxLength: 4 }), fc.array(fc.integer({ min: 1, max: 40_000 }), { minLength: 1, maxLength: 20 }), (frames, cuts) => {
      const ends = new Set<number>([0]);
      const parts: Buffer[] = [];
      let total = 0;
      for (const { length, mask } of frames) {
        const made = binaryFrame(length, mask);
        parts.push(made);
        total += made.length;
        ends.add(total);
      }
      const all = Buffer.concat(parts);
      const boundary = new FrameBoundary();
      let at = 0;
      for (let nth = 0; at < all.length; nth++) {
        const size = cuts[nth % cuts.length] ?? 1;
        boundary.push(all.subarray(at, at + size));
        at = Math.min(all.length, at + size);
        if (boundary.reached !== ends.has(at)) return false;
      }
      return boundary.reached;
    }),
    { numRuns: 100 },
  );
  t.pass();
});

test('a close frame carries its code, masked towards endpoints only', (t) => {
  t.deepEqual([...closeFrame(1001, false)], [0x88, 2, 0x03, 0xe9]);
  const masked = closeFrame(1001, true);
  t.deepEqual([...masked.subarray(0, 2)], [0x88, 0x82]);
  const mask = masked.subarray(2, 6);
  t.deepEqual([...masked.subarray(6)].map((byte, at) => byte ^ (mask[at] ?? 0)), [0x03, 0xe9]);
  t.notDeepEqual(closeFrame(1001, true).subarray(2, 6), mask);
});

/** "If 0-125, that is the payload length. If 126, the following 2 bytes […] If 127, the following 8 bytes". */
function binaryFrame(length: number, mask: boolean): Buffer {
  const extended = length > 65_535 ? 8 : length > 125 ? 2 : 0;
  const header = Buffer.alloc(2 + extended);
  header[0] = 0x82;
  header[1] = (mask ? 0x80 : 0) | (extended === 8 ? 127 : extended === 2 ? 126 : length);
  if (extended === 8) header.writeBigUInt64BE(BigInt(length), 2);
  if (extended === 2) header.writeUInt16BE(length, 2);
  return Buffer.concat([header, Buffer.alloc(mask ? 4 : 0, 7), Buffer.alloc(length, 0x88)]);
}
