// The HTTP/1.1 listener from outside: raw bytes in, raw bytes out, and what an endpoint really got.
import test from 'ava';
import { endpoint, simpleTable, startDataPlane } from '../../support/data-plane.ts';
import type { DataPlane } from '../../support/data-plane.ts';
import { RawClient, exchangeRaw, statusOf } from '../../support/raw-client.ts';
import { startRecordingEndpoint } from '../../support/recording-endpoint.ts';
import type { RecordingEndpoint } from '../../support/recording-endpoint.ts';
import { field } from '../../support/strict-http1.ts';

let backend: RecordingEndpoint;
let proxy: DataPlane;

test.before(async () => {
  backend = await startRecordingEndpoint();
  proxy = await startDataPlane(simpleTable([endpoint(backend.port)]));
});
test.after.always(async () => {
  await proxy.close();
  await backend.close();
});

test.serial('a GET is forwarded with its target, its Host and who asked', async (t) => {
  const { message, client } = await exchangeRaw(proxy.port, 'GET /a%2Fb?q=1 HTTP/1.1\r\nHost: Shop.example.com:8080\r\nX-Own: yes\r\n\r\n');
  t.is(statusOf(message), 200);
  const request = backend.requests().at(-1);
  t.is(request?.startLine, 'GET /a%2Fb?q=1 HTTP/1.1');
  t.is(request && field(request, 'host'), 'Shop.example.com:8080');
  t.is(request && field(request, 'x-own'), 'yes');
  t.is(request && field(request, 'x-forwarded-for'), '127.0.0.1');
  t.is(request && field(request, 'x-forwarded-proto'), 'http');
  client.destroy();
});

