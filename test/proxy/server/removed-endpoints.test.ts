// Endpoints that terminate, and then leave the table, finish what they have: WebSockets and long answers go on until they end by
// themselves, while everything new goes elsewhere.
import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import type { AddressInfo, Server, Socket } from 'node:net';
import type { Writable } from 'node:stream';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { WebSocket, WebSocketServer } from 'ws';
import type { Cluster } from '../../../proxy/table/cluster.ts';
import { endpoint, simpleTable, startDataPlane } from '../../support/data-plane.ts';
import type { DataPlane } from '../../support/data-plane.ts';
import { until } from '../../support/endpoint-call.ts';
import { testCa } from '../../support/endpoint-tls.ts';
import { get } from '../../support/fairlead-http.ts';

const ca = testCa();
const pod = ca.issue(['web.shop.svc']);

interface App {
  readonly port: number;
  /** The answers to `/stream` that are under way. */
  readonly streams: Writable[];
}

/** Answers `/stream` for as long as the test likes, everything else with its name, and echoes WebSockets. */
async function start(t: ExecutionContext, name: string, server: Server): Promise<App> {
  const streams: Writable[] = [];
  const answer = (path: string | undefined, response: Writable): void => void (path === '/stream' ? streams.push(response) && response.write('begun ') : response.end(name));
  if (server instanceof http.Server || server instanceof https.Server) {
    server.on('request', (request: http.IncomingMessage, response: http.ServerResponse) => answer(request.url, response));
    new WebSocketServer({ server }).on('connection', (socket) => socket.on('message', (data) => socket.send(`${name} ${String(data)}`)));
  } else {
    server.on('stream', (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => {
      stream.respond({ ':status': 200 });
      answer(headers[':path'], stream);
    });
  }
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, streams };
}

/** First it terminates, then it is out of the table, and the other one is in. */
async function leave(plane: DataPlane, leaving: App, other: App): Promise<void> {
  await plane.swap({ endpoints: { 'test/web:80': [endpoint(leaving.port, { ready: false, terminating: true }), endpoint(other.port)] } });
  await plane.swap({ endpoints: { 'test/web:80': [endpoint(other.port)] } });
}

const WAYS: readonly { readonly name: string; readonly cluster: Partial<Cluster>; server(): Server }[] = [
  { name: 'HTTP/1.1', cluster: {}, server: () => http.createServer() },
  { name: 'HTTP/1.1 over TLS', cluster: { tls: { serverName: 'web.shop.svc', verify: true, caPem: ca.certPem } }, server: () => https.createServer(pod) },
  { name: 'HTTP/2', cluster: { protocol: 'HTTP/2' }, server: () => http2.createServer() as unknown as Server },
];

for (const { name, cluster, server } of WAYS) {
  test(`${name}: a long answer of an endpoint that has left the table goes on to its end`, async (t) => {
    const [leaving, other] = [await start(t, 'leaving', server()), await start(t, 'other', server())];
    const plane = await startDataPlane(simpleTable([endpoint(leaving.port)], {}, cluster));
    t.teardown(() => plane.close());
    const request = http.get({ port: plane.port, host: '127.0.0.1', path: '/stream', agent: false });
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    let body = '';
    response.setEncoding('utf8').on('data', (text: string) => (body += text));
    const ended = once(response, 'end');
    await until(() => body === 'begun ');

    await leave(plane, leaving, other);
    t.is((await get(plane.port, '/')).body, 'other');
    // Longer than a connection that nobody needs would stay.
    for (let nth = 0; nth < 4; nth++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      leaving.streams[0]!.write(`${nth} `);
      await until(() => body.endsWith(`${nth} `));
    }
    leaving.streams[0]!.end('end');
    await ended;
    t.true(response.complete);
    t.is(body, 'begun 0 1 2 3 end');
    await until(() => plane.log.length === 2);
    t.deepEqual(plane.log.map(({ status, reason }) => `${status} ${reason}`), ['200 ', '200 ']);
  });
}

for (const { name, cluster, server } of WAYS.slice(0, 2)) {
  test(`${name}: a WebSocket to an endpoint that has left the table goes on until it is closed`, async (t) => {
    const [leaving, other] = [await start(t, 'leaving', server()), await start(t, 'other', server())];
    const plane = await startDataPlane(simpleTable([endpoint(leaving.port)], {}, cluster));
    t.teardown(() => plane.close());
    const open = async (): Promise<(text: string) => Promise<string>> => {
      const socket = new WebSocket(`ws://127.0.0.1:${plane.port}/live`);
      t.teardown(() => socket.terminate());
      await once(socket, 'open');
      return async (text) => {
        socket.send(text);
        if (text === 'close') socket.close(1000);
        return String((await once(socket, text === 'close' ? 'close' : 'message'))[0]);
      };
    };
    const old = await open();
    t.is(await old('before'), 'leaving before');
    await leave(plane, leaving, other);
    for (const text of ['a', 'b', 'c']) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      t.is(await old(text), `leaving ${text}`);
      t.is(await (await open())(text), `other ${text}`);
    }
    t.is(await old('close'), '1000', 'its own end, and nobody else\'s');
  });
}
