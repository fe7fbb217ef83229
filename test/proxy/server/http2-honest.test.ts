// What honest clients of HTTP/2 do a lot of, and what must not be held against them: cancelled streams, windows that are opened in
// small steps, settings that change, cookies in crumbs.
import http from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { endpoint, simpleTable, startDataPlane } from '../../support/data-plane.ts';
import type { DataPlane, DataPlaneOptions } from '../../support/data-plane.ts';
import { forwardPlane, ok, silent } from '../../support/forward-plane.ts';
import { FLAG, FRAME, RawHttp2Client, frame, requestFields, rst } from '../../support/raw-http2.ts';
import type { Frame } from '../../support/raw-http2.ts';
import { field } from '../../support/strict-http1.ts';

const CANCEL = 8;
const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};
const setting = (...pairs: readonly (readonly [id: number, value: number])[]): Buffer => frame(FRAME.SETTINGS, 0, 0, Buffer.concat(pairs.map(([id, value]) => Buffer.concat([Buffer.from([0, id]), u32(value)]))));
const windowUpdate = (stream: number, by: number): Buffer => frame(FRAME.WINDOW_UPDATE, 0, stream, u32(by));
const ping = (text: string): Buffer => frame(FRAME.PING, 0, 0, text);
const isEnd = (id: number) => ({ type, stream, flags }: Frame): boolean => stream === id && (type === FRAME.DATA || type === FRAME.HEADERS) && (flags & FLAG.END_STREAM) !== 0;
const pong = (text: string) => ({ type, flags, payload }: Frame): boolean => type === FRAME.PING && (flags & FLAG.ACK) !== 0 && payload.toString() === text;

/** An endpoint that a handler of node:http is. */
async function served(t: ExecutionContext, handler: http.RequestListener, options?: DataPlaneOptions): Promise<DataPlane> {
  const backend = http.createServer(handler);
  backend.listen(0, '127.0.0.1');
  await once(backend, 'listening');
  const plane = await startDataPlane(simpleTable([endpoint((backend.address() as AddressInfo).port)]), options);
  t.teardown(async () => {
    await plane.close();
    backend.closeAllConnections();
    backend.close();
  });
  return plane;
}

async function connect(t: ExecutionContext, port: number): Promise<RawHttp2Client> {
  const client = await RawHttp2Client.connect(port);
  t.teardown(() => client.destroy());
  return client;
}

/** The connection still answers; throws if it does not. */
async function alive(client: RawHttp2Client, text = 'the last'): Promise<void> {
  client.write(ping(text));
  await client.until((each) => pong(text)(each) || each.type === FRAME.GOAWAY);
  const goaway = client.frames.find(({ type }) => type === FRAME.GOAWAY);
  if (goaway !== undefined) throw new Error(`GOAWAY ${goaway.payload.readUInt32BE(4)}`);
}

test('a page change that cancels as many streams as a connection may have, right after it was opened, is no abuse', async (t) => {
  const { port } = await forwardPlane(t, [silent]);
  const client = await connect(t, port);
  await alive(client, 'greeting');
  const ids = Array.from({ length: 128 }, (_, index) => index * 2 + 1);
  client.write(...ids.map((id) => client.headers(id, requestFields('GET', '/image'), true)));
  await alive(client, 'pictures');
  client.write(...ids.map((id) => rst(id, CANCEL)));
  await alive(client);
  t.pass();
});

test('a client whose every call runs into its deadline while an endpoint is stuck is no abuse, as often as it may have all its streams open', async (t) => {
  const { port } = await forwardPlane(t, [silent]);
  const client = await connect(t, port);
  for (let round = 0; round < 7; round++) {
    const ids = Array.from({ length: 128 }, (_, index) => (round * 128 + index) * 2 + 1);
    client.write(...ids.map((id) => client.headers(id, requestFields('GET', '/call'), true)));
    await new Promise((resolve) => setTimeout(resolve, 500));
    client.write(...ids.map((id) => rst(id, CANCEL)));
    await alive(client, `round ${round}`.padEnd(8).slice(0, 8));
  }
  t.pass();
});

