// Trailers of answers: they go to clients that say they take them, and only those fields that may stand there.
import { once } from 'node:events';
import http2 from 'node:http2';
import test from 'ava';
import { simpleTable, startDataPlane } from '../support/data-plane.ts';
import { nodeHttp2Endpoint } from '../support/http2-node-endpoint.ts';
import { rawEndpoint } from '../support/endpoint-raw.ts';
import { exchangeRaw } from '../support/raw-client.ts';

const ANSWER = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\ngrpc_status: 0\r\nSet-Cookie: a=b\r\nCache-Control: x\r\nX-Forwarded-For: 1\r\n\r\n';

test('trailers go to a client of HTTP/1.1 that says TE: trailers, and to no other', async (t) => {
  const backend = await rawEndpoint((_request, socket) => void socket.write(ANSWER));
  const proxy = await startDataPlane(simpleTable([backend.endpoint]));
  for (const [te, trailers] of [
    ['TE: trailers\r\n', [['x-sum', '1'], ['grpc_status', '0']]],
    ['TE: gzip, trailers\r\n', [['x-sum', '1'], ['grpc_status', '0']]],
    ['TE: gzip\r\n', []],
    ['', []],
  ] as const) {
    const { message, client } = await exchangeRaw(proxy.port, `GET / HTTP/1.1\r\nHost: a\r\n${te}\r\n`);
    t.deepEqual(message.trailers, trailers as unknown as typeof message.trailers);
    t.is(message.body.toString(), 'ok');
    client.destroy();
  }
  await proxy.close();
  await backend.close();
});

test('a client of HTTP/2 gets them, without those that no trailer may be', async (t) => {
  const backend = await rawEndpoint((_request, socket) => void socket.write(ANSWER));
  const proxy = await startDataPlane(simpleTable([backend.endpoint]));
  const session = http2.connect(`http://127.0.0.1:${proxy.port}`);
  const stream = session.request({ ':path': '/', te: 'trailers' });
  stream.resume();
  const [trailers] = (await once(stream, 'trailers')) as [http2.IncomingHttpHeaders];
  t.deepEqual(Object.entries(trailers), [['x-sum', '1'], ['grpc_status', '0']]);
  session.destroy();
  await proxy.close();
  await backend.close();
});

/** RFC 9110 §6.5.1 (with what RFC 9112 names in its place), and what browsers act upon. */
const NEVER = [
  'Content-Type', 'Content-Encoding', 'Content-Range', 'Content-Disposition', 'Cache-Control', 'CDN-Cache-Control', 'Expires', 'Vary', 'Location', 'Refresh',
  'Set-Cookie', 'WWW-Authenticate', 'Content-Security-Policy', 'Content-Security-Policy-Report-Only', 'Strict-Transport-Security', 'X-Frame-Options',
  'X-Content-Type-Options', 'X-XSS-Protection', 'Referrer-Policy', 'Permissions-Policy', 'Cross-Origin-Opener-Policy', 'Cross-Origin-Embedder-Policy',
  'Cross-Origin-Resource-Policy', 'Origin-Agent-Cluster', 'Access-Control-Allow-Origin', 'Access-Control-Allow-Credentials', 'Timing-Allow-Origin',
  'Clear-Site-Data', 'Service-Worker-Allowed', 'Alt-Svc', 'If-Match', 'If-None-Match', 'If-Modified-Since', 'If-Unmodified-Since', 'If-Range', 'Sec-Fetch-Site',
];
/** Their own definitions let them stand there. */
const MAY = ['ETag', 'Repr-Digest', 'Content-Digest', 'Server-Timing', 'Authentication-Info', 'Grpc-Status', 'X-Own'];

test('what decides about a message before its body is read goes to nobody behind it, and what may stand there goes on', async (t) => {
  const fields = [...NEVER, ...MAY].map((name) => `${name}: x\r\n`).join('');
  const backend = await rawEndpoint((_request, socket) => void socket.write(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n${fields}\r\n`));
  const proxy = await startDataPlane(simpleTable([backend.endpoint]));
  const allowed = MAY.map((name) => name.toLowerCase());
  const { message, client } = await exchangeRaw(proxy.port, 'GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n');
  t.deepEqual(message.trailers.map(([name]) => name.toLowerCase()), allowed);
  client.destroy();
  // It says nothing of trailers.
  const session = http2.connect(`http://127.0.0.1:${proxy.port}`);
  const stream = session.request({ ':path': '/' });
  stream.resume();
  const [trailers] = (await once(stream, 'trailers')) as [http2.IncomingHttpHeaders];
  t.deepEqual(Object.keys(trailers), allowed);
  session.destroy();
  await proxy.close();
  await backend.close();
});

test('trailers of gRPC pass behind a body of known length, which nobody announced them with', async (t) => {
  const backend = await nodeHttp2Endpoint(t, {
    answer: (stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'content-length': 5 }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.end(Buffer.alloc(5));
    },
  });
  const proxy = await startDataPlane(simpleTable([backend.endpoint], {}, { protocol: 'HTTP/2' }));
  const session = http2.connect(`http://127.0.0.1:${proxy.port}`);
  const stream = session.request({ ':method': 'POST', ':path': '/test.Echo/Say', 'content-type': 'application/grpc', te: 'trailers' });
  stream.resume();
  stream.end(Buffer.alloc(5));
  const [trailers] = (await once(stream, 'trailers')) as [http2.IncomingHttpHeaders];
  t.is(trailers['grpc-status'], '0');
  await once(stream, 'close');
  t.is(stream.rstCode, 0);
  session.destroy();
  await proxy.close();
});
