// When another endpoint is asked, and what the client gets if that does not help.
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import type { AddressInfo } from 'node:net';
import type { Readable } from 'node:stream';
import test from 'ava';
import { blackHole } from '../../support/endpoint-blackhole.ts';
import { endpoint, simpleTable, startDataPlane } from '../../support/data-plane.ts';
import { answer, crowd, forwardPlane, ok, reset } from '../../support/forward-plane.ts';
import { DEFAULT_TEST_OPTIONS } from '../../support/worker-options.ts';
import { exchangeRaw, statusOf } from '../../support/raw-client.ts';
import { startRecordingEndpoint } from '../../support/recording-endpoint.ts';

const GET = 'GET /r HTTP/1.1\r\nHost: a\r\n\r\n';
const POST = 'POST /r HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi';
const on503 = { retry: { on: ['503', 'error'] } };
const unavailable = (): string => answer(503, 'sorry');

/** Sends until a request has met both endpoints or more; returns the last answer. */
async function untilRetried(plane: Awaited<ReturnType<typeof forwardPlane>>, bytes: string): Promise<{ status: number; body: string }> {
  for (let i = 0; i < 6; i++) {
    const { message, client } = await exchangeRaw(plane.port, bytes);
    client.destroy();
    const last = plane.log.at(-1)!.exchange;
    if (last.attempts.length > 1) return { status: statusOf(message), body: message.body.toString() };
  }
  throw new Error('no request was tried twice');
}

test('a reset before the answer costs a GET nothing: another endpoint answers, and both tries are in the log', async (t) => {
  const plane = await forwardPlane(t, [reset, ok]);
  t.is((await untilRetried(plane, GET)).status, 200);
  t.deepEqual(plane.log.at(-1)!.exchange.attempts.map(({ error, status }) => error ?? status), ['UpstreamConnectionTermination', 200]);
});

test('a reset may mean that the endpoint acted: a POST is not sent again unless the route says so', async (t) => {
  const careful = await forwardPlane(t, [reset, reset]);
  const { message, client } = await exchangeRaw(careful.port, POST);
  client.destroy();
  t.is(statusOf(message), 502);
  t.is(careful.log[0]!.exchange.attempts.length, 1);
  const bold = await forwardPlane(t, [reset, ok], { forward: { retry: { nonIdempotent: true }, requestBuffering: true } });
  t.is((await untilRetried(bold, POST)).status, 200);
});

for (const method of ['PROPFIND', 'QUERY', 'MKCOL', 'UNLOCK']) {
  test(`a reset costs ${method} nothing, for it is idempotent`, async (t) => {
    const plane = await forwardPlane(t, [reset, ok]);
    t.is((await untilRetried(plane, GET.replace('GET', method))).status, 200);
  });
}

for (const method of ['POST', 'PATCH', 'LOCK', 'PURGE', 'get']) {
  test(`a reset may mean that the endpoint acted: ${method} is not sent again`, async (t) => {
    const plane = await forwardPlane(t, [reset, reset]);
    const { message, client } = await exchangeRaw(plane.port, GET.replace('GET', method));
    client.destroy();
    t.is(statusOf(message), 502);
    t.is(plane.log[0]!.exchange.attempts.length, 1);
  });
}

test('a small body is held until it is complete, and then sent again as a whole; a large one streams and is not', async (t) => {
  const echo = (request: { body: Buffer }): string => answer(200, request.body.toString());
  const plane = await forwardPlane(t, [reset, echo], { forward: { requestBuffering: true } });
  const small = 'x'.repeat(60_000);
  for (const bytes of [`PUT /r HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n${small}`, `PUT /r HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nea60\r\n${small}\r\n0\r\n\r\n`]) {
    t.deepEqual(await untilRetried(plane, bytes), { status: 200, body: small });
  }
  t.true(plane.backends.every((backend) => backend.requests().every(({ body }) => body.length === 60_000)));
  const large = await forwardPlane(t, [reset, reset], { forward: { requestBuffering: true } });
  const { message, client } = await exchangeRaw(large.port, `PUT /r HTTP/1.1\r\nHost: a\r\nContent-Length: 70000\r\n\r\n${'x'.repeat(70_000)}`);
  client.destroy();
  t.is(statusOf(message), 502);
  t.is(large.log[0]!.exchange.attempts.length, 1);
});