for (const [window, how] of [[65_535, 'at once'], [4 * 1024 * 1024, 'whenever all of a window of 4 MB has come']] as const) {
  test(`a download whose client opens both windows by every 4 kB that it reads, ${how}, comes whole`, async (t) => {
    const bytes = 64 * 1024 * 1024;
    const { port } = await served(t, (_request, response) => {
      const chunk = Buffer.alloc(64 * 1024);
      let left = bytes;
      const more = (): void => {
        while (left > 0) {
          left -= chunk.length;
          if (!response.write(chunk)) return void response.once('drain', more);
        }
        response.end();
      };
      more();
    });
    const client = await connect(t, port);
    client.write(setting([4, window]), windowUpdate(0, 2 ** 30), client.headers(1, requestFields('GET', '/large'), true));
    const unread: Buffer[] = [];
    let got = 0;
    let ended = false;
    for (const until = performance.now() + 20_000; !ended && !client.closed && performance.now() < until; ) {
      const frames = client.frames.splice(0);
      for (const { type, stream, payload, flags } of frames) {
        if (type === FRAME.GOAWAY) return t.fail(`GOAWAY ${payload.readUInt32BE(4)} after ${got} bytes`);
        if (type !== FRAME.DATA || stream !== 1) continue;
        got += payload.length;
        ended ||= (flags & FLAG.END_STREAM) !== 0;
        for (let left = payload.length; left > 0; left -= 4096) unread.push(windowUpdate(0, Math.min(left, 4096)), windowUpdate(1, Math.min(left, 4096)));
      }
      if (unread.length > 0 && (window === 65_535 || got % window === 0)) client.write(...unread.splice(0));
      await new Promise((resolve) => setImmediate(resolve));
    }
    t.is(got, bytes);
  });
}

test('a header table that the client takes away and gives back at once is said to be empty before it is used', async (t) => {
  const { port } = await forwardPlane(t, [ok]);
  const client = await connect(t, port);
  client.write(setting([1, 0], [1, 4096]), client.headers(1, requestFields('GET', '/'), true));
  const head = await client.until(({ type, stream }) => type === FRAME.HEADERS && stream === 1);
  t.is(head.payload[0], 0x20);
});

test('a cookie in as many crumbs as it has pairs is one field', async (t) => {
  const { port, backends } = await forwardPlane(t, [ok]);
  const client = await connect(t, port);
  const crumbs = Array.from({ length: 180 }, (_, index) => ['cookie', `c${index}=${index}`] as const);
  client.write(client.headers(1, requestFields('GET', '/', 'a.test', crumbs), true));
  await client.until(isEnd(1));
  const [request] = backends[0]?.requests() ?? [];
  t.is(request === undefined ? undefined : field(request, 'cookie'), crumbs.map(([, value]) => value).join('; '));
});

test('an upload that its endpoint does not take leaves room on the connection for the others', async (t) => {
  const { port } = await served(t, (request, response) => {
    if (request.url === '/stuck') return;
    request.resume().once('end', () => response.end('ok'));
  });
  const client = await connect(t, port);
  const stuck = Array.from({ length: 20 }, (_, index) => index * 2 + 1);
  await alive(client, 'greeting');
  let credit = 65_535 + client.frames.filter(({ type, stream }) => type === FRAME.WINDOW_UPDATE && stream === 0).reduce((sum, { payload }) => sum + payload.readUInt32BE(0), 0);
  for (const id of stuck) {
    client.write(client.headers(id, requestFields('POST', '/stuck'), false));
    // As much as the window of the stream is.
    for (let left = 65_535; left > 0; left -= 16_384) client.write(frame(FRAME.DATA, 0, id, Buffer.alloc(Math.min(left, 16_384))));
    credit -= 65_535;
    t.true(credit > 0, `nothing left behind stream ${id}`);
    if (credit <= 0) return;
  }
  client.write(client.headers(99, requestFields('POST', '/taken'), false), frame(FRAME.DATA, FLAG.END_STREAM, 99, 'x'));
  await client.until(isEnd(99));
  await alive(client);
});

test('streams that were reset here may go on for a while, as many as there may be', async (t) => {
  const limits = { maxConcurrentStreams: 400 };
  const { port, backends } = await forwardPlane(t, [silent], { limits });
  const client = await connect(t, port);
  const ids = Array.from({ length: 400 }, (_, index) => index * 2 + 1);
  client.write(...ids.map((id) => client.headers(id, requestFields('POST', '/'), false)));
  await alive(client, 'greeting');
  const connections = backends[0]?.connections ?? [];
  for (const until = performance.now() + 5_000; (connections.length < 400 || connections.some(({ bytes }) => bytes.length === 0)) && performance.now() < until; ) await new Promise((resolve) => setTimeout(resolve, 10));
  for (const { socket } of connections) socket.destroy();
  await new Promise((resolve) => setTimeout(resolve, 300));
  client.write(...ids.map((id) => frame(FRAME.DATA, 0, id, 'x')), ...ids.map((id) => frame(FRAME.DATA, FLAG.END_STREAM, id, 'x')));
  await alive(client);
  t.pass();
});
