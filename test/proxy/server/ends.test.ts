// How HTTP/1.1 connections end: clients that have closed their sending side, clients that read slowly, uploads that nobody wants.
import net from 'node:net';
import test from 'ava';
import { selfSigned } from '../../../certs/self-signed.ts';
import { cluster, endpoint, route, simpleTable, startDataPlane, virtualHost } from '../../support/data-plane.ts';
import { RawClient, statusOf } from '../../support/raw-client.ts';
import { startRecordingEndpoint } from '../../support/recording-endpoint.ts';
import { rawEndpoint } from '../../support/endpoint-raw.ts';
import { parseResponses } from '../../support/strict-http1.ts';

const GET = 'GET /x HTTP/1.1\r\nHost: a\r\n\r\n';
const later = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

test('pipelined requests that were complete before the client closed its side are all answered', async (t) => {
  const backend = await startRecordingEndpoint();
  const proxy = await startDataPlane(simpleTable([endpoint(backend.port)]));
  for (let round = 0; round < 20; round++) {
    const before = backend.requests().length;
    const client = await RawClient.connect(proxy.port);
    client.socket.end(GET.repeat(7));
    await client.end();
    const { responses } = parseResponses(client.received, [], true);
    t.deepEqual(responses.map(statusOf), Array.from({ length: 7 }, () => 200));
    t.is(backend.requests().length - before, 7);
  }
  await proxy.close();
  await backend.close();
});

test('a request that was forwarded is answered, whenever the end of the client comes', async (t) => {
  const backend = await startRecordingEndpoint();
  const proxy = await startDataPlane(simpleTable([endpoint(backend.port)]));
  for (let round = 0; round < 40; round++) {
    const before = backend.requests().length;
    const client = await RawClient.connect(proxy.port);
    client.write(GET.repeat(5));
    for (let turns = 0; turns < round % 20; turns++) await new Promise((resolve) => setImmediate(resolve));
    client.socket.end();
    await client.end();
    t.is(parseResponses(client.received, [], true).responses.length, backend.requests().length - before);
  }
  await proxy.close();
  await backend.close();
});

test('a whole upload whose end comes with it is served, also while the endpoint is still being connected', async (t) => {
  const backend = await startRecordingEndpoint();
  for (const upload of ['Content-Length: 3\r\n\r\nabc', 'Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n']) {
    const proxy = await startDataPlane(simpleTable([endpoint(backend.port)]));
    const client = await RawClient.connect(proxy.port);
    client.socket.end(`POST /whole HTTP/1.1\r\nHost: a\r\n${upload}`);
    await client.end();
    t.is(parseResponses(client.received, [], true).responses.length, 1);
    t.is(backend.requests().at(-1)?.body.toString(), 'abc');
    await proxy.close();
  }
  await backend.close();
});

test('a whole upload before the end is served, and one that is cut by the end is none', async (t) => {
  const backend = await startRecordingEndpoint();
  const proxy = await startDataPlane(simpleTable([endpoint(backend.port)]));
  const whole = await RawClient.connect(proxy.port);
  whole.socket.end(`${GET}POST /whole HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n`);
  await whole.end();
  t.is(parseResponses(whole.received, [], true).responses.length, 2);
  for (const rest of ['3\r\nab', '']) {
    const before = backend.requests().length;
    const cut = await RawClient.connect(proxy.port);
    cut.socket.end(`${GET}POST /cut HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${rest}`);
    await cut.end(3000);
    t.is(parseResponses(cut.received, [], true).responses.length, 1);
    t.is(backend.requests().length, before + 1);
  }
  const malformed = await RawClient.connect(proxy.port);
  malformed.socket.end(`${GET}POST /bad HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n`);
  await malformed.end(3000);
  t.deepEqual(parseResponses(malformed.received, [], true).responses.map(statusOf), [200, 400]);
  await proxy.close();
  await backend.close();
});

test('an empty line behind the last request does not keep a connection open that the client has closed', async (t) => {
  const backend = await startRecordingEndpoint();
  const proxy = await startDataPlane(simpleTable([endpoint(backend.port)]));
  const client = await RawClient.connect(proxy.port);
  client.socket.end(`${GET}\r\n`);
  await client.end(3000);
  t.is(parseResponses(client.received, [], true).responses.length, 1);
  await proxy.close();
  await backend.close();
});

test('an answer that has begun goes on for a client that has closed its side', async (t) => {
  const backend = await rawEndpoint((_request, socket) => {
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello');
    setTimeout(() => socket.write('world'), 2_500);
  });
  const proxy = await startDataPlane(simpleTable([backend.endpoint]));
  const client = await RawClient.connect(proxy.port);
  client.socket.end(GET);
  const [answer] = await client.responses(1);
  t.is(answer?.body.toString(), 'helloworld');
  await proxy.close();
  await backend.close();
});

test('a client that reads late still gets the last answer of its connection whole', async (t) => {
  const size = 10_000_000;
  const large = { ...route('/', 'test/web:80'), action: { type: 'Respond', status: 200, body: 'x'.repeat(size), reason: 'Test' } } as const;
  const proxy = await startDataPlane({ virtualHosts: { 'http/*': virtualHost('*', [large]) }, clusters: { 'test/web:80': cluster('test/web:80') }, endpoints: {} });
  const client = net.connect({ port: proxy.port, host: '127.0.0.1' });
  client.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  await later(3_500);
  let seen = 0;
  client.on('data', (chunk: Buffer) => (seen += chunk.length));
  await new Promise((resolve) => client.on('close', resolve).on('error', () => undefined));
  t.true(seen > size, `${seen} bytes`);
  await proxy.close();
});

for (const secure of [false, true]) {
  test(`an answer before the end of a small upload keeps the connection usable (${secure ? 'TLS' : 'clear text'} endpoint)`, async (t) => {
    const own = selfSigned({ hostnames: ['endpoint.test'] });
    const backend = await rawEndpoint((_request, socket) => void socket.write('HTTP/1.1 413 Too Much\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno'), secure ? { tls: { key: own.keyPem, cert: own.chainPem } } : {});
    const proxy = await startDataPlane(simpleTable([backend.endpoint], {}, secure ? { tls: { verify: false } } : {}));
    const client = await RawClient.connect(proxy.port);
    client.write(`POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 30000\r\n\r\n${'x'.repeat(10_000)}`);
    await client.responses(1);
    client.write('x'.repeat(10_000));
    await later(50);
    client.write('x'.repeat(10_000) + GET);
    const answers = await client.responses(2);
    t.deepEqual(answers.map(statusOf), [413, 413]);
    client.destroy();
    await proxy.close();
    await backend.close();
  });
}