test('a status of the route\'s list is tried again elsewhere', async (t) => {
  const plane = await forwardPlane(t, [unavailable, ok], { forward: on503 });
  t.is((await untilRetried(plane, GET)).status, 200);
  t.deepEqual(plane.log.at(-1)!.exchange.attempts.map(({ status }) => status), [503, 200]);
});

/** Heads that are no HTTP, each for a reason of its own. */
const MALFORMED = {
  'a field without a colon': 'HTTP/1.1 200 OK\r\nno field at all\r\n\r\n',
  'no status line': '<html>hello</html>\r\n\r\n',
  'two lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx',
};

for (const [what, bytes] of Object.entries(MALFORMED)) {
  const malformed = (): string => bytes;
  test(`an answer with ${what} is another endpoint's turn where the route lists invalid-response`, async (t) => {
    const plane = await forwardPlane(t, [malformed, ok], { forward: { retry: { on: ['invalid-response'] } } });
    t.is((await untilRetried(plane, GET)).status, 200);
    t.deepEqual(plane.log.at(-1)!.exchange.attempts.map(({ error, status }) => error ?? status), ['UpstreamProtocolError', 200]);
    const again = await exchangeRaw((await forwardPlane(t, [malformed, malformed], { forward: { retry: { on: ['invalid-response'] } } })).port, POST);
    again.client.destroy();
    t.is(statusOf(again.message), 502, 'but a POST has been seen');
  });

  test(`an answer with ${what} is 502 where it does not`, async (t) => {
    const plane = await forwardPlane(t, [malformed, malformed]);
    const { message, client } = await exchangeRaw(plane.port, GET);
    client.destroy();
    t.is(statusOf(message), 502);
    t.deepEqual(plane.log[0]!.exchange.attempts.map(({ error }) => error), ['UpstreamProtocolError']);
  });
}

test('if every endpoint says the same, the last of them is heard, after as many tries as the route has', async (t) => {
  const plane = await forwardPlane(t, [unavailable, unavailable, unavailable, unavailable], { forward: on503 });
  const { message, client } = await exchangeRaw(plane.port, GET);
  client.destroy();
  t.is(message.body.toString(), 'sorry');
  t.is(plane.log[0]!.exchange.attempts.length, 3);
  t.is(new Set(plane.log[0]!.exchange.attempts.map((each) => each.endpoint.port)).size, 3, 'a different endpoint each time');
});

for (const [what, second] of [['is reset', reset], ['answers worse', (): string => answer(500, 'worse')]] as const) {
  test(`the answer of an endpoint is never replaced by something worse: the second ${what}`, async (t) => {
    const long = 'all of it '.repeat(50_000);
    let turn = 0;
    const either: typeof ok = (request, socket) => (turn++ % 2 === 0 ? answer(404, long) : second(request, socket));
    const plane = await forwardPlane(t, [either, either], { forward: { retry: { on: ['404', 'error'] } } });
    for (let i = 0; i < 3; i++) {
      turn = 0;
      const { message, client } = await exchangeRaw(plane.port, GET);
      client.destroy();
      t.is(statusOf(message), 404);
      t.is(message.body.toString(), long);
      t.is(plane.log.at(-1)!.exchange.attempts.length, 2);
    }
  });
}

test('with one endpoint its answer passes, whatever it is', async (t) => {
  const plane = await forwardPlane(t, [unavailable], { forward: on503 });
  const { message, client } = await exchangeRaw(plane.port, GET);
  client.destroy();
  t.is(message.body.toString(), 'sorry');
});

