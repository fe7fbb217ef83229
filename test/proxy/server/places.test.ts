// Full endpoints: the cap per endpoint, the waiting room before a cluster, and what is left out when endpoints fail.
import type { ServerHttp2Stream } from 'node:http2';
import test from 'ava';
import type net from 'node:net';
import { endpoint, simpleTable, startDataPlane } from '../../support/data-plane.ts';
import { rawEndpoint } from '../../support/endpoint-raw.ts';
import { answer, crowd, forwardPlane, ok } from '../../support/forward-plane.ts';
import type { AnswerWith } from '../../support/forward-plane.ts';
import { nodeHttp2Endpoint } from '../../support/http2-node-endpoint.ts';
import { FLAG, FRAME, RawHttp2Client, frame, requestFields } from '../../support/raw-http2.ts';
import { RawClient, exchangeRaw, statusOf } from '../../support/raw-client.ts';
import { field } from '../../support/strict-http1.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

/** An endpoint that answers when it is told to. */
function patient(): { readonly answer: AnswerWith; readonly waiting: net.Socket[]; release(): void } {
  const waiting: net.Socket[] = [];
  return {
    waiting,
    answer: (_request, socket) => void waiting.push(socket),
    release: () => void waiting.shift()?.write(answer(200, 'at last')),
  };
}

async function until(look: () => boolean, what: string, ms = 5000): Promise<void> {
  for (const deadline = performance.now() + ms; !look(); await new Promise((resolve) => setTimeout(resolve, 5))) {
    if (performance.now() > deadline) throw new Error(`not within ${ms} ms: ${what}`);
  }
}

async function ask(port: number): Promise<RawClient> {
  const client = await RawClient.connect(port);
  client.write(GET);
  return client;
}

