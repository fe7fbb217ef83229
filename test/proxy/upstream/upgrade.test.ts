// WebSocket tunnels between a real client, the tunnel and a real or scripted endpoint.
import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import test from 'ava';
import { WebSocket, WebSocketServer } from 'ws';
import type { Endpoint } from '../../../proxy/table/cluster.ts';
import { Connector } from '../../../proxy/upstream/connector.ts';
import { tunneller } from '../../../proxy/upstream/upgrade.ts';
import { testCluster, until } from '../../support/endpoint-call.ts';
import { front } from '../../support/endpoint-front.ts';
import { bytes, endpointAt, REFUSING, resetAfter, silent } from '../../support/endpoint-raw.ts';
import { testCa } from '../../support/endpoint-tls.ts';
import { LINGER_MS, STALL_MS, SWITCH, UPGRADE, rawClient, scripted, tunnel } from '../../support/tunnel-site.ts';
import type { Teardown } from '../../support/tunnel-site.ts';

interface EchoServer {
  readonly endpoint: Endpoint;
  readonly sockets: Set<WebSocket>;
  readonly requests: http.IncomingMessage[];
  /** Codes with which connections were closed. */
  readonly codes: number[];
}

async function echoServer(t: Teardown, tls?: https.ServerOptions): Promise<EchoServer> {
  const server = tls === undefined ? http.createServer() : https.createServer(tls);
  const webSockets = new WebSocketServer({ server, maxPayload: 8 * 1024 * 1024 });
  const echo: { -readonly [K in keyof EchoServer]: EchoServer[K] } = { endpoint: endpointAt(0), sockets: new Set(), requests: [], codes: [] };
  webSockets.on('connection', (socket, request) => {
    echo.sockets.add(socket);
    echo.requests.push(request);
    socket.on('error', () => {});
    socket.on('message', (data, binary) => socket.send(data, { binary }));
    socket.on('close', (code) => {
      echo.codes.push(code);
      echo.sockets.delete(socket);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  echo.endpoint = endpointAt((server.address() as net.AddressInfo).port);
  t.teardown(async () => {
    for (const socket of webSockets.clients) socket.terminate();
    await new Promise((resolve) => server.close(resolve));
  });
  return echo;
}

async function connect(t: Teardown, port: number, options: { scheme?: string; target?: string; ca?: string; headers?: Record<string, string> } = {}): Promise<WebSocket> {
  const client = new WebSocket(`${options.scheme ?? 'ws'}://127.0.0.1:${port}${options.target ?? '/'}`, { ca: options.ca, headers: options.headers, maxPayload: 8 * 1024 * 1024 });
  client.on('error', () => {});
  t.teardown(() => client.terminate());
  await once(client, 'open');
  return client;
}

test('messages of 1 MB are echoed whole, and the tunnel counts them', async (t) => {
  const echo = await echoServer(t);
  const { front: made, connector } = await tunnel(t, echo.endpoint);
  const client = await connect(t, made.port);
  const message = Buffer.alloc(1024 * 1024, 'm');
  for (let nth = 0; nth < 5; nth++) {
    client.send(message);
    const [data] = (await once(client, 'message')) as [Buffer];
    t.true(data.equals(message));
  }
  t.is(connector.open, 1);
  client.close(1000);
  const [record] = made.records;
  await record?.over;
  t.deepEqual(record?.events, ['switched', 'close']);
  t.is(record?.error, undefined);
  t.true((record?.bytesIn ?? 0) > 5 * message.length && (record?.bytesOut ?? 0) > 5 * message.length);
  t.is(connector.open, 0);
  await until(() => echo.codes.length === 1);
  t.deepEqual(echo.codes, [1000]);
});

test('the endpoint gets path and headers as given, once each, and the client what the caller returns', async (t) => {
  const echo = await echoServer(t);
  const { front: made } = await tunnel(t, echo.endpoint, {
    change: (request) => ({ ...request, headers: ['X-First', '1', ...request.headers, 'X-Multi', 'a', 'x-multi', 'b', '__proto__', 'p', 'Keep-Alive', 'timeout=5'] }),
    onHead: (headers) => [...headers, 'Set-Cookie', 'a=1', 'Set-Cookie', 'b=2', '__proto__', 'q', 'Content-Length', '0', 'Connection', 'close'],
  });
  const raw = rawClient(t, made.port, UPGRADE.replace('/chat', '/a%2Fb//c/../d?x=//y&z=%00'));
  await until(() => raw.received().includes('\r\n\r\n'));
  const [request] = echo.requests;
  t.is(request?.url, '/a%2Fb//c/../d?x=//y&z=%00');
  const names = (request?.rawHeaders ?? []).filter((_, at) => at % 2 === 0);
  t.deepEqual(names.filter((name) => /^(host|upgrade|connection)$/i.test(name)).length, 3);
  t.is(request?.headers.host, 'chat.example.com');
  t.deepEqual(request?.headersDistinct['x-multi'], ['a', 'b']);
  t.true(names.includes('X-First') && names.includes('__proto__') && !names.includes('Keep-Alive'));
  const head = raw.received().split('\r\n');
  t.is(head[0], 'HTTP/1.1 101 Switching Protocols');
  t.deepEqual(head.filter((line) => /^set-cookie/i.test(line)), ['Set-Cookie: a=1', 'Set-Cookie: b=2']);
  t.deepEqual(head.filter((line) => /^(connection|upgrade):/i.test(line)), ['Connection: Upgrade', 'Upgrade: websocket']);
  t.true(head.includes('__proto__: q'));
  t.false(head.some((line) => /^content-length/i.test(line)));
});

test('an upgrade announces no trailers, nor anything else that a request without a body cannot mean', async (t) => {
  const raw = await scripted(t, bytes(SWITCH));
  const { front: made } = await tunnel(t, raw.endpoint, {
    change: (request) => ({ ...request, headers: [...request.headers, 'Trailer', 'X-Sum', 'tRAILER', 'X-B', 'TE', 'trailers', 'Content-Length', '0', 'Expect', '100-continue', 'Trailers', 'kept'] }),
  });
  const client = rawClient(t, made.port, UPGRADE);
  await until(() => client.received().includes('\r\n\r\n'));
  t.deepEqual(raw.requests[0]?.headers.map(([name]) => name).filter((name) => /^(trailer|te|content-length|expect)/i.test(name)), ['Trailers']);
});

test('TLS on both sides, with the name of the cluster', async (t) => {
  const ca = testCa();
  const echo = await echoServer(t, ca.issue(['web.shop.svc']));
  const cluster = testCluster({ tls: { serverName: 'web.shop.svc', verify: true, caPem: ca.certPem } });
  const { front: made } = await tunnel(t, echo.endpoint, { cluster, tls: ca.issue(['127.0.0.1']) });
  const client = await connect(t, made.port, { scheme: 'wss', ca: ca.certPem });
  client.send('over tls');
  const [data] = (await once(client, 'message')) as [Buffer];
  t.is(data.toString(), 'over tls');
  const wrong = await tunnel(t, echo.endpoint, { cluster: testCluster({ tls: { serverName: 'other.svc', verify: true, caPem: ca.certPem } }) });
  const refused = rawClient(t, wrong.front.port, UPGRADE);
  await refused.closed;
  t.regex(refused.received(), /^HTTP\/1\.1 502 .*UpstreamConnectionFailure$/s);
});

test('bytes that follow the head are held back until the endpoint has switched', async (t) => {
  let after = '';
  const raw = await scripted(t, (_request, socket) => {
    socket.removeAllListeners('data');
    socket.on('data', (data: Buffer) => (after += data.toString('latin1')));
  });
  const { front: made } = await tunnel(t, raw.endpoint);
  const client = rawClient(t, made.port, `${UPGRADE}early`);
  await until(() => raw.requests.length === 1);
  client.socket.write(' later');
  await new Promise((resolve) => setTimeout(resolve, 150));
  t.is(after, '');
  t.deepEqual(raw.errors, []);
  for (const socket of raw.open) socket.write(SWITCH);
  await until(() => after.length >= 11);
  t.is(after, 'early later');
  t.is(made.records[0]?.events[0], 'switched');
});

test('bytes that the endpoint sends together with its 101 arrive behind it', async (t) => {
  const raw = await scripted(t, bytes(`${SWITCH}\u0081\u0005hello`));
  const { front: made } = await tunnel(t, raw.endpoint);
  const client = rawClient(t, made.port, UPGRADE);
  await until(() => client.received().endsWith('\u0081\u0005hello'));
  t.is(made.records[0]?.events[0], 'switched');
});

const FAILURES: readonly { title: string; endpoint(t: Teardown): Promise<Endpoint>; reason: string; status: number }[] = [
  { title: 'a refused connection', endpoint: async () => REFUSING, reason: 'UpstreamConnectionFailure', status: 502 },
  { title: 'an upgrade that is never answered', endpoint: async (t) => (await scripted(t, silent)).endpoint, reason: 'UpstreamRequestTimeout', status: 504 },
  { title: 'a reset instead of an answer', endpoint: async (t) => (await scripted(t, resetAfter(''))).endpoint, reason: 'UpstreamConnectionTermination', status: 502 },
  { title: 'garbage', endpoint: async (t) => (await scripted(t, bytes('garbage\r\n\r\n'))).endpoint, reason: 'UpstreamProtocolError', status: 502 },
  { title: 'a switch to another protocol', endpoint: async (t) => (await scripted(t, bytes(SWITCH.replace('websocket', 'h2c')))).endpoint, reason: 'UpstreamProtocolError', status: 502 },
];

for (const { title, endpoint, reason, status } of FAILURES) {
  test(`${title} gives the client's connection back to the caller`, async (t) => {
    const { front: made, connector } = await tunnel(t, await endpoint(t), { timeouts: { responseHeadMs: status === 504 ? 60 : 5_000 } });
    const client = rawClient(t, made.port, UPGRADE);
    await client.closed;
    t.is(client.received(), `HTTP/1.1 ${status} Failed\r\nconnection: close\r\ncontent-length: ${reason.length}\r\n\r\n${reason}`);
    t.deepEqual(made.records[0]?.events, ['error']);
    await until(() => connector.open === 0);
  });
}

test('after a failure the same connection can be given to another endpoint, with nothing lost', async (t) => {
  const echo = await echoServer(t);
  const connector = new Connector();
  const open = tunneller(connector, STALL_MS, LINGER_MS);
  const nowhere = REFUSING;
  const made = await front(
    (cluster, endpoint, request, events) =>
      open(cluster, nowhere, request, {
        ...events,
        onError: (_error, head) => void open(cluster, endpoint, { ...request, head }, events),
      }),
    testCluster(),
    echo.endpoint,
  );
  t.teardown(() => made.close());
  // A masked text frame "hi" right behind the head.
  const client = rawClient(t, made.port, `${UPGRADE}\u0081\u0082\0\0\0\0hi`);
  await until(() => client.received().endsWith('\u0081\u0002hi'));
  t.is(echo.requests.length, 1);
});

test('a request that is none of ours to tunnel is refused before anything is sent', async (t) => {
  const raw = await scripted(t, silent);
  for (const change of [{ method: 'POST' }, { target: '/a b' }, { target: 'x' }, { headers: ['Host', 'a', 'X', 'a\r\nb: c'] }, { headers: ['x y', 'a'] }]) {
    const { front: made, connector } = await tunnel(t, raw.endpoint, { change: (request) => ({ ...request, ...change }) });
    const client = rawClient(t, made.port, UPGRADE);
    await client.closed;
    t.like(made.records[0], { events: ['error'], error: { reason: 'InvalidUpstreamRequest', status: 500 } });
    await until(() => connector.open === 0);
  }
  t.is(raw.requests.length, 0);
});

test('a client that goes away, with a reset or politely, takes the endpoint\'s connection with it', async (t) => {
  for (const leave of ['reset', 'fin'] as const) {
    // The endpoint never closes its side.
    const raw = await scripted(t, bytes(SWITCH));
    const { front: made, connector } = await tunnel(t, raw.endpoint);
    const client = rawClient(t, made.port, UPGRADE);
    await until(() => client.received().includes('\r\n\r\n'));
    if (leave === 'reset') client.socket.resetAndDestroy();
    else client.socket.end();
    await made.records[0]?.over;
    await raw.idle();
    t.is(connector.open, 0, leave);
    t.deepEqual(made.records[0]?.events, ['switched', 'close']);
  }
});

test('a client that goes away before the answer ends the attempt', async (t) => {
  const raw = await scripted(t, silent);
  const { front: made, connector } = await tunnel(t, raw.endpoint);
  const client = rawClient(t, made.port, UPGRADE);
  await until(() => raw.requests.length === 1);
  client.socket.resetAndDestroy();
  await made.records[0]?.over;
  t.like(made.records[0], { events: ['error'], error: { reason: 'DownstreamConnectionTermination', status: 499 } });
  await raw.idle();
  t.is(connector.open, 0);
});

test('an endpoint that dies takes the client\'s connection with it', async (t) => {
  for (const end of ['reset', 'fin'] as const) {
    const raw = await scripted(t, (_request, socket) => {
      socket.write(SWITCH);
      setTimeout(() => (end === 'reset' ? socket.resetAndDestroy() : socket.end()), 20);
    });
    const { front: made, connector } = await tunnel(t, raw.endpoint);
    const client = rawClient(t, made.port, UPGRADE);
    await client.closed;
    await made.records[0]?.over;
    t.is(connector.open, 0);
    t.true(client.received().startsWith('HTTP/1.1 101'), end);
  }
});

test('a tunnel without a byte in either direction is cut after its idle time, one with some is not', async (t) => {
  const echo = await echoServer(t);
  const { front: made, connector } = await tunnel(t, echo.endpoint, { timeouts: { readIdleMs: 600 } });
  const client = await connect(t, made.port);
  const closed = once(client, 'close');
  for (let nth = 0; nth < 6; nth++) {
    client.send('still here');
    await new Promise((resolve) => setTimeout(resolve, 120));
  }
  t.is(client.readyState, WebSocket.OPEN);
  await closed;
  await made.records[0]?.over;
  t.is(made.records[0]?.error?.reason, 'StreamIdleTimeout');
  t.is(connector.open, 0);
});

test('closing says 1001 to both sides, after the messages that were under way', async (t) => {
  const echo = await echoServer(t);
  const { front: made, connector } = await tunnel(t, echo.endpoint);
  const client = await connect(t, made.port);
  const messages: number[] = [];
  client.on('message', (data: Buffer) => messages.push(data.length));
  client.send('a'.repeat(100));
  await until(() => messages.length === 1);
  made.records[0]?.tunnel.close();
  made.records[0]?.tunnel.close(1000);
  const [code] = (await once(client, 'close')) as [number];
  t.is(code, 1001);
  await until(() => echo.codes.length === 1);
  t.deepEqual(echo.codes, [1001]);
  await made.records[0]?.over;
  t.is(made.records[0]?.error, undefined);
  t.is(connector.open, 0);
});

test('closing in the middle of a message waits for its end', async (t) => {
  const raw = await scripted(t, bytes(`${SWITCH}\u0082\u0004ab`));
  const { front: made } = await tunnel(t, raw.endpoint);
  const client = rawClient(t, made.port, UPGRADE);
  await until(() => client.received().endsWith('ab'));
  made.records[0]?.tunnel.close();
  for (const socket of raw.open) socket.write('cd');
  await client.closed;
  t.true(client.received().endsWith('\u0082\u0004abcd\u0088\u0002\u0003\u00e9'));
});

test('closing cuts a side that does not come to the end of its message', async (t) => {
  const raw = await scripted(t, (_request, socket) => void socket.write(`${SWITCH}\u0082\u0004ab`, 'latin1'));
  const { front: made, connector } = await tunnel(t, raw.endpoint);
  const client = rawClient(t, made.port, UPGRADE);
  await until(() => client.received().endsWith('ab'));
  made.records[0]?.tunnel.close();
  await made.records[0]?.over;
  t.true(client.received().endsWith('\u0082\u0004ab'));
  await raw.idle();
  t.is(connector.open, 0);
});

test('closing before the answer closes right after it', async (t) => {
  const raw = await scripted(t, (_request, socket) => void setTimeout(() => socket.write(SWITCH), 30));
  const { front: made } = await tunnel(t, raw.endpoint);
  const client = rawClient(t, made.port, UPGRADE);
  await until(() => raw.requests.length === 1);
  made.records[0]?.tunnel.close();
  await client.closed;
  t.true(client.received().endsWith('\r\n\r\n\u0088\u0002\u0003\u00e9'));
});

test('destroying cuts both sides, at any time', async (t) => {
  const echo = await echoServer(t);
  const { front: made, connector } = await tunnel(t, echo.endpoint);
  const client = await connect(t, made.port);
  made.records[0]?.tunnel.destroy();
  await once(client, 'close');
  await made.records[0]?.over;
  t.is(connector.open, 0);
  await until(() => echo.sockets.size === 0);

  const raw = await scripted(t, silent);
  const early = await tunnel(t, raw.endpoint);
  rawClient(t, early.front.port, UPGRADE);
  await until(() => raw.requests.length === 1);
  early.front.records[0]?.tunnel.destroy();
  await raw.idle();
  t.deepEqual(early.front.records[0]?.events, ['error']);
});

test('an endpoint or a client that does not read holds the other one back', async (t) => {
  const echo = await echoServer(t);
  const { front: made } = await tunnel(t, echo.endpoint);
  const client = await connect(t, made.port);
  client.pause();
  const [server] = echo.sockets;
  const message = Buffer.alloc(1024 * 1024);
  for (let nth = 0; nth < 64; nth++) server?.send(message);
  await new Promise((resolve) => setTimeout(resolve, 100));
  t.true((server?.bufferedAmount ?? 0) > 32 * 1024 * 1024, 'most of it still waits in the endpoint');
  let received = 0;
  client.on('message', () => received++);
  client.resume();
  await until(() => received === 64);
  t.pass();
});

test('loading http-proxy prints no deprecation warning', async (t) => {
  const warnings: string[] = [];
  const listen = (warning: Error): void => void warnings.push(String(warning));
  process.on('warning', listen);
  const echo = await echoServer(t);
  const { front: made } = await tunnel(t, echo.endpoint);
  for (let nth = 0; nth < 12; nth++) (await connect(t, made.port)).terminate();
  await until(() => made.records.length === 12);
  process.off('warning', listen);
  t.deepEqual(warnings, []);
});
