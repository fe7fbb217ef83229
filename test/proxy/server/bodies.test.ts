// Request bodies: their limits, and what becomes of small ones that are held back until they are complete.
import http2 from 'node:http2';
import { once } from 'node:events';
import test from 'ava';
import type { Route } from '../../../proxy/table/route.ts';
import { route, virtualHost } from '../../support/data-plane.ts';
import { answer, forwardPlane, ok } from '../../support/forward-plane.ts';
import { FRAME, RawHttp2Client, frame, requestFields, rst } from '../../support/raw-http2.ts';
import { RawClient, exchangeRaw, statusOf } from '../../support/raw-client.ts';
import { field } from '../../support/strict-http1.ts';

async function until(look: () => boolean, what: string, ms = 5000): Promise<void> {
  for (const deadline = performance.now() + ms; !look(); await new Promise((resolve) => setTimeout(resolve, 5))) {
    if (performance.now() > deadline) throw new Error(`not within ${ms} ms: ${what}`);
  }
}

test('a declared body over the limit is 413 before any of it is read, and never asked for', async (t) => {
  const plane = await forwardPlane(t, [ok], { forward: { maxBodyBytes: 1000 } });
  const { message, client } = await exchangeRaw(plane.port, 'POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1001\r\n\r\n');
  t.is(statusOf(message), 413);
  t.is(field(message, 'connection'), 'close');
  t.false(client.received.toString('latin1').includes('100 Continue'));
  t.is(plane.log[0]!.reason, 'RequestBodyTooLarge');
  t.is(plane.backends[0]!.connections.length, 0);
  client.destroy();
  const exact = await exchangeRaw(plane.port, `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n${'x'.repeat(1000)}`);
  t.is(statusOf(exact.message), 200);
  exact.client.destroy();
});

test('it is 413 before redirects and before anybody is asked who they are, with what is set on every answer', async (t) => {
  const plane = await forwardPlane(t, [ok]);
  const limited = route('/', 'test/web:80', { maxBodyBytes: 1000 });
  const filters: Route['filters'] = [
    { type: 'https-redirect', config: { status: 308 } },
    { type: 'client-certificate', config: { policy: 'p', verify: 'on' } },
    { type: 'response-headers', config: { set: [{ name: 'X-Always', value: 'yes' }] } },
  ];
  await plane.swap({ virtualHosts: { 'http/*': virtualHost('*', [{ ...limited, filters }]) } });
  for (const [length, status] of [[1001, 413], [1000, 308]] as const) {
    const { message, client } = await exchangeRaw(plane.port, `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n${'x'.repeat(length)}`);
    t.is(statusOf(message), status);
    t.is(field(message, 'x-always'), 'yes');
    client.destroy();
  }
});

for (const requestBuffering of [false, true]) {
  test(`a chunked body is 413 as soon as it is over the limit, and its endpoint sees it cut (buffering ${requestBuffering ? 'on' : 'off'})`, async (t) => {
    const plane = await forwardPlane(t, [ok], { forward: { maxBodyBytes: 200_000, requestBuffering } });
    const client = await RawClient.connect(plane.port);
    client.write('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n');
    let sent = 0;
    const sender = setInterval(() => {
      if (client.closed || !client.socket.writable) return;
      client.write(`4000\r\n${'x'.repeat(16_384)}\r\n`);
      sent += 16_384;
    }, 2);
    const [message] = await client.responses(1);
    clearInterval(sender);
    t.is(statusOf(message!), 413);
    t.is(field(message!, 'connection'), 'close');
    t.true(sent < 2_000_000, `${sent} bytes were sent`);
    await until(() => plane.backends[0]!.connections.every(({ closed }) => closed), 'the endpoint is told');
    t.is(plane.backends[0]!.connections.length, 1);
    t.is(plane.backends[0]!.requests().length, 0);
    t.is(plane.log[0]!.reason, 'RequestBodyTooLarge');
    client.destroy();
  });
}

test('an HTTP/2 body without length is held to the same limit', async (t) => {
  const plane = await forwardPlane(t, [ok], { forward: { maxBodyBytes: 100_000 } });
  const session = http2.connect(`http://127.0.0.1:${plane.port}`);
  t.teardown(() => session.destroy());
  const stream = session.request({ ':method': 'POST', ':path': '/', ':authority': 'a' });
  stream.on('error', () => undefined);
  const response = once(stream, 'response');
  const sender = setInterval(() => void (stream.writable && stream.write(Buffer.alloc(16_384))), 2);
  const [headers] = (await response) as [http2.IncomingHttpHeaders];
  clearInterval(sender);
  t.is(Number(headers[':status']), 413);
  await until(() => plane.backends[0]!.connections.every(({ closed }) => closed), 'the endpoint is told');
  t.is(plane.backends[0]!.connections.length, 1);
  t.is(plane.backends[0]!.requests().length, 0);
});

