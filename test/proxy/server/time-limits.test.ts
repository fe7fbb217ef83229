// Times of a route, each with its status and reason.
import test from 'ava';
import { answer, forwardPlane, ok, silent } from '../../support/forward-plane.ts';
import { RawClient, exchangeRaw, statusOf } from '../../support/raw-client.ts';

const GET = 'GET /t HTTP/1.1\r\nHost: a\r\n\r\n';

test.serial('no answer within the read timeout: 504 UpstreamRequestTimeout', async (t) => {
  const plane = await forwardPlane(t, [silent], { forward: { timeouts: { responseHeadMs: 200 } } });
  const { message, client } = await exchangeRaw(plane.port, GET);
  client.destroy();
  t.is(statusOf(message), 504);
  t.is(plane.log[0]!.reason, 'UpstreamRequestTimeout');
});

test.serial('silence inside an answer: the connection is cut, StreamIdleTimeout', async (t) => {
  const half: typeof ok = () => 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf';
  const plane = await forwardPlane(t, [half], { forward: { timeouts: { readIdleMs: 200 } } });
  const client = await RawClient.connect(plane.port);
  client.write(GET);
  t.true((await client.end()).toString().endsWith('half'));
  t.is(plane.log[0]!.reason, 'StreamIdleTimeout');
});

test.serial('an endpoint that takes no more of a request: 504 StreamIdleTimeout', async (t) => {
  const plane = await forwardPlane(t, [silent], { forward: { timeouts: { sendIdleMs: 200 } } });
  const client = await RawClient.connect(plane.port);
  client.write('POST /t HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n');
  const sender = setInterval(() => {
    for (const { socket } of plane.backends[0]!.connections) socket.pause();
    if (client.socket.writable) client.write(Buffer.alloc(262_144));
  }, 1);
  const [message] = await client.responses(1, [], 10_000);
  clearInterval(sender);
  client.destroy();
  t.is(statusOf(message!), 504);
  t.is(plane.log[0]!.reason, 'StreamIdleTimeout');
});

test.serial('a request as a whole: 504 DurationTimeout before the answer, a cut within it', async (t) => {
  const drip: typeof ok = (request, socket) => {
    if (request.startLine.includes('/silent')) return undefined;
    const timer = setInterval(() => (socket.destroyed ? clearInterval(timer) : socket.write('x')), 20);
    return 'HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n';
  };
  const plane = await forwardPlane(t, [drip, drip], { forward: { timeouts: { requestMs: 250 } } });
  const startedAt = performance.now();
  const { message, client } = await exchangeRaw(plane.port, 'GET /silent HTTP/1.1\r\nHost: a\r\n\r\n');
  const tookMs = performance.now() - startedAt;
  client.destroy();
  t.is(statusOf(message), 504);
  t.true(tookMs >= 249 && tookMs < 4_000, `${tookMs} ms`);
  t.is(plane.log[0]!.exchange.attempts.length, 1);
  const cut = await RawClient.connect(plane.port);
  cut.write(GET);
  t.true((await cut.end()).toString().startsWith('HTTP/1.1 200'));
  t.deepEqual(plane.log.map(({ status, reason }) => [status, reason]), [[504, 'DurationTimeout'], [200, 'DurationTimeout']]);
});

test.serial('a limit for the whole request is no limit for one that is in time', async (t) => {
  const plane = await forwardPlane(t, [() => answer(200, 'in time')], { timeouts: { requestMs: 5_000 } });
  const { message, client } = await exchangeRaw(plane.port, GET);
  client.destroy();
  t.is(message.body.toString(), 'in time');
});
