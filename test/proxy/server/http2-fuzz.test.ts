// Frames at random, in random pieces, at a real data plane: no sequence ends the process, holds a stream for good, or makes a
// message complete that its client did not complete. Endpoints see only requests that were sent whole.
import { setTimeout as pause } from 'node:timers/promises';
import test from 'ava';
import { answer, forwardPlane } from '../../support/forward-plane.ts';
import { sequence } from '../../support/load-site.ts';
import { FLAG, FRAME, RawHttp2Client, frame, headerBlock, requestFields } from '../../support/raw-http2.ts';

const CONNECTIONS = Number(process.env['HTTP2_FUZZ'] ?? 150);
const PATHS = ['/', '/big', '/slow'];

/** Frames of one connection. What is an upload says how long it is, so that a part of it can be told from the whole. */
function framesOf(random: (below: number) => number): Buffer[] {
  const frames: Buffer[] = [];
  let next = 1;
  /** Seldom one that never was, which ends the connection. */
  const some = (): number => (random(40) === 0 ? random(next + 3) : Math.max(1, next - 2 - 2 * random(4)));
  for (let count = 5 + random(60); count > 0; count--) {
    switch (random(12)) {
      case 0:
      case 1:
      case 2:
        frames.push(frame(FRAME.HEADERS, FLAG.END_HEADERS | FLAG.END_STREAM, next, headerBlock(requestFields('GET', PATHS[random(3)] as string))));
        next += 2;
        break;
      case 3:
        frames.push(frame(FRAME.HEADERS, FLAG.END_HEADERS, next, headerBlock(requestFields('POST', PATHS[random(3)] as string, 'a.test', [['content-length', '2000']]))));
        for (let part = random(4); part > 0; part--) frames.push(frame(FRAME.DATA, part === 1 ? random(2) : 0, next, 'x'.repeat([500, 1_000, 2_000][random(3)] as number)));
        next += 2;
        break;
      case 4:
        frames.push(frame(FRAME.RST_STREAM, 0, some(), Buffer.from([0, 0, 0, random(14)])));
        break;
      case 5:
        frames.push(frame(FRAME.WINDOW_UPDATE, 0, random(3) === 0 ? 0 : some(), Buffer.from([0, 0, random(255), random(255)])));
        break;
      case 6:
        frames.push(frame(FRAME.SETTINGS, 0, 0, Buffer.from([0, 4, 0, 0, random(4) * 60, random(256)])));
        break;
      case 7:
        frames.push(frame(FRAME.PING, 0, 0, '12345678'));
        break;
      case 8:
        frames.push(frame(FRAME.DATA, random(2), some(), 'y'.repeat(random(3_000))));
        break;
      case 9:
        frames.push(frame(FRAME.PRIORITY, 0, some() | 1, Buffer.alloc(5)));
        break;
      case 10:
        if (random(6) === 0) frames.push(frame(FRAME.GOAWAY, 0, 0, Buffer.alloc(8)));
        break;
      default:
        if (random(20) === 0) frames.push(frame(random(12), random(256), some(), Buffer.from(Array.from({ length: random(30) }, () => random(256)))));
    }
  }
  return frames;
}

test('no sequence of frames harms anybody, and what reaches an endpoint was sent whole', async (t) => {
  const big = 'z'.repeat(200_000);
  const plane = await forwardPlane(t, [({ startLine }, socket) => {
    if (!startLine.includes('/slow')) return answer(200, startLine.includes('/big') ? big : 'ok');
    setTimeout(() => socket.write(answer(200, 'late')), 20);
    return undefined;
  }]);
  const random = sequence(9113);
  for (let nth = 0; nth < CONNECTIONS; nth++) {
    const client = await RawHttp2Client.connect(plane.port);
    const bytes = Buffer.concat(framesOf(random));
    for (let at = 0; at < bytes.length && !client.closed; ) {
      const size = 1 + random(random(3) === 0 ? 20 : 4_000);
      client.write(bytes.subarray(at, at + size));
      at += size;
      if (random(3) === 0) await pause(random(3));
    }
    await pause(random(40));
    client.destroy();
  }
  const wrong = plane.backends.flatMap((backend) => backend.requests()).filter(({ startLine, body }) => body.length !== (startLine.startsWith('POST') ? 2_000 : 0));
  t.deepEqual(wrong.map(({ startLine, body }) => [startLine, body.length]), []);
  const client = await RawHttp2Client.connect(plane.port);
  client.write(frame(FRAME.HEADERS, FLAG.END_HEADERS | FLAG.END_STREAM, 1, headerBlock(requestFields('GET', '/'))));
  await client.until(({ type, flags }) => type === FRAME.DATA && (flags & FLAG.END_STREAM) !== 0);
  client.destroy();
  for (const end = performance.now() + 5_000; plane.server.deadlines.size > 5 && performance.now() < end; await pause(20));
  t.true(plane.server.deadlines.size <= 5, `${plane.server.deadlines.size} deadlines are left behind`);
  const statuses = new Map<number, number>();
  for (const { status } of plane.log) statuses.set(status, (statuses.get(status) ?? 0) + 1);
  t.log(Object.fromEntries(statuses));
  t.true((statuses.get(200) ?? 0) > CONNECTIONS / 4, 'connections came to answers');
});
