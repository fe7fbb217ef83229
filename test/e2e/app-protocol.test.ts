// From `appProtocol` of a Service's port, and from the annotation `backend-protocol`, to live traffic: each word against an
// endpoint that speaks nothing else.
import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { status } from '@grpc/grpc-js';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { WebSocket, WebSocketServer } from 'ws';
import { testCa } from '../support/endpoint-tls.ts';
import { get } from '../support/fairlead-http.ts';
import { documents, endpoints } from '../support/fairlead-manifests.ts';
import { startFairlead } from '../support/fairlead-run.ts';
import { GrpcClient, startGrpcApp } from '../support/grpc.ts';

const pod = testCa().issue(['127.0.0.1']);

async function listen(t: ExecutionContext, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => void server.close());
  return (server.address() as AddressInfo).port;
}

/** A Service with one port, its endpoint, and an Ingress for `name`.test. */
function site(name: string, port: number, appProtocol: string | undefined, backendProtocol?: string): string {
  const annotations = backendProtocol === undefined ? {} : { 'nginx.ingress.kubernetes.io/backend-protocol': backendProtocol };
  return documents(
    JSON.stringify({ apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: 'shop' }, spec: { ports: [{ port: 80, ...(appProtocol === undefined ? {} : { appProtocol }) }] } }),
    endpoints(name, port),
    JSON.stringify({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'Ingress',
      metadata: { name, namespace: 'shop', annotations },
      spec: { rules: [{ host: `${name}.test`, http: { paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name, port: { number: 80 } } } }] } }] },
    }),
  );
}

test('every word for the protocol of a Service is spoken', async (t) => {
  const says = (word: string): http.RequestListener => (_request, response) => void response.end(word);
  const plain = await listen(t, http.createServer(says('http')));
  const secure = await listen(t, https.createServer(pod, says('https')));
  const h2c = http2.createServer();
  h2c.on('stream', (stream: http2.ServerHttp2Stream) => {
    stream.respond({ ':status': 200 });
    stream.end('h2c');
  });
  const clear = await listen(t, h2c as unknown as Server);
  const echo = (server: http.Server): void => void new WebSocketServer({ server }).on('connection', (socket) => socket.on('message', (data) => socket.send(String(data))));
  const ws = http.createServer();
  const wss = https.createServer(pod);
  echo(ws);
  echo(wss);
  const wsPort = await listen(t, ws);
  const wssPort = await listen(t, wss);
  const grpc = await startGrpcApp(t);
  const grpcs = await startGrpcApp(t, pod);

  const fairlead = await startFairlead(t, {
    files: {
      'all.yaml': documents(
        site('none', plain, undefined),
        site('http', plain, 'http'),
        site('https', secure, 'https'),
        site('h2c', clear, 'kubernetes.io/h2c'),
        site('ws', wsPort, 'kubernetes.io/ws'),
        site('wss', wssPort, 'kubernetes.io/wss'),
        site('grpc', grpc.port, 'grpc'),
        site('grpcs', grpcs.port, 'grpcs'),
        site('a-https', secure, undefined, 'HTTPS'),
        site('a-grpc', grpc.port, 'http', 'GRPC'),
        site('a-grpcs', grpcs.port, undefined, 'GRPCS'),
      ),
    },
  });

  for (const [host, body] of [['none', 'http'], ['http', 'http'], ['https', 'https'], ['h2c', 'h2c'], ['a-https', 'https']] as const) {
    t.like(await get(fairlead.http, '/', { host: `${host}.test` }), { status: 200, body }, host);
  }
  for (const host of ['ws', 'wss']) {
    const socket = new WebSocket(`ws://127.0.0.1:${fairlead.http}/`, { headers: { host: `${host}.test` } });
    await once(socket, 'open');
    socket.send('hello');
    const [data] = (await once(socket, 'message')) as [Buffer];
    t.is(data.toString(), 'hello', host);
    socket.close();
    await once(socket, 'close');
  }
  for (const host of ['grpc', 'grpcs', 'a-grpc', 'a-grpcs']) {
    const client = new GrpcClient(t, fairlead.http, { authority: `${host}.test` });
    const got = await client.say('hello');
    t.is(got.code, status.OK, `${host}: ${got.details}`);
    t.is(got.messages[0]?.toString(), 'hello');
    t.deepEqual((await client.count(3).over).messages.map(String), ['1', '2', '3']);
  }
  t.is(await fairlead.stop(), 0);
});
