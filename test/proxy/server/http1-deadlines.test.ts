// That an HTTP/1.1 connection always has the deadline of what it waits for: one that is cleared or replaced by somebody
// else's leaves a client that does nothing on its connection for ever.
import { setTimeout as pause } from 'node:timers/promises';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { simpleTable, startDataPlane } from '../../support/data-plane.ts';
import type { DataPlane } from '../../support/data-plane.ts';
import { rawEndpoint } from '../../support/endpoint-raw.ts';
import type { Limits } from '../../../proxy/server/limits.ts';
import { forwardPlane, ok, silent } from '../../support/forward-plane.ts';
import { RawClient, statusOf } from '../../support/raw-client.ts';
import { parseResponses } from '../../support/strict-http1.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const post = (length: number, body: string): string => `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n${body}`;

/** The proxy has closed its side; the client's own stays open, and the proxy does not wait for it: whatever it sends then meets a reset. */
async function isLeft(t: ExecutionContext, client: RawClient): Promise<void> {
  const sending = setInterval(() => client.write('x'), 50);
  t.teardown(() => clearInterval(sending));
  for (const end = performance.now() + 6_000; !client.socket.destroyed && performance.now() < end; await pause(10));
  t.true(client.socket.destroyed);
}

test('a connection whose request is followed by an empty line is idle, and closed in time', async (t) => {
  const plane = await forwardPlane(t, [ok], { limits: { keepAliveTimeoutMs: 500 } });
  for (const request of [GET, post(2, 'hi')]) {
    const client = await RawClient.connect(plane.port);
    client.write(`${request}\r\n`);
    await client.end();
    t.deepEqual(parseResponses(client.received, [], true).responses.map(statusOf), [200]);
  }
});

test('so is one whose upload was answered early, when an empty line follows the rest of it', async (t) => {
  const early = await rawEndpoint((_request, socket) => void socket.write('HTTP/1.1 403 X\r\ncontent-length: 2\r\n\r\nno'));
  const proxy = await startDataPlane(simpleTable([early.endpoint]), { limits: { keepAliveTimeoutMs: 500 } });
  t.teardown(async () => {
    await proxy.close();
    await early.close();
  });
  const client = await RawClient.connect(proxy.port);
  client.write(post(10, 'xxxxx'));
  const [message] = await client.responses(1);
  t.is(statusOf(message!), 403);
  client.write('xxxxx\r\n');
  await client.end();
});

test('empty lines do not keep a connection that sends nothing else', async (t) => {
  const plane = await forwardPlane(t, [ok], { limits: { keepAliveTimeoutMs: 500 } });
  const client = await RawClient.connect(plane.port);
  client.write(GET);
  await client.responses(1);
  const lines = setInterval(() => client.write('\r\n'), 100);
  await client.end();
  clearInterval(lines);
  t.pass();
});

