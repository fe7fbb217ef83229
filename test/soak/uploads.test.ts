// Number 26b of the list in test/soak/README.md: clients that leave an upload unfinished, in eight ways over HTTP/1.1 and nine
// over HTTP/2, at moments that race with its way to the endpoint. What the endpoint sees complete is what was completed:
// every tenth upload is, so that the test would notice if nothing arrived at all.
import { setTimeout as pause } from 'node:timers/promises';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { FULL, sequence } from '../support/load-site.ts';
import { ok, forwardPlane } from '../support/forward-plane.ts';
import type { ForwardPlane } from '../support/forward-plane.ts';
import { RawClient } from '../support/raw-client.ts';
import { FLAG, FRAME, RawHttp2Client, frame, headerBlock, requestFields, rst } from '../support/raw-http2.ts';

const RUNS = FULL ? 10_000 : 400;
const AT_ONCE = 16;

type Random = (below: number) => number;

/** A moment: in the same turn, in the next one, some milliseconds later, or when the endpoint has long begun to read. */
async function moment(random: Random): Promise<void> {
  const which = random(4);
  if (which === 1) await new Promise((resolve) => setImmediate(resolve));
  else if (which > 1) await pause(random(which === 2 ? 6 : 40));
}

const length = (path: string): string => `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n`;
const chunked = (path: string): string => `POST ${path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n`;
const HALF = 'x'.repeat(50);

type Shape1 = (client: RawClient, path: string, random: Random) => Promise<void>;

const HTTP1: Readonly<Record<string, Shape1>> = {
  'reset before the first byte': async ({ socket }, path, random) => {
    socket.write(random(2) === 0 ? length(path) : chunked(path));
    await moment(random);
    socket.resetAndDestroy();
  },
  'reset after some bytes': async ({ socket }, path, random) => {
    socket.write(random(2) === 0 ? length(path) + HALF : `${chunked(path)}32\r\n${HALF}\r\n`);
    await moment(random);
    socket.resetAndDestroy();
  },
  'end short of the length': async ({ socket }, path, random) => {
    socket.write(length(path));
    await moment(random);
    socket.end(HALF);
  },
  'end inside a chunk': async ({ socket }, path, random) => {
    socket.write(`${chunked(path)}64\r\n`);
    await moment(random);
    socket.end(HALF);
  },
  'end before the last chunk': async ({ socket }, path, random) => {
    socket.write(`${chunked(path)}32\r\n${HALF}\r\n`);
    await moment(random);
    socket.end();
  },
  'bad trailers': async ({ socket }, path, random) => {
    socket.write(`${chunked(path)}32\r\n${HALF}\r\n`);
    await moment(random);
    socket.write('0\r\nbad trailer\r\n\r\n');
  },
  'a malformed chunk': async ({ socket }, path, random) => {
    socket.write(`${chunked(path)}32\r\n${HALF}\r\n`);
    await moment(random);
    socket.write('zz\r\n\r\n0\r\n\r\n');
  },
  'closed in the turn of its head': async ({ socket }, path, random) => {
    socket.write(length(path) + (random(2) === 0 ? 'x' : ''));
    socket.destroy();
    await moment(random);
  },
};

type Shape2 = (client: RawHttp2Client, path: string, random: Random) => Promise<void>;

const head = (client: RawHttp2Client, path: string, declared: boolean): Buffer => client.headers(1, requestFields('POST', path, 'a', declared ? [['content-length', '100']] : []), false);
const data = (text: string, flags = 0): Buffer => frame(FRAME.DATA, flags, 1, text);