test('proxy-next-upstream off means one try, also for a refused connection', async (t) => {
  const once = { retry: { attempts: 1 } };
  const gone = await Promise.all([0, 1].map(() => startRecordingEndpoint()));
  for (const each of gone) await each.close();
  const plane = await forwardPlane(t, [reset, reset], { forward: once });
  for (const endpoints of [plane.endpoints, gone.map(({ port }) => endpoint(port))]) {
    await plane.swap(simpleTable(endpoints, once));
    const { message, client } = await exchangeRaw(plane.port, GET);
    client.destroy();
    t.is(statusOf(message), 502);
  }
  t.deepEqual(plane.log.map(({ exchange }) => exchange.attempts.map(({ error }) => error)), [['UpstreamConnectionTermination'], ['UpstreamConnectionFailure']]);
});

test.serial('no further try begins after the total time', async (t) => {
  const late: typeof ok = (_request, socket) => void setTimeout(() => socket.resetAndDestroy(), 150);
  const plane = await forwardPlane(t, [late, late, late], { forward: { retry: { totalMs: 100 } } });
  const { message, client } = await exchangeRaw(plane.port, GET);
  client.destroy();
  t.is(statusOf(message), 502);
  t.is(plane.log[0]!.exchange.attempts.length, 1);
});

test.serial('an endpoint that closes after its answer without a word (1 %) costs no GET, and need not be left for it', async (t) => {
  let served = 0;
  const plane = await forwardPlane(t, [(_request, socket) => {
    if (++served % 100 === 0) setTimeout(() => socket.end(), Math.random() * 4);
    return answer(200, 'x');
  }]);
  const outcomes = await crowd(plane.port, { count: 4_000, clients: 8 });
  t.deepEqual([...outcomes], [['200', 4_000]]);
  t.log(`${plane.log.filter(({ exchange }) => exchange.attempts.length > 1).length} of 4000 requests met a connection that had just been closed`);
});

test.serial('when all endpoints say 503, they get at most 1.2 times what the clients send', async (t) => {
  const plane = await forwardPlane(t, [unavailable, unavailable, unavailable], { forward: on503 });
  const outcomes = await crowd(plane.port, { count: 1_500 });
  t.deepEqual([...outcomes], [['503', 1_500]]);
  const sent = plane.counts().reduce((sum, count) => sum + count, 0);
  t.true(sent <= 1_800, `${sent} requests reached endpoints`);
  t.true(sent > 1_600, `${sent} requests reached endpoints: no retries at all`);
  t.log(`${sent} requests for 1500`);
});

test.serial('a pod that dies with a third of the requests on it loses no GET: that is no storm', async (t) => {
  const pods = await Promise.all([0, 1, 2].map(async () => {
    const server = http.createServer((_request, response) => setTimeout(() => response.end('ok'), 100));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const exit = (): void => {
      server.close();
      server.closeAllConnections();
    };
    t.teardown(exit);
    return { port: (server.address() as AddressInfo).port, exit };
  }));
  const plane = await startDataPlane(simpleTable(pods.map(({ port }) => endpoint(port))));
  t.teardown(() => plane.close());
  setTimeout(() => pods[0]!.exit(), 250);
  const outcomes = await crowd(plane.port, { count: 360, clients: 60 });
  t.deepEqual([...outcomes], [['200', 360]]);
  t.true(plane.log.some(({ exchange }) => exchange.attempts[0]?.error === 'UpstreamConnectionTermination'), 'it had some');
});

for (const [what, bad] of [['resets the connection', reset], ['says 503', unavailable]] as const) {
  test.serial(`one endpoint of three ${what} for 30 % of its requests: no client sees it`, async (t) => {
    const plane = await forwardPlane(t, [(request, socket) => (Math.random() < 0.3 ? bad(request, socket) : ok(request, socket)), ok, ok], { forward: on503 });
    const outcomes = await crowd(plane.port, { count: 3_000 });
    t.true((outcomes.get('200') ?? 0) >= 2_985, JSON.stringify([...outcomes]));
    t.log(JSON.stringify([...outcomes]), plane.counts());
  });
}