test('a 413 in the middle of a read is the last answer of its connection, whatever else was in the read', async (t) => {
  const backend = await rawEndpoint((_request, socket) => void socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'), { on: 'complete' });
  const proxy = await startDataPlane(simpleTable([backend.endpoint]), { limits: { bodyBytes: 5 }, forwarding: { requestBuffering: true } });
  t.teardown(async () => {
    await proxy.close();
    await backend.close();
  });
  const head = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';
  const last = async (rest: string, together: boolean): Promise<void> => {
    const client = await RawClient.connect(proxy.port);
    t.teardown(() => client.destroy());
    if (!together) {
      client.write(head);
      await pause(50);
    }
    client.write(`${together ? head : ''}a\r\n0123456789\r\n0\r\n\r\n${rest}`);
    await client.end();
    t.deepEqual(parseResponses(client.received, [], true).responses.map(statusOf), [413]);
    await isLeft(t, client);
  };
  await Promise.all(['', 'GET /second HTTP/1.1\r\nHost: a\r\n\r\n'].flatMap((rest) => [last(rest, false), last(rest, true)]));
  t.deepEqual(backend.requests.filter(({ target }) => target === '/second'), []);
});

test('a connection ends with an answer that came before its upload was complete, though the client never completes it', async (t) => {
  const plane = await forwardPlane(t, [ok], { limits: { bodyBytes: 5 } });
  for (const upload of [post(1_000_000, 'xxx'), 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n']) {
    const client = await RawClient.connect(plane.port);
    t.teardown(() => client.destroy());
    client.write(upload);
    await client.end();
    t.deepEqual(parseResponses(client.received, [], true).responses.map(statusOf), [413]);
    await isLeft(t, client);
  }
});

test('a request behind an upload that is answered as soon as it is complete has its turn', async (t) => {
  const backend = await rawEndpoint(() => undefined);
  const proxy = await startDataPlane(simpleTable([backend.endpoint]), { limits: { keepAliveTimeoutMs: 500 }, forwarding: { requestBuffering: true, endpointRequests: 1, waitingRequests: 0 } });
  t.teardown(async () => {
    await proxy.close();
    await backend.close();
  });
  const busy = await RawClient.connect(proxy.port);
  t.teardown(() => busy.destroy());
  busy.write(GET);
  await pause(100);
  const client = await RawClient.connect(proxy.port);
  t.teardown(() => client.destroy());
  client.write(post(2, 'hi') + GET);
  const answers = await client.responses(2);
  t.deepEqual(answers.map(statusOf), [503, 503]);
});

/** More than what fills all that lies between the proxy and a client that does not read; the last chunk of the answer is still to come. */
const STALLING = `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${(12_000_000).toString(16)}\r\n${'x'.repeat(12_000_000)}\r\n`;

/** A client that does not read, in front of an endpoint whose answers are more than that leaves room for. */
async function fullClient(t: ExecutionContext, end: string, limits: Partial<Limits>): Promise<{ client: RawClient; proxy: DataPlane }> {
  const backend = await rawEndpoint((request, socket) => void (request.target === '/stall' && socket.write(STALLING + end)));
  const proxy = await startDataPlane(simpleTable([backend.endpoint]), { limits });
  t.teardown(async () => {
    await proxy.close();
    await backend.close();
  });
  const client = await RawClient.connect(proxy.port);
  t.teardown(() => client.destroy());
  client.socket.pause();
  return { client, proxy };
}

test('an upload that stops is 408 in time, though the client only now takes the answer before', async (t) => {
  const { client } = await fullClient(t, '0\r\n\r\n', { bodyTimeoutMs: 1_500 });
  client.write('GET /stall HTTP/1.1\r\nHost: a\r\n\r\n' + post(10, 'xx'));
  await pause(500);
  client.socket.resume();
  const answers = await client.responses(2, [], 20_000);
  t.deepEqual(answers.map(statusOf), [200, 408]);
});

test('a client that takes nothing of an answer has its time, though it completes its upload meanwhile', async (t) => {
  const { client, proxy } = await fullClient(t, '', { writeStallMs: 1_500 });
  client.write(post(10, 'xx').replace('/', '/stall'));
  await pause(500);
  client.write('xxxxxxxx');
  for (const end = performance.now() + 5_000; proxy.log.length < 1 && performance.now() < end; await pause(5));
  t.is(proxy.log[0]?.reason, 'DownstreamConnectionTermination');
});

test('and the time that it has is not that of its upload', async (t) => {
  const { client, proxy } = await fullClient(t, '', { bodyTimeoutMs: 1_000 });
  client.write(post(10, 'xx').replace('/', '/stall'));
  await pause(500);
  client.write('xx');
  await pause(3_500);
  t.is(proxy.log.length, 0);
});

test('a client that has closed its side behind an upload waits for the answer as long as behind another request', async (t) => {
  const plane = await forwardPlane(t, [(request, socket) => (request.startLine.startsWith('GET ') ? ok(request, socket) : silent(request, socket))]);
  const client = await RawClient.connect(plane.port);
  client.socket.end(GET + post(2, 'hi'));
  await client.end();
  for (const end = performance.now() + 1_000; plane.log.length < 2 && performance.now() < end; await pause(5));
  t.deepEqual(plane.log.map(({ status }) => status), [200, 499]);
});

test('a drain does not wait for a connection whose last answer had begun before it', async (t) => {
  let complete: (() => void) | undefined;
  const plane = await forwardPlane(t, [(_request, socket) => ((complete = () => void socket.write('world')), 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello')]);
  const client = await RawClient.connect(plane.port);
  client.write(GET);
  await client.until(() => (client.received.includes('hello') ? true : undefined));
  const drained = plane.server.drain(20_000);
  complete?.();
  const startedAt = performance.now();
  await drained;
  t.true(performance.now() - startedAt < 8_000);
});