test('a body within the limit passes, chunked and by length, and so does one under no limit', async (t) => {
  const size = (request: { body: Buffer }): string => answer(200, String(request.body.length));
  for (const maxBodyBytes of [300_000, 0]) {
    const plane = await forwardPlane(t, [size], { forward: { maxBodyBytes } });
    for (const head of ['Transfer-Encoding: chunked\r\n\r\n493e0\r\n', 'Content-Length: 300000\r\n\r\n']) {
      const { message, client } = await exchangeRaw(plane.port, `POST / HTTP/1.1\r\nHost: a\r\n${head}${'x'.repeat(300_000)}${head.startsWith('T') ? '\r\n0\r\n\r\n' : ''}`);
      t.is(message.body.toString(), '300000');
      client.destroy();
    }
  }
});

test('with buffering an endpoint is not bothered before a small body is complete; a large one streams', async (t) => {
  const plane = await forwardPlane(t, [(request) => answer(200, String(request.body.length))], { forward: { requestBuffering: true } });
  const client = await RawClient.connect(plane.port);
  client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n01234');
  await new Promise((resolve) => setTimeout(resolve, 50));
  t.is(plane.backends[0]!.connections.length, 0);
  client.write('56789');
  const [message] = await client.responses(1);
  t.is(message!.body.toString(), '10');
  t.is(field(plane.backends[0]!.requests()[0]!, 'content-length'), '10');
  client.write(`POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n11170\r\n${'x'.repeat(70_000)}`);
  await until(() => plane.backends[0]!.connections.some(({ bytes }) => bytes.length > 60_000), 'the endpoint gets what there is');
  client.write('\r\n0\r\n\r\n');
  const [, second] = await client.responses(2);
  t.is(second!.body.toString(), '70000');
  client.destroy();
});

test('a client that leaves while its body is held has bothered nobody', async (t) => {
  const plane = await forwardPlane(t, [ok], { forward: { requestBuffering: true } });
  const client = await RawClient.connect(plane.port);
  client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n01234');
  await new Promise((resolve) => setTimeout(resolve, 30));
  client.destroy();
  await until(() => plane.log.length === 1, 'the log has it');
  t.is(plane.log[0]!.status, 499);
  t.is(plane.backends[0]!.connections.length, 0);
});

test('nobody is asked for a body that has nowhere to go', async (t) => {
  const plane = await forwardPlane(t, [], { forward: { requestBuffering: true } });
  const { message, client } = await exchangeRaw(plane.port, 'POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n');
  t.is(statusOf(message), 503);
  t.false(client.received.toString('latin1').includes('100 Continue'));
  client.destroy();
});

for (const apart of [false, true]) {
  test(`a connection is closed for its many resets of uploads that are held, and nobody else is harmed (${apart ? 'one by one' : 'in one go'})`, async (t) => {
    const plane = await forwardPlane(t, [ok], { forward: { requestBuffering: true } });
    const client = await RawHttp2Client.connect(plane.port);
    for (let stream = 1; stream < 2_000 && !client.closed; stream += 2) {
      client.write(client.headers(stream, requestFields('POST', '/'), false), frame(FRAME.DATA, 0, stream, 'x'), rst(stream, 8));
      // An answer to a stream that is gone must not be written any more: Node throws then, and a worker would be lost.
      if (apart) await new Promise((resolve) => setImmediate(resolve));
    }
    await until(() => client.closed, 'the connection is closed');
    await until(() => plane.log.length > 100, 'the log has them');
    const [uploads, refusals] = [plane.log.filter(({ status }) => status === 499), plane.log.filter(({ status }) => status !== 499)];
    t.true(uploads.length > 100);
    t.deepEqual(refusals.map(({ status, reason }) => [status, reason]), [[400, 'DownstreamProtocolError']], 'the connection has one line of its own');
    t.is(plane.backends[0]!.connections.length, 0);
    const { message } = await exchangeRaw(plane.port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    t.is(statusOf(message), 200);
  });
}

test('an HTTP/2 request whose body turns out to be empty is answered, with trailers and without', async (t) => {
  const plane = await forwardPlane(t, [ok]);
  const session = http2.connect(`http://127.0.0.1:${plane.port}`);
  t.teardown(() => session.destroy());
  for (const trailers of [false, true]) {
    const stream = session.request({ ':method': 'POST', ':path': '/' }, { waitForTrailers: trailers });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-t': '1' }));
    stream.resume();
    const answered = once(stream, 'response') as Promise<[http2.IncomingHttpHeaders]>;
    stream.end(Buffer.alloc(0));
    const [headers] = (await Promise.race([answered, new Promise((resolve) => setTimeout(resolve, 5000, [{}]).unref())])) as [http2.IncomingHttpHeaders];
    t.is(headers[':status'] as unknown, 200, `trailers ${trailers}`);
  }
});