test.serial('an endpoint that cannot be connected to is passed over; if all cannot, it is 504 at the connect timeout', async (t) => {
  const hole = await blackHole();
  const good = await startRecordingEndpoint();
  const proxy = await startDataPlane(simpleTable([hole.endpoint], {}, { connectTimeoutMs: 400 }));
  t.teardown(async () => {
    await proxy.close();
    await good.close();
    await hole.close();
  });
  const startedAt = performance.now();
  const alone = await exchangeRaw(proxy.port, GET);
  const tookMs = performance.now() - startedAt;
  alone.client.destroy();
  t.is(statusOf(alone.message), 504);
  t.is(proxy.log[0]!.reason, 'UpstreamConnectionTimeout');
  t.true(tookMs >= 399 && tookMs < 4_000, `${tookMs} ms`);
  t.log(`504 after ${Math.round(tookMs)} ms; the connect timeout is 400`);
  await proxy.swap(simpleTable([hole.endpoint, endpoint(good.port)], {}, { connectTimeoutMs: 400 }));
  for (let i = 0; i < 4; i++) {
    const { message, client } = await exchangeRaw(proxy.port, POST);
    client.destroy();
    t.is(statusOf(message), 200);
  }
  t.is(proxy.log.filter(({ exchange }) => exchange.attempts.length === 2).length, 1, 'once it has timed out it is left out');
});

test.serial('a connect timeout is followed by another endpoint, however long it is; with a total time that it uses up it is not', async (t) => {
  const hole = await blackHole();
  const good = await startRecordingEndpoint();
  t.teardown(async () => {
    await good.close();
    await hole.close();
  });
  const { retry } = DEFAULT_TEST_OPTIONS.forwarding;
  for (const [totalMs, expected] of [[{ atLeastMs: 100 }, 200], [100, 504]] as const) {
    const proxy = await startDataPlane(simpleTable([hole.endpoint, endpoint(good.port)], {}, { connectTimeoutMs: 400 }), { forwarding: { retry: { ...retry, totalMs } } });
    const statuses = [];
    for (let nth = 0; nth < 2; nth++) {
      const { message, client } = await exchangeRaw(proxy.port, GET);
      client.destroy();
      statuses.push(statusOf(message));
    }
    await proxy.close();
    t.true(proxy.log.some(({ exchange }) => exchange.attempts[0]!.error === 'UpstreamConnectionTimeout'), 'the hole was asked');
    t.deepEqual(statuses.sort(), [200, expected]);
  }
});

test.serial('an endpoint that accepts and never answers is 504 at the read timeout, and holds up no other service', async (t) => {
  let most = 0;
  let present = 0;
  const hanging: typeof ok = (_request, socket) => {
    most = Math.max(most, ++present);
    socket.once('close', () => present--);
    return undefined;
  };
  const plane = await forwardPlane(t, [hanging], { forward: { timeouts: { responseHeadMs: 300 } }, forwarding: { endpointRequests: 20, waitingRequests: 0 } });
  const other = await startRecordingEndpoint();
  t.teardown(() => other.close());
  const table = simpleTable(plane.endpoints, { timeouts: { responseHeadMs: 300 } });
  const host = Object.values(table.virtualHosts!)[0]!;
  const good = { ...host.routes[0]!, name: 'good', match: { ...host.routes[0]!.match, path: { type: 'PathPrefix' as const, value: '/good' } }, action: { type: 'Forward' as const, clusters: [{ cluster: 'test/good:80', weight: 1 }] } };
  await plane.swap({
    virtualHosts: { 'http/*': { ...host, routes: [good, ...host.routes] } },
    clusters: { ...table.clusters, 'test/good:80': { ...table.clusters!['test/web:80']!, name: 'test/good:80' } },
    endpoints: { ...table.endpoints, 'test/good:80': [endpoint(other.port)] },
  });
  const [hung, fine] = await Promise.all([crowd(plane.port, { count: 60, clients: 60 }), crowd(plane.port, { count: 300, clients: 4, path: '/good' })]);
  t.deepEqual([...fine], [['200', 300]]);
  t.deepEqual([...hung.keys()].sort(), ['503', '504'], 'as many as it may have time out, the others are turned away at once');
  t.true(most <= 20, `${most} at a time`);
  const timedOut = plane.log.filter(({ status }) => status === 504).map(({ exchange }) => exchange.attempts[0]!.elapsedMs ?? 0);
  t.true(Math.min(...timedOut) >= 299 && Math.max(...timedOut) < 4_000, `${Math.min(...timedOut)} to ${Math.max(...timedOut)} ms`);
  t.log(`504 after ${Math.round(Math.min(...timedOut))} to ${Math.round(Math.max(...timedOut))} ms; the timeout is 300`);
});