const HTTP2: Readonly<Record<string, Shape2>> = {
  'reset before the first byte': async (client, path, random) => {
    client.write(head(client, path, random(2) === 0));
    await moment(random);
    client.write(rst(1, [0, 2, 5, 8][random(4)]!));
  },
  'reset after some bytes': async (client, path, random) => {
    client.write(head(client, path, random(2) === 0), data(HALF));
    await moment(random);
    client.write(rst(1, [0, 2, 5, 8][random(4)]!));
  },
  'reset in the packet of its head': async (client, path, random) => {
    client.write(head(client, path, random(2) === 0), data(HALF), rst(1, 8));
    await moment(random);
  },
  // What libraries do when their caller gives up.
  'ended and reset in one packet': async (client, path, random) => {
    client.write(head(client, path, false), data(HALF));
    await moment(random);
    client.write(data('', FLAG.END_STREAM), rst(1, 8));
  },
  'end short of the length': async (client, path, random) => {
    client.write(head(client, path, true));
    await moment(random);
    client.write(data(HALF, FLAG.END_STREAM));
  },
  'more than the length': async (client, path, random) => {
    client.write(head(client, path, true), data(HALF));
    await moment(random);
    client.write(data(HALF + HALF, FLAG.END_STREAM));
  },
  'bad trailers': async (client, path, random) => {
    client.write(head(client, path, random(2) === 0), data(HALF));
    await moment(random);
    client.write(frame(FRAME.HEADERS, FLAG.END_HEADERS | FLAG.END_STREAM, 1, headerBlock([[':path', '/x']])));
  },
  'the connection is reset': async (client, path, random) => {
    client.write(head(client, path, random(2) === 0), data(HALF));
    await moment(random);
    client.socket.resetAndDestroy();
  },
  'GOAWAY and the end of the connection': async (client, path, random) => {
    client.write(head(client, path, random(2) === 0), data(HALF), frame(FRAME.GOAWAY, 0, 0, Buffer.alloc(8)));
    await moment(random);
    client.socket.end();
  },
};

async function upload(plane: ForwardPlane, http2: boolean, path: string): Promise<void> {
  if (http2) {
    const client = await RawHttp2Client.connect(plane.port);
    client.write(head(client, path, true), data(HALF), data(HALF, FLAG.END_STREAM));
    await client.until(({ type, flags }) => (type === FRAME.DATA || type === FRAME.HEADERS) && (flags & FLAG.END_STREAM) !== 0);
    client.destroy();
  } else {
    const client = await RawClient.connect(plane.port);
    client.write(length(path) + HALF + HALF);
    await client.responses(1);
    client.destroy();
  }
}

async function storm(t: ExecutionContext, http2: boolean, requestBuffering: boolean): Promise<void> {
  t.timeout(300_000);
  const plane = await forwardPlane(t, [ok, ok], { forward: { requestBuffering } });
  const random = sequence(http2 ? 262 : 261);
  const counts: Record<string, number> = {};
  const shapes = Object.keys(http2 ? HTTP2 : HTTP1);
  let next = 0;
  let completed = 0;
  const one = async (nth: number): Promise<void> => {
    if (nth % 10 === 9) {
      await upload(plane, http2, `/whole/${nth}`);
      completed++;
      return;
    }
    const shape = shapes[nth % shapes.length]!;
    counts[shape] = (counts[shape] ?? 0) + 1;
    const client = http2 ? await RawHttp2Client.connect(plane.port) : await RawClient.connect(plane.port);
    if (http2) await HTTP2[shape]!(client as RawHttp2Client, `/cut/${nth}`, random);
    else await HTTP1[shape]!(client as RawClient, `/cut/${nth}`, random);
    await pause(5 + random(20));
    client.destroy();
  };
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    while (next < RUNS) await one(next++);
  }));
  await pause(300);
  const connections = plane.backends.flatMap((backend) => backend.connections);
  t.deepEqual(connections.map(({ error }) => error).filter(Boolean), [], 'what reaches the endpoint is well-formed as far as it comes');
  const seen = plane.backends.flatMap((backend) => backend.requests()).map(({ startLine, body }) => ({ path: startLine.split(' ')[1]!, body }));
  t.deepEqual(seen.filter(({ path }) => path.startsWith('/cut/')).map(({ path }) => path), []);
  const whole = seen.filter(({ path }) => path.startsWith('/whole/'));
  t.is(whole.length, completed);
  t.true(whole.every(({ body }) => body.equals(Buffer.from(HALF + HALF))));
  t.is(completed, RUNS / 10);
  const begun = connections.filter(({ bytes }) => bytes.includes('/cut/')).length;
  // Otherwise nothing would be raced with.
  if (!requestBuffering) t.true(begun > 0, `${begun} of those that were cut off had begun at the endpoint`);
  t.log(`${RUNS - completed} cut off in ${shapes.length} ways, at most ${Math.max(...Object.values(counts))} times each, ${begun} of them begun at the endpoint and none complete there; ${completed} whole ones arrived`);
}

for (const http2 of [false, true]) {
  for (const requestBuffering of [false, true]) {
    test.serial(`26b: ${RUNS} uploads over HTTP/${http2 ? '2' : '1.1'}, nine of ten cut off, buffering ${requestBuffering ? 'on' : 'off'}: the endpoint sees none complete that was not`, (t) => storm(t, http2, requestBuffering));
  }
}
