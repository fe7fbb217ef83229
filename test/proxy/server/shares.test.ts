// Shares of traffic: the weights of a route's clusters, and WebSockets, which belong to sessions and hashes as requests do.
import { once } from 'node:events';
import type net from 'node:net';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import WebSocket, { WebSocketServer } from 'ws';
import { cluster, endpoint, route, simpleTable, startDataPlane, virtualHost } from '../../support/data-plane.ts';
import type { DataPlane } from '../../support/data-plane.ts';
import { crowd } from '../../support/forward-plane.ts';
import { startRecordingEndpoint } from '../../support/recording-endpoint.ts';

test('clusters get exactly their weights, in small turns', async (t) => {
  const backends = await Promise.all([0, 1, 2].map(() => startRecordingEndpoint()));
  const names = ['test/a:80', 'test/b:80', 'test/none:80'];
  const weighted = { clusters: [{ cluster: names[0]!, weight: 3 }, { cluster: names[1]!, weight: 1 }, { cluster: names[2]!, weight: 0 }] };
  const plane = await startDataPlane({
    virtualHosts: { 'http/*': virtualHost('*', [route('/', names[0]!, weighted)]) },
    clusters: Object.fromEntries(names.map((name) => [name, cluster(name)])),
    endpoints: Object.fromEntries(names.map((name, nth) => [name, [endpoint(backends[nth]!.port)]])),
  });
  t.teardown(async () => {
    await plane.close();
    for (const backend of backends) await backend.close();
  });
  await crowd(plane.port, { count: 400 });
  t.deepEqual(backends.map((backend) => backend.requests().length), [300, 100, 0]);
  const turns = plane.log.map(({ exchange }) => exchange.cluster);
  t.true([0, 1, 2, 3].every((start) => turns.slice(start * 40, start * 40 + 40).filter((name) => name === names[1]).length >= 8));
});

interface Echo {
  readonly port: number;
}

async function startEcho(t: ExecutionContext): Promise<Echo> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  server.on('connection', (socket) => socket.send(String(port)));
  t.teardown(() => {
    for (const socket of server.clients) socket.terminate();
    server.close();
  });
  return { port };
}

async function whoAnswers(plane: DataPlane, headers: Readonly<Record<string, string>> = {}): Promise<{ who: string; cookie: string | undefined }> {
  const socket = new WebSocket(`ws://127.0.0.1:${plane.port}/live`, { headers });
  const upgraded = once(socket, 'upgrade') as Promise<[{ headers: { 'set-cookie'?: string[] } }]>;
  const [message] = (await once(socket, 'message')) as [Buffer];
  const [{ headers: answered }] = await upgraded;
  socket.terminate();
  return { who: message.toString(), cookie: answered['set-cookie']?.[0]?.split(';')[0] };
}

test('a WebSocket begins a session with its 101, and later ones go to the same endpoint', async (t) => {
  const echoes = await Promise.all([startEcho(t), startEcho(t), startEcho(t)]);
  const affinity = { mode: 'Persistent', upstream: 'test-web-80', changeOnFailure: false, cookie: { name: 'route' } } as const;
  const plane = await startDataPlane(simpleTable(echoes.map(({ port }) => endpoint(port)), { sessionPath: '/' }, { affinity, loadBalancer: { type: 'LeastRequest' } }));
  t.teardown(() => plane.close());
  const first = await whoAnswers(plane);
  t.truthy(first.cookie);
  for (let nth = 0; nth < 6; nth++) t.deepEqual(await whoAnswers(plane, { cookie: first.cookie! }), { who: first.who, cookie: undefined });
});

test('WebSockets with the same key share an endpoint, and pass over one that refuses', async (t) => {
  const echoes = await Promise.all([startEcho(t), startEcho(t), startEcho(t)]);
  const dead = await startRecordingEndpoint();
  await dead.close();
  const ports = [dead.port, ...echoes.map(({ port }) => port)];
  const plane = await startDataPlane(simpleTable(ports.map((port) => endpoint(port)), {}, { loadBalancer: { type: 'ConsistentHash', key: [{ type: 'Header', name: 'x-room' }] } }));
  t.teardown(() => plane.close());
  for (let room = 0; room < 8; room++) {
    const { who } = await whoAnswers(plane, { 'x-room': `room ${room}` });
    t.is((await whoAnswers(plane, { 'x-room': `room ${room}` })).who, who);
  }
});