const BIG = 'x'.repeat(200_000);
/** Bodies that are streamed: the bytes of a request, and how endpoints are used. */
const STREAMED: readonly (readonly [string, string, boolean, 'HTTP/1.1' | 'HTTP/2'])[] = [
  ['a length', `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${BIG.length}\r\n\r\n${BIG}`, false, 'HTTP/1.1'],
  ['a length beyond what is held', `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${BIG.length}\r\n\r\n${BIG}`, true, 'HTTP/1.1'],
  ['chunks', `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${BIG.length.toString(16)}\r\n${BIG}\r\n0\r\n\r\n`, false, 'HTTP/1.1'],
  ['a length, for an endpoint that speaks HTTP/2', `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${BIG.length}\r\n\r\n${BIG}`, false, 'HTTP/2'],
];

for (const [what, bytes, requestBuffering, protocol] of STREAMED) {
  test(`a streamed body with ${what} goes to another endpoint if the first refused before a byte was sent`, async (t) => {
    const count = (request: Readable, done: (bytes: number) => void): void => {
      let received = 0;
      request.on('data', (chunk: Buffer) => (received += chunk.length)).on('end', () => done(received));
    };
    const server = protocol === 'HTTP/1.1'
      ? http.createServer((request, response) => count(request, (received) => response.end(String(received))))
      : http2.createServer((request, response) => count(request, (received) => response.end(String(received))));
    const closed = net.createServer();
    const [port, refusing] = await Promise.all([server, closed].map((each) => new Promise<number>((resolve) => each.listen(0, '127.0.0.1', () => resolve((each.address() as AddressInfo).port)))));
    closed.close();
    const plane = await startDataPlane(simpleTable([endpoint(port!), endpoint(refusing!)], { requestBuffering }, { protocol }));
    t.teardown(async () => {
      await plane.close();
      server.close();
    });
    // Once it is ejected, the one that refuses is not asked any more.
    for (let nth = 0; nth < 2; nth++) {
      const { message, client } = await exchangeRaw(plane.port, bytes);
      client.destroy();
      t.is(message.body.toString(), String(BIG.length));
    }
    t.true(plane.log.some(({ exchange }) => exchange.attempts.length === 2), 'it was asked');
  });
}

test('an answer that has no other endpoint to be asked for a better one uses up none of the retries', async (t) => {
  const met = new Set<net.Socket>();
  const plane = await forwardPlane(t, [(request, socket) => {
    const reused = met.has(socket);
    met.add(socket);
    if (request.startLine.includes('/503')) return unavailable();
    return reused ? reset(request, socket) : ok(request, socket);
  }], { forward: on503 });
  t.deepEqual([...(await crowd(plane.port, { count: 60, clients: 1, path: '/503' }))], [['503', 60]]);
  t.is((await untilRetried(plane, GET)).status, 200);
  t.deepEqual(plane.log.at(-1)!.exchange.attempts.map(({ error, status }) => error ?? status), ['UpstreamConnectionTermination', 200]);
});