test('an endpoint never has more than its cap; who comes then waits, first come first served, and who finds the room full is told when to come again', async (t) => {
  const slow = patient();
  const plane = await forwardPlane(t, [slow.answer], { forwarding: { endpointRequests: 2, waitingRequests: 2 }, cluster: { connectTimeoutMs: 10_000 } });
  const clients: RawClient[] = [];
  for (let nth = 0; nth < 4; nth++) {
    clients.push(await ask(plane.port));
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await until(() => slow.waiting.length === 2, 'the endpoint has two');
  const refused = await exchangeRaw(plane.port, GET);
  t.is(statusOf(refused.message), 503);
  t.is(field(refused.message, 'retry-after'), '1');
  t.is(plane.log[0]!.reason, 'UpstreamOverflow');
  t.is(slow.waiting.length, 2);
  slow.release();
  await clients[0]!.responses(1);
  await until(() => plane.counts()[0] === 3, 'the third has a place');
  t.is(clients[3]!.received.length, 0);
  slow.release();
  slow.release();
  await Promise.all([clients[1]!.responses(1), clients[2]!.responses(1)]);
  await until(() => plane.counts()[0] === 4, 'the fourth has a place');
  slow.release();
  await clients[3]!.responses(1);
  for (const client of [...clients, refused.client]) client.destroy();
});

for (const protocol of ['HTTP/1.1', 'HTTP/2'] as const) {
  test.serial(`an endpoint that may have more than a thousand requests has them, in ${protocol}: nothing beneath has a limit of its own`, async (t) => {
    const held: (() => void)[] = [];
    const all = 1_100;
    const hold = (answerIt: () => void): void => {
      held.push(answerIt);
      if (held.length === all) for (const release of held) release();
    };
    const slow = protocol === 'HTTP/1.1'
      ? await rawEndpoint((_request, socket) => hold(() => void socket.write(answer(200, 'at last'))))
      : await nodeHttp2Endpoint(t, { answer: (stream) => hold(() => {
        stream.respond({ ':status': 200 });
        stream.end();
      }) });
    const plane = await startDataPlane(simpleTable([slow.endpoint], {}, { protocol }), { forwarding: { endpointRequests: all, waitingRequests: 0 } });
    t.teardown(async () => {
      await plane.close();
      if ('close' in slow) await slow.close();
    });
    t.deepEqual([...(await crowd(plane.port, { count: all, clients: all }))], [['200', all]]);
  });
}

test.serial('an endpoint that grants fewer streams than it may have requests is waited for as long as for a place, and then it is 503 with Retry-After', async (t) => {
  const held: ServerHttp2Stream[] = [];
  const slow = await nodeHttp2Endpoint(t, { settings: { maxConcurrentStreams: 1 }, answer: (stream) => void held.push(stream) });
  const plane = await startDataPlane(simpleTable([slow.endpoint], {}, { protocol: 'HTTP/2', connectTimeoutMs: 500 }));
  t.teardown(() => plane.close());
  const startedAt = performance.now();
  const clients = await Promise.all(Array.from({ length: 40 }, () => ask(plane.port)));
  await until(() => plane.log.length > 0, 'the first that waits is turned away');
  const tookMs = performance.now() - startedAt;
  t.true(tookMs >= 499 && tookMs < 4_000, `${tookMs} ms`);
  await until(() => plane.log.length === 40 - held.length, 'and so are the others');
  for (const stream of held) {
    stream.respond({ ':status': 200 });
    stream.end();
  }
  const answers = (await Promise.all(clients.map((client) => client.responses(1)))).map(([message]) => message!);
  const refused = answers.filter((message) => statusOf(message) === 503);
  t.is(answers.filter((message) => statusOf(message) === 200).length, held.length);
  t.true(refused.length > 0 && refused.length + held.length === 40, `${refused.length}`);
  t.true(refused.every((message) => field(message, 'retry-after') === '1'));
  t.true(plane.log.filter(({ status }) => status === 503).every(({ reason }) => reason === 'UpstreamOverflow'));
  for (const client of clients) client.destroy();
});

test('waiting ends with the connect timeout, and with a new endpoint', async (t) => {
  const slow = patient();
  const plane = await forwardPlane(t, [slow.answer, ok], { forwarding: { endpointRequests: 1 }, cluster: { connectTimeoutMs: 300 } });
  await plane.swap(simpleTable(plane.endpoints.slice(0, 1), {}, { connectTimeoutMs: 300 }));
  const first = await ask(plane.port);
  await until(() => slow.waiting.length === 1, 'the endpoint is busy');
  const startedAt = performance.now();
  const late = await exchangeRaw(plane.port, GET);
  t.is(statusOf(late.message), 503);
  t.is(field(late.message, 'retry-after'), '1');
  t.is(plane.log[0]!.reason, 'UpstreamOverflow');
  t.true(performance.now() - startedAt >= 299);
  const saved = await ask(plane.port);
  await new Promise((resolve) => setTimeout(resolve, 50));
  await plane.swap({ endpoints: { 'test/web:80': plane.endpoints } });
  const [message] = await saved.responses(1);
  t.is(statusOf(message!), 200);
  for (const client of [first, late.client, saved]) client.destroy();
});

test('who waits is told at once when the last endpoint goes, and costs nothing once it has left', async (t) => {
  const slow = patient();
  const plane = await forwardPlane(t, [slow.answer], { forwarding: { endpointRequests: 1 }, cluster: { connectTimeoutMs: 10_000 } });
  const first = await ask(plane.port);
  await until(() => slow.waiting.length === 1, 'the endpoint is busy');
  const leaver = await ask(plane.port);
  const waiter = await ask(plane.port);
  await new Promise((resolve) => setTimeout(resolve, 30));
  leaver.destroy();
  await until(() => plane.log.length === 1, 'the leaver is in the log');
  t.is(plane.log[0]!.status, 499);
  await plane.swap({ endpoints: { 'test/web:80': [] } });
  const [message] = await waiter.responses(1);
  t.is(statusOf(message!), 503);
  t.true(message!.body.toString().includes('NoHealthyUpstream'));
  slow.release();
  t.is(statusOf((await first.responses(1))[0]!), 200, 'an endpoint that left the table finishes what it has');
  for (const client of [first, waiter]) client.destroy();
});

test('a place is free again however its request ended', async (t) => {
  const plane = await forwardPlane(t, [(request, socket) => (request.startLine.includes('/reset') ? void socket.resetAndDestroy() : ok(request, socket))], { forwarding: { endpointRequests: 4, waitingRequests: 0 } });
  for (const path of ['/reset', '/', '/reset', '/']) await crowd(plane.port, { count: 40, clients: 4, path });
  const outcomes = await crowd(plane.port, { count: 40, clients: 4 });
  t.deepEqual([...outcomes], [['200', 40]]);
});

test('an endpoint that refuses is left out for a second, then for two, and comes back as soon as the table says something new of it', async (t) => {
  const plane = await forwardPlane(t, [ok, ok, ok]);
  const { port } = plane.endpoints[0]!;
  await plane.backends[0]!.close();
  const tries = (): number[] => plane.log.flatMap(({ exchange }) => exchange.attempts).filter((each) => each.endpoint.port === port).map(({ startedAt }) => startedAt);
  while (tries().length < 3) t.deepEqual([...(await crowd(plane.port, { count: 20, clients: 1, rate: 200 }))], [['200', 20]]);
  const [first, second, third] = tries() as [number, number, number];
  t.true(second - first >= 1_000, `${second - first} ms`);
  t.true(third - second >= 2_000, `${third - second} ms`);
  const changed = plane.endpoints.map((each) => (each.port === port ? { ...each, serving: false } : each));
  await plane.swap({ endpoints: { 'test/web:80': changed } });
  await crowd(plane.port, { count: 6, clients: 1 });
  const fourth = tries()[3] ?? Infinity;
  t.true(fourth - third < 4_000, 'what was known of it is forgotten with the change');
});

test('never more than half of the endpoints are left out', async (t) => {
  const plane = await forwardPlane(t, [ok, ok, ok, ok], { forward: { retry: { attempts: 0 } } });
  for (const backend of plane.backends.slice(0, 3)) await backend.close();
  const outcomes = await crowd(plane.port, { count: 100, clients: 1 });
  t.deepEqual([...outcomes], [['200', 100]]);
  const refused = plane.log.filter(({ exchange }) => exchange.attempts[0]?.error !== undefined).length;
  t.true(refused >= 40, `one of the dead may not be left out, and is met first again and again: ${refused} times`);
});

test('scaling from 1 to 100 and back loses no request and ends fair', async (t) => {
  const plane = await forwardPlane(t, Array.from({ length: 100 }, () => ok));
  const running = crowd(plane.port, { count: 6_000, clients: 12, rate: 1_500 });
  const all = plane.endpoints;
  for (const size of [1, 10, 40, 70, 100]) {
    await plane.swap({ endpoints: { 'test/web:80': all.slice(0, size).map(({ port }) => endpoint(port)) } });
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  const before = plane.counts();
  await new Promise((resolve) => setTimeout(resolve, 1_300));
  const spread = plane.counts().map((count, nth) => count - before[nth]!);
  for (const size of [50, 1]) {
    await plane.swap({ endpoints: { 'test/web:80': all.slice(0, size) } });
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  t.deepEqual([...(await running)], [['200', 6_000]]);
  const fair = spread.reduce((sum, count) => sum + count, 0) / 100;
  // On a busy machine each gets only a few in that time, and one more or less is no other share.
  t.true(Math.min(...spread) >= fair * 0.85 - 1 && Math.max(...spread) <= fair * 1.15 + 1, `${Math.min(...spread)} to ${Math.max(...spread)}, fair is ${fair}`);
  t.log(`per endpoint ${Math.min(...spread)} to ${Math.max(...spread)}, fair is ${fair}`);
});

for (const version of ['HTTP/1.1', 'HTTP/2'] as const) {
  test(`who takes nothing of an answer gives way when somebody else waits for the place, and not before (${version})`, async (t) => {
    const large: AnswerWith = (request) => (request.startLine.includes('/large') ? answer(200, 'x'.repeat(8_000_000)) : answer(200, 'small'));
    const plane = await forwardPlane(t, [large], { forwarding: { endpointRequests: 3, waitingRequests: 10 }, cluster: { connectTimeoutMs: 5_000 } });
    const stalled: { readonly closed: boolean; destroy(): void }[] = [];
    if (version === 'HTTP/2') {
      for (let nth = 0; nth < 3; nth++) {
        const client = await RawHttp2Client.connect(plane.port);
        client.write(client.headers(1, requestFields('GET', '/large'), true));
        await until(() => plane.counts()[0] === nth + 1, 'it has a place');
        stalled.push({ get closed() { return client.frames.some((frame) => frame.type === FRAME.RST_STREAM && frame.stream === 1); }, destroy: () => client.destroy() });
      }
    } else {
      for (let nth = 0; nth < 3; nth++) {
        const client = await RawClient.connect(plane.port);
        client.socket.pause();
        client.write('GET /large HTTP/1.1\r\nHost: a\r\n\r\n');
        const gone = (): boolean => plane.log.some(({ exchange }) => exchange.client.port === client.socket.localPort);
        stalled.push({ get closed() { return gone(); }, destroy: () => client.destroy() });
      }
    }
    await until(() => plane.counts()[0] === 3, 'all places are taken');
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    t.is(stalled.filter(({ closed }) => closed).length, 0, 'nobody needs their places');
    const { message, client } = await exchangeRaw(plane.port, GET);
    t.is(message.body.toString(), 'small');
    client.destroy();
    await until(() => stalled.some(({ closed }) => closed), 'one gave way');
    t.is(stalled.filter(({ closed }) => closed).length, 1);
    if (version === 'HTTP/2') t.true(stalled[0]!.closed, 'the one that had taken nothing for longest');
    const lost = plane.log.find(({ reason }) => reason === 'DownstreamStalled');
    t.is(lost?.exchange.request.target, '/large');
    for (const one of stalled) one.destroy();
  });
}

test('who gets a place at once, because a stalled client gives way, is not told later that the wait was too long', async (t) => {
  const large: AnswerWith = (request, socket) => {
    if (request.startLine.includes('/large')) return answer(200, 'x'.repeat(8_000_000));
    setTimeout(() => socket.write(answer(200, 'slow')), 900);
    return undefined;
  };
  const plane = await forwardPlane(t, [large], { forwarding: { endpointRequests: 1, waitingRequests: 10 }, cluster: { connectTimeoutMs: 300 } });
  const stalled = await RawClient.connect(plane.port);
  t.teardown(() => stalled.destroy());
  stalled.socket.pause();
  stalled.write('GET /large HTTP/1.1\r\nHost: a\r\n\r\n');
  await until(() => plane.counts()[0] === 1, 'the place is taken');
  await new Promise((resolve) => setTimeout(resolve, 3_500));
  const { message, client } = await exchangeRaw(plane.port, GET);
  t.is(message.body.toString(), 'slow');
  client.destroy();
});

test('a connection of HTTP/2 gets no more places than it leaves for others, whose requests do not wait; what it asks for beyond them waits', async (t) => {
  const held: net.Socket[] = [];
  const slow: AnswerWith = (request, socket) => (request.startLine.includes('/slow') ? void held.push(socket) : answer(200, 'small'));
  const plane = await forwardPlane(t, [slow], { forwarding: { endpointRequests: 10, waitingRequests: 100 }, cluster: { connectTimeoutMs: 10_000 } });
  const greedy = await RawHttp2Client.connect(plane.port);
  t.teardown(() => greedy.destroy());
  greedy.write(...Array.from({ length: 50 }, (_, nth) => greedy.headers(1 + 2 * nth, requestFields('GET', '/slow'), true)));
  await until(() => held.length === 5, 'half of the places are taken');
  const startedAt = performance.now();
  for (let nth = 0; nth < 20; nth++) {
    const { message, client } = await exchangeRaw(plane.port, GET);
    t.is(message.body.toString(), 'small');
    client.destroy();
  }
  t.log(`20 others were answered within ${Math.round(performance.now() - startedAt)} ms`);
  t.is(held.length, 5);
  held.shift()!.write(answer(200, 'late'));
  await until(() => held.length === 5, 'the next of them has its turn');
});

for (const leaves of ['terminates', 'has left'] as const) {
  test(`what an endpoint that ${leaves} goes on with takes no place from the one that came for it`, async (t) => {
    const [old, young] = await Promise.all([rawEndpoint((_request, socket) => void held.push(socket)), rawEndpoint((_request, socket) => socket.write(answer(200, 'young')))]);
    const held: net.Socket[] = [];
    const table = simpleTable([old.endpoint]);
    const plane = await startDataPlane(table, { forwarding: { endpointRequests: 4, waitingRequests: 10 } });
    t.teardown(async () => {
      await plane.close();
      await Promise.all([old.close(), young.close()]);
    });
    const busy = await Promise.all(Array.from({ length: 4 }, () => ask(plane.port)));
    await until(() => held.length === 4, 'the old one is full');
    const leaving = leaves === 'terminates' ? [{ ...old.endpoint, ready: false, terminating: true }] : [];
    await plane.swap({ endpoints: { 'test/web:80': [...leaving, young.endpoint] } });
    const client = await RawHttp2Client.connect(plane.port);
    t.teardown(() => client.destroy());
    client.write(client.headers(1, requestFields('GET', '/'), true));
    const { payload } = await client.until(({ type, stream }) => type === FRAME.DATA && stream === 1);
    t.is(payload.toString(), 'young');
    for (const socket of held) socket.write(answer(200, 'old'));
    for (const one of busy) {
      t.is((await one.responses(1))[0]?.body.toString(), 'old');
      one.destroy();
    }
  });
}

test('who has a place and wants another one is not kept from it by clients that stall and leave a single one free', async (t) => {
  const app: AnswerWith = (request) => {
    if (request.startLine.includes('/events')) return 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n';
    return answer(200, request.startLine.includes('/large') ? 'x'.repeat(3_000_000) : 'small');
  };
  const plane = await forwardPlane(t, [app], { forwarding: { endpointRequests: 4, waitingRequests: 100 }, cluster: { connectTimeoutMs: 5_000 } });
  const [client, ...deaf] = await Promise.all(Array.from({ length: 3 }, () => RawHttp2Client.connect(plane.port)));
  t.teardown(() => [client!, ...deaf].forEach((each) => each.destroy()));
  client!.write(client!.headers(1, requestFields('GET', '/events'), true));
  await client!.until(({ type, stream }) => type === FRAME.DATA && stream === 1);
  for (const each of deaf) each.write(...Array.from({ length: 4 }, (_, nth) => each.headers(nth * 2 + 1, requestFields('GET', '/large'), true)));
  await until(() => plane.counts()[0] === 4, 'all places are taken');
  client!.write(client!.headers(3, requestFields('GET', '/small'), true));
  const { payload } = await client!.until(({ type, stream }) => type === FRAME.DATA && stream === 3, 8_000);
  t.is(payload.toString(), 'small');
});

test('clients take turns in waiting, and none fills the room for the others', async (t) => {
  const held: { readonly path: string; readonly socket: net.Socket }[] = [];
  const slow: AnswerWith = (request, socket) => void held.push({ path: request.startLine.split(' ')[1] ?? '', socket });
  const plane = await forwardPlane(t, [slow], { forwarding: { endpointRequests: 1, waitingRequests: 8 }, cluster: { connectTimeoutMs: 10_000 } });
  const [greedy, modest] = [await RawHttp2Client.connect(plane.port), await RawHttp2Client.connect(plane.port)];
  t.teardown(() => [greedy, modest].forEach((client) => client.destroy()));
  greedy.write(...Array.from({ length: 20 }, (_, nth) => greedy.headers(1 + 2 * nth, requestFields('GET', '/greedy'), true)));
  await until(() => held.length === 1 && plane.log.length === 11, 'one has the place, eight wait, and the others are told so');
  modest.write(modest.headers(1, requestFields('GET', '/modest'), true), modest.headers(3, requestFields('GET', '/modest'), true));
  await until(() => plane.log.length === 13, 'two of those that waited have to go');
  t.true(plane.log.every(({ status, reason, exchange }) => status === 503 && reason === 'UpstreamOverflow' && exchange.request.path === '/greedy'));
  const order: string[] = [];
  for (let nth = 0; nth < 9; nth++) {
    await until(() => held.length === 1, 'somebody has the place');
    const { path, socket } = held.pop()!;
    order.push(path);
    socket.write(answer(200, 'done'));
  }
  t.deepEqual(order, ['/greedy', '/modest', '/greedy', '/modest', '/greedy', '/greedy', '/greedy', '/greedy', '/greedy']);
});

test('who was told to send a body and sends nothing gives way too; who sends slowly does not', async (t) => {
  const app = await rawEndpoint((request, socket) => {
    if (request.values('expect').length > 0) socket.write('HTTP/1.1 100 Continue\r\n\r\n');
    else socket.write(answer(200, 'small'));
  });
  t.teardown(() => app.close());
  const plane = await startDataPlane(simpleTable([app.endpoint], {}, { connectTimeoutMs: 5_000 }), { forwarding: { endpointRequests: 2, waitingRequests: 10 } });
  t.teardown(() => plane.close());
  const [silent, slow] = await Promise.all(Array.from({ length: 2 }, async () => {
    const client = await RawClient.connect(plane.port);
    client.write('POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1000\r\n\r\n');
    await client.until(() => (client.received.includes('100 Continue') ? true : undefined));
    return client;
  }));
  const sender = setInterval(() => slow!.write('x'), 200);
  const { message, client } = await exchangeRaw(plane.port, GET);
  clearInterval(sender);
  t.is(message.body.toString(), 'small');
  await silent!.until(() => (silent!.received.includes('HTTP/1.1 408') ? true : undefined));
  t.false(slow!.closed);
  t.deepEqual(plane.log.map(({ reason }) => reason).filter((reason) => reason === 'DownstreamStalled').length, 1);
  for (const each of [silent!, slow!, client]) each.destroy();
});

for (const version of ['HTTP/1.1', 'HTTP/2'] as const) {
  test(`who waits to be told to send a body does not stall, however long the endpoint takes for that (${version})`, async (t) => {
    const app = await rawEndpoint((request, socket) => {
      if (request.values('expect').length === 0) return void socket.write(answer(200, 'small'));
      socket.once('data', () => socket.write(answer(200, 'taken')));
      setTimeout(() => socket.write('HTTP/1.1 100 Continue\r\n\r\n'), 1_500);
      return undefined;
    });
    const plane = await startDataPlane(simpleTable([app.endpoint], {}, { connectTimeoutMs: 5_000 }), { forwarding: { endpointRequests: 1, waitingRequests: 10 } });
    t.teardown(async () => {
      await plane.close();
      await app.close();
    });
    const client = version === 'HTTP/2' ? await RawHttp2Client.connect(plane.port) : await RawClient.connect(plane.port);
    t.teardown(() => client.destroy());
    const told = async (): Promise<string> => {
      if (client instanceof RawClient) {
        client.write('POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n');
        await client.until(() => (client.received.includes('\r\n\r\n') ? true : undefined));
        client.write('hello');
        return client.until(() => /taken|Stalled/.exec(client.received.toString('latin1'))?.[0]);
      }
      client.write(client.headers(1, requestFields('POST', '/', 'a', [['expect', '100-continue'], ['content-length', '5']]), false));
      await client.until(({ type, stream }) => type === FRAME.HEADERS && stream === 1);
      client.write(frame(FRAME.DATA, FLAG.END_STREAM, 1, 'hello'));
      const { payload } = await client.until(({ type, stream }) => type === FRAME.DATA && stream === 1);
      return payload.toString();
    };
    const answered = told();
    await until(() => app.requests.length === 1, 'the place is taken');
    const { message, client: other } = await exchangeRaw(plane.port, GET);
    t.is(await answered, 'taken');
    t.is(message.body.toString(), 'small');
    other.destroy();
  });
}

test('beside an endpoint that refuses, whoever finds the others full waits for them, and is not refused with it', async (t) => {
  const slow = patient();
  const plane = await forwardPlane(t, [slow.answer, ok], { forwarding: { endpointRequests: 1 }, cluster: { connectTimeoutMs: 10_000 } });
  await plane.backends[1]!.close();
  const clients: RawClient[] = [];
  for (let nth = 0; nth < 6; nth++) {
    clients.push(await ask(plane.port));
    await until(() => slow.waiting.length === 1, 'the endpoint that serves has one');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  for (let nth = 0; nth < 6; nth++) {
    await until(() => slow.waiting.length === 1, 'the next one has the place');
    slow.release();
  }
  const answers = await Promise.all(clients.map((client) => client.responses(1)));
  for (const client of clients) client.destroy();
  t.deepEqual(answers.map(([message]) => statusOf(message!)), [200, 200, 200, 200, 200, 200]);
  const refused = plane.log.filter(({ exchange }) => exchange.attempts.some(({ error }) => error !== undefined));
  t.true(refused.length > 0 && refused.length < 6, `${refused.length} have been there`);
});

test('who was refused and waits for the others is told in time that it was too long', async (t) => {
  const slow = patient();
  const plane = await forwardPlane(t, [slow.answer, ok], { forwarding: { endpointRequests: 1 }, cluster: { connectTimeoutMs: 200 } });
  await plane.backends[1]!.close();
  const first = await ask(plane.port);
  await until(() => slow.waiting.length === 1, 'the endpoint that serves has one');
  const { message, client } = await exchangeRaw(plane.port, GET);
  t.deepEqual([statusOf(message), field(message, 'retry-after'), plane.log[0]!.reason], [503, '1', 'UpstreamOverflow']);
  client.destroy();
  slow.release();
  await first.responses(1);
  first.destroy();
  const last = await ask(plane.port);
  await until(() => slow.waiting.length === 1, 'the place is free again');
  slow.release();
  t.is(statusOf((await last.responses(1))[0]!), 200);
  last.destroy();
});
