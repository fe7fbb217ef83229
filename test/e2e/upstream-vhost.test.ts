// `upstream-vhost` from the manifest to every kind of endpoint: it is the Host they get, and X-Forwarded-Host stays the one that
// the client asked for.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import { WebSocket, WebSocketServer } from 'ws';
import { eventually, get } from '../support/fairlead-http.ts';
import { startBackend } from '../support/fairlead-backend.ts';
import { annotated, documents, endpoints, service } from '../support/fairlead-manifests.ts';
import { startFairlead } from '../support/fairlead-run.ts';
import { GrpcClient, startGrpcApp } from '../support/grpc.ts';
import { nodeHttp2Endpoint } from '../support/http2-node-endpoint.ts';

const VHOST = 'Inner-$service_name.example:8080';

test('upstream-vhost is the Host of requests and WebSockets and the :authority over HTTP/2 and gRPC; X-Forwarded-Host is the client\'s', async (t) => {
  const asked: IncomingMessage['headers'][] = [];
  const plain = await startBackend(t, 'plain', (request, response) => {
    asked.push(request.headers);
    response.end();
  });
  const server = createServer();
  new WebSocketServer({ server }).on('connection', (socket, request) => {
    asked.push(request.headers);
    socket.close();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const h2 = await nodeHttp2Endpoint(t);
  const grpc = await startGrpcApp(t);
  const site = (name: string, port: number, protocol: string): string => documents(annotated(name, { 'upstream-vhost': VHOST, 'backend-protocol': protocol }, name), service(name), endpoints(name, port));
  const run = await startFairlead(t, {
    files: { 'plain.yaml': site('plain', plain, 'HTTP'), 'live.yaml': site('live', (server.address() as AddressInfo).port, 'HTTP'), 'h2.yaml': site('h2', h2.endpoint.port, 'GRPC'), 'grpc.yaml': site('grpc', grpc.port, 'GRPC') },
  });

  const forged = { 'x-forwarded-host': 'evil.example' };
  t.is((await get(run.http, '/', { host: 'PLAIN.example.com:81', headers: forged })).status, 200);
  t.like(asked.pop(), { host: 'Inner-plain.example:8080', 'x-forwarded-host': 'PLAIN.example.com:81' });

  const socket = new WebSocket(`ws://127.0.0.1:${run.http}/`, { headers: { host: 'live.example.com', ...forged } });
  await once(socket, 'close');
  t.like(asked.pop(), { host: 'Inner-live.example:8080', 'x-forwarded-host': 'live.example.com' });

  t.is((await get(run.http, '/', { host: 'h2.example.com', headers: forged })).status, 200);
  const { headers } = h2.requests[0]!;
  const valuesOf = (name: string): string[] => headers.filter((_, at) => at % 2 === 1 && headers[at - 1]!.toLowerCase() === name);
  t.deepEqual([valuesOf(':authority'), valuesOf('host'), valuesOf('x-forwarded-host')], [['Inner-h2.example:8080'], [], ['h2.example.com']]);

  const client = new GrpcClient(t, run.http, { authority: 'grpc.example.com' });
  await eventually('the call is answered', async () => (await client.say('hello')).code === 0);
  t.deepEqual([grpc.authority, grpc.metadata.get('x-forwarded-host')], ['Inner-grpc.example:8080', ['grpc.example.com']]);
});
