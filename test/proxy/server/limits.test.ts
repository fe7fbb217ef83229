// What one client may take: streams of a connection, and time in which nothing of a body comes. And how connections of both
// versions are told that the end is near.
import { once } from 'node:events';
import http2 from 'node:http2';
import { setTimeout as pause } from 'node:timers/promises';
import test from 'ava';
import { forwardPlane, ok } from '../../support/forward-plane.ts';
import { RawClient, statusOf } from '../../support/raw-client.ts';
import { field } from '../../support/strict-http1.ts';

for (const [shape, head] of [['by length', 'Content-Length: 10\r\n\r\nxx'], ['in chunks', 'Transfer-Encoding: chunked\r\n\r\n2\r\nxx\r\n']] as const) {
  test(`an upload ${shape} of which nothing comes any more is 408, its connection closes, and no endpoint gets a whole one`, async (t) => {
    const plane = await forwardPlane(t, [ok], { limits: { bodyTimeoutMs: 300 } });
    const client = await RawClient.connect(plane.port);
    client.write(`POST / HTTP/1.1\r\nHost: a\r\n${head}`);
    const [message] = await client.responses(1);
    t.is(statusOf(message!), 408);
    t.is(field(message!, 'connection'), 'close');
    await client.end();
    t.is(plane.log[0]!.reason, 'DownstreamRequestTimeout');
    t.is(plane.counts()[0], 0);
    client.destroy();
  });
}

test('an HTTP/2 connection has as many streams at a time as it may, and is told so; each that ends makes room for the next', async (t) => {
  const answers: (() => void)[] = [];
  const plane = await forwardPlane(t, [(_request, socket) => void answers.push(() => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ndone'))], { limits: { maxConcurrentStreams: 5 } });
  const session = http2.connect(`http://127.0.0.1:${plane.port}`);
  session.on('error', () => undefined);
  t.teardown(() => session.destroy());
  await once(session, 'remoteSettings');
  t.is(session.remoteSettings.maxConcurrentStreams, 5);
  // Node keeps to it by itself: what is too much waits in the client.
  const statuses: number[] = [];
  for (let nth = 0; nth < 12; nth++) {
    const stream = session.request({ ':path': '/', ':authority': 'a' });
    stream.on('response', (headers) => statuses.push(Number(headers[':status'])));
    stream.on('error', () => statuses.push(0));
    stream.resume();
  }
  await pause(300);
  t.is(answers.length, 5);
  for (const end = performance.now() + 5_000; statuses.length < 12 && performance.now() < end; await pause(5)) answers.shift()?.();
  t.deepEqual(statuses, Array.from({ length: 12 }, () => 200));
});

test('when draining, HTTP/2 gets GOAWAY and finishes its streams, HTTP/1.1 gets Connection: close with its answer', async (t) => {
  const answers: (() => void)[] = [];
  const plane = await forwardPlane(t, [(_request, socket) => void answers.push(() => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ndone'))]);
  const session = http2.connect(`http://127.0.0.1:${plane.port}`);
  session.on('error', () => undefined);
  t.teardown(() => session.destroy());
  const stream = session.request({ ':path': '/', ':authority': 'a' });
  const client = await RawClient.connect(plane.port);
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  for (const end = performance.now() + 5_000; answers.length < 2 && performance.now() < end; await pause(5));
  const goaway = once(session, 'goaway');
  const drained = plane.server.drain(5_000);
  const [code] = (await goaway) as [number];
  t.is(code, http2.constants.NGHTTP2_NO_ERROR);
  const response = once(stream, 'response');
  for (const answer of answers) answer();
  const [headers] = (await response) as [http2.IncomingHttpHeaders];
  t.is(Number(headers[':status']), 200);
  let body = '';
  for await (const chunk of stream) body += String(chunk);
  t.is(body, 'done');
  const [message] = await client.responses(1);
  t.is(field(message!, 'connection'), 'close');
  await drained;
});