test.serial('a request that comes byte by byte is the same request', async (t) => {
  const client = await RawClient.connect(proxy.port);
  for (const byte of 'POST /slow HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX-T: 1\r\n\r\n') {
    client.write(byte);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const [message] = await client.responses(1);
  t.is(message && statusOf(message), 200);
  t.is(backend.requests().at(-1)?.body.toString(), 'abcde');
  client.destroy();
});

test.serial('pipelined requests are answered one by one and in order', async (t) => {
  const client = await RawClient.connect(proxy.port);
  const count = 50;
  client.write(Array.from({ length: count }, (_, i) => `POST /p${i} HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi`).join(''));
  const responses = await client.responses(count);
  t.deepEqual(responses.map((response) => response.body.toString().split(' ')[1]), Array.from({ length: count }, (_, i) => `/p${i}`));
  client.destroy();
});

test.serial('pipelined requests that dribble in while others are answered keep their order', async (t) => {
  const client = await RawClient.connect(proxy.port);
  const count = 60;
  const bytes = Array.from({ length: count }, (_, i) => `POST /d${i} HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi`).join('');
  for (let at = 0; at < bytes.length; at += 97) {
    client.write(bytes.slice(at, at + 97));
    await new Promise((resolve) => setImmediate(resolve));
  }
  const responses = await client.responses(count);
  t.deepEqual(responses.map((response) => response.body.toString().split(' ')[1]), Array.from({ length: count }, (_, i) => `/d${i}`));
  client.destroy();
});

test.serial('a client that closes its sending side after the request still gets the answer', async (t) => {
  const client = await RawClient.connect(proxy.port);
  client.socket.end('GET /half HTTP/1.1\r\nHost: a\r\n\r\n');
  const [message] = await client.responses(1);
  t.is(message && statusOf(message), 200);
  await client.end();
});

test.serial('HTTP/1.0 without Host is served and the connection closed', async (t) => {
  const client = await RawClient.connect(proxy.port);
  client.write('GET /old HTTP/1.0\r\n\r\n');
  const [message] = await client.responses(1);
  t.is(message && statusOf(message), 200);
  t.is(message && field(message, 'connection'), 'close');
  await client.end();
});

test.serial('HEAD is answered without a body, and the connection goes on', async (t) => {
  const client = await RawClient.connect(proxy.port);
  client.write('HEAD /h HTTP/1.1\r\nHost: a\r\n\r\nGET /g HTTP/1.1\r\nHost: a\r\n\r\n');
  const responses = await client.responses(2, ['HEAD', 'GET']);
  t.not(responses[0] && field(responses[0], 'content-length'), '0');
  t.is(responses[0]?.body.length, 0);
  t.true(responses[1]?.body.toString().startsWith('GET /g'));
  client.destroy();
});

test.serial('OPTIONS * is answered by the proxy itself', async (t) => {
  const before = backend.requests().length;
  const { message, client } = await exchangeRaw(proxy.port, 'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n');
  t.is(statusOf(message), 200);
  t.true(field(message, 'allow')?.includes('GET'));
  t.is(field(message, 'content-length'), '0');
  t.is(backend.requests().length, before);
  const logged = proxy.log.at(-1);
  t.deepEqual([logged?.status, logged?.reason, logged?.exchange.request.method, logged?.exchange.request.path], [200, 'ServerOptions', 'OPTIONS', '*'], 'it is in the log');
  client.destroy();
});

const G = 'GET / HTTP/1.1\r\nHost: a\r\n';
/** What is refused, with the status (RFC 9112, and stricter where two parsers could disagree). */
const REFUSED: readonly (readonly [string, number, string])[] = [
  ['Content-Length and Transfer-Encoding together', 400, `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
  ['Transfer-Encoding ",chunked"', 501, `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n`],
  ['Transfer-Encoding "gzip, chunked"', 501, `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`],
  ['Transfer-Encoding in HTTP/1.0', 400, `POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
  ['two Content-Length of the same value', 400, `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na`],
  ['a list as Content-Length', 400, `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\na`],
  ['a signed Content-Length', 400, `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\na`],
  ['a bare LF line end', 400, 'GET / HTTP/1.1\nHost: a\n\n'],
  ['a bare LF among CR LF', 400, 'GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n'],
  ['a bare LF without version', 400, 'GET /\n'],
  ['HTTP/0.9', 400, 'GET /\r\n\r\n'],
  ['a folded line', 400, `${G}X: a\r\n b\r\n\r\n`],
  ['NUL in a value', 400, `${G}X: a\0b\r\n\r\n`],
  ['CR in a value', 400, `${G}X: a\rb\r\n\r\n`],
  ['a blank before the colon', 400, `${G}X : a\r\n\r\n`],
  ['a field without name', 400, `${G}: a\r\n\r\n`],
  ['a line without colon', 400, `${G}abc\r\n\r\n`],
  ['two Host', 400, 'GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n'],
  ['no Host in HTTP/1.1', 400, 'GET / HTTP/1.1\r\n\r\n'],
  ['Host "a, b"', 400, 'GET / HTTP/1.1\r\nHost: a, b\r\n\r\n'],
  ['Host "a/b"', 400, 'GET / HTTP/1.1\r\nHost: a/b\r\n\r\n'],
  ['Host "u@a"', 400, 'GET / HTTP/1.1\r\nHost: u@a\r\n\r\n'],
  ['Host "a:80x"', 400, 'GET / HTTP/1.1\r\nHost: a:80x\r\n\r\n'],
  ['GET *', 400, 'GET * HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['CONNECT', 405, 'CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n'],
  ['TRACE', 405, 'TRACE / HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['version 2.0', 505, 'GET / HTTP/2.0\r\nHost: a\r\n\r\n'],
  ['version 1.10', 400, 'GET / HTTP/1.10\r\nHost: a\r\n\r\n'],
  ['a fragment in the target', 400, 'GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['%00 in the path', 400, 'GET /a%00 HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['a path above the root', 400, 'GET /../a HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['Expect other than 100-continue', 417, `${G}Expect: junk\r\n\r\n`],
  ['2,100 header fields', 431, `${G}${'X: y\r\n'.repeat(2100)}\r\n`],
  ['a head that is too long', 431, `${G}X: ${'y'.repeat(70_000)}\r\n\r\n`],
  ['a target that is too long', 414, `GET /${'y'.repeat(10_000)} HTTP/1.1\r\nHost: a\r\n\r\n`],
  ['a chunk size that is not hexadecimal', 400, `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n`],
  ['a chunk size with a blank', 400, `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1 \r\na\r\n0\r\n\r\n`],
  ['a chunk that ends in LF', 400, `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\n0\r\n\r\n`],
  ['Upgrade with a body', 400, `${G}Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n\r\na`],
];

for (const [what, status, bytes] of REFUSED) {
  test.serial(`refused with ${status}: ${what}; the connection is closed and no endpoint sees a complete request`, async (t) => {
    const before = backend.requests().length;
    const client = await RawClient.connect(proxy.port);
    client.write(bytes);
    const [message] = await client.responses(1);
    t.is(message && statusOf(message), status);
    await client.end();
    t.is(backend.requests().length, before);
    t.deepEqual(backend.connections.filter(({ error }) => error !== undefined), []);
  });
}

test.serial('an octal-looking Content-Length is read as a decimal and sent on as one', async (t) => {
  const { message, client } = await exchangeRaw(proxy.port, `POST /o HTTP/1.1\r\nHost: a\r\nContent-Length: 010\r\n\r\n0123456789`);
  t.is(statusOf(message), 200);
  const request = backend.requests().at(-1);
  t.is(request && field(request, 'content-length'), '10');
  client.destroy();
});

test.serial('hop-by-hop, nominated and underscored fields stay behind; h2c is not offered on', async (t) => {
  const { client } = await exchangeRaw(
    proxy.port,
    'GET /hop HTTP/1.1\r\nHost: a\r\nConnection: X-Drop, Upgrade, HTTP2-Settings\r\nX-Drop: 1\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\nKeep-Alive: 1\r\nTE: gzip\r\nX_Under: 1\r\nProxy: evil\r\nX-Keep: 1\r\n\r\n',
  );
  const names = backend.requests().at(-1)?.fields.map(([name]) => name) ?? [];
  for (const gone of ['x-drop', 'upgrade', 'http2-settings', 'keep-alive', 'te', 'x_under', 'proxy']) t.false(names.includes(gone), gone);
  t.true(names.includes('x-keep'));
  client.destroy();
});

test.serial('an absolute-form target decides about the host', async (t) => {
  const { message, client } = await exchangeRaw(proxy.port, 'GET http://b.example/x HTTP/1.1\r\nHost: a\r\n\r\n');
  t.is(statusOf(message), 200);
  const request = backend.requests().at(-1);
  t.is(request?.startLine, 'GET /x HTTP/1.1');
  t.is(request && field(request, 'host'), 'b.example');
  client.destroy();
});

test.serial('what was refused is in the log with its reason', async (t) => {
  const { message } = await exchangeRaw(proxy.port, 'GET / HTTP/1.1\r\n\r\n');
  t.is(statusOf(message), 400);
  t.is(proxy.log.at(-1)?.reason, 'DownstreamProtocolError');
  t.is(proxy.log.at(-1)?.exchange.detail, 'no Host', 'and with what its client was told');
});

test('a blank of other alphabets in Connection makes no keep-alive of it', async (t) => {
  const { client } = await exchangeRaw(proxy.port, Buffer.from('GET / HTTP/1.0\r\nHost: a\r\nConnection:\u00a0keep-alive\r\n\r\nGET /second HTTP/1.1\r\nHost: a\r\n\r\n', 'latin1'));
  t.is((await client.end()).toString('latin1').match(/HTTP\/1\.1 /g)?.length, 1);
  client.destroy();
});
