// HTTP/2 clients that fall silent: in the middle of an upload, or of an answer that they do not read.
import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import type { Limits } from '../../../proxy/server/limits.ts';
import { endpoint, simpleTable, startDataPlane } from '../../support/data-plane.ts';
import type { DataPlane } from '../../support/data-plane.ts';
import { rawEndpoint } from '../../support/endpoint-raw.ts';
import { FRAME, RawHttp2Client, frame, requestFields } from '../../support/raw-http2.ts';

const CANCEL = 8;
const LIMITS: Partial<Limits> = { bodyTimeoutMs: 500, writeStallMs: 500 };

/** An endpoint that reads what it gets and answers a GET with more than any window holds. `end`: what had been complete when its exchange ended. */
async function startPlane(t: ExecutionContext): Promise<{ readonly proxy: DataPlane; readonly end: Promise<{ readonly request: boolean; readonly answer: boolean }> }> {
  const end = Promise.withResolvers<{ readonly request: boolean; readonly answer: boolean }>();
  const backend = http.createServer((request, response) => {
    request.on('error', () => undefined).resume();
    response.on('close', () => end.resolve({ request: request.complete, answer: response.writableFinished }));
    if (request.method === 'GET') response.write(Buffer.alloc(16 * 1024 * 1024));
  });
  backend.listen(0, '127.0.0.1');
  await once(backend, 'listening');
  const proxy = await startDataPlane(simpleTable([endpoint((backend.address() as AddressInfo).port)]), { limits: LIMITS });
  t.teardown(async () => {
    await proxy.close();
    backend.closeAllConnections();
    backend.close();
  });
  return { proxy, end: end.promise };
}

test('an upload in which nothing comes any more is answered 408, and never complete for the endpoint', async (t) => {
  const { proxy, end } = await startPlane(t);
  const client = http2.connect(`http://127.0.0.1:${proxy.port}`);
  t.teardown(() => client.destroy());
  const stream = client.request({ ':method': 'POST', ':path': '/upload' });
  stream.on('error', () => undefined);
  stream.write('the beginning');
  const [answer] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders];
  t.is(answer[':status'] as unknown, 408);
  t.deepEqual(await end, { request: false, answer: false });
  t.like(proxy.log[0], { status: 408, reason: 'DownstreamRequestTimeout' });
});

test('a stream whose client takes nothing of the answer any more is closed, and so is the request to the endpoint', async (t) => {
  const { proxy, end } = await startPlane(t);
  const client = http2.connect(`http://127.0.0.1:${proxy.port}`);
  t.teardown(() => client.destroy());
  const stream = client.request({ ':path': '/download' });
  stream.on('error', () => undefined);
  await once(stream, 'response');
  stream.pause();
  t.deepEqual(await end, { request: true, answer: false });
  t.is(proxy.log[0]?.reason, 'DownstreamConnectionTermination');
});

test('so is one whose answer is complete here, when its client has taken a part of what is left and then nothing', async (t) => {
  // Its beginning fills the client's window; the rest is more than a stream holds for a client whose window is closed.
  const backend = await rawEndpoint((_request, socket) => {
    socket.write(`HTTP/1.1 200 OK\r\ncontent-length: 12100\r\n\r\n${'x'.repeat(100)}`);
    rest = () => void socket.write('x'.repeat(12_000));
  });
  let rest: (() => void) | undefined;
  const proxy = await startDataPlane(simpleTable([backend.endpoint]), { limits: LIMITS });
  const client = await RawHttp2Client.connect(proxy.port);
  t.teardown(async () => {
    client.destroy();
    await proxy.close();
    await backend.close();
  });
  client.write(frame(FRAME.SETTINGS, 0, 0, Buffer.from([0, 4, 0, 0, 0, 100])), client.headers(1, requestFields('GET', '/'), true));
  await client.until(({ type }) => type === FRAME.DATA);
  rest?.();
  for (const end = performance.now() + 5_000; proxy.log.length === 0 && performance.now() < end; await pause(5));
  t.like(proxy.log[0], { status: 200, reason: '' });
  const credit = Buffer.alloc(4);
  credit.writeUInt32BE(10_000);
  client.write(frame(FRAME.WINDOW_UPDATE, 0, 1, credit));
  const { payload } = await client.until(({ type }) => type === FRAME.RST_STREAM);
  t.is(payload.readUInt32BE(0), CANCEL);
});
