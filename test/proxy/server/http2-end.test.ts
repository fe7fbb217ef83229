// The end of a connection of HTTP/2 by its client: it is the end of every stream on it, also of those whose answers wait for room.
import { once } from 'node:events';
import http2 from 'node:http2';
import net from 'node:net';
import tls from 'node:tls';
import test from 'ava';
import { selfSigned } from '../../../certs/self-signed.ts';
import { HTTP_LISTENER, simpleTable, startDataPlane, virtualHost, route } from '../../support/data-plane.ts';
import { rawEndpoint } from '../../support/endpoint-raw.ts';
import { forwardPlane, ok } from '../../support/forward-plane.ts';
import { FRAME, RawHttp2Client, frame, requestFields, rst } from '../../support/raw-http2.ts';

const own = selfSigned({ hostnames: ['a.test'] });
const BIG = Buffer.alloc(1_000_000, 120);

for (const secure of [false, true]) {
  test(`a client that ends its connection while it takes no byte of an answer costs the endpoint no place any more (${secure ? 'TLS' : 'clear text'})`, async (t) => {
    const backend = await rawEndpoint((_request, socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n');
      socket.write(BIG);
    });
    const proxy = await startDataPlane({
      ...simpleTable([backend.endpoint]),
      listeners: { 'listener/http': HTTP_LISTENER, 'listener/https': { ...HTTP_LISTENER, name: 'https', protocol: 'HTTPS', tls: { defaultCertificate: own.name, minVersion: 'TLSv1.2' } } },
      virtualHosts: { 'http+https/*': virtualHost('*', [route('/', 'test/web:80')], { listeners: ['http', 'https'] }) },
      certificates: { [own.name]: own },
    });
    const socket = secure ? tls.connect({ port: proxy.httpsPort as number, host: '127.0.0.1', ALPNProtocols: ['h2'], rejectUnauthorized: false }) : net.connect(proxy.port, '127.0.0.1');
    await once(socket, secure ? 'secureConnect' : 'connect');
    const session = http2.connect('http://a.test', { createConnection: () => socket, settings: { initialWindowSize: 0 } });
    session.on('error', () => undefined);
    const stream = session.request({ ':path': '/' });
    stream.on('error', () => undefined);
    await once(stream, 'response');
    t.is(backend.open.size, 1);
    socket.end();
    await backend.idle();
    t.deepEqual(proxy.log.map(({ status, reason }) => [status, reason]), [[200, 'DownstreamConnectionTermination']]);
    session.destroy();
    await proxy.close();
    await backend.close();
  });
}

for (const [what, ending] of [
  ['resets', rst(1, 8)],
  ['makes us reset', frame(FRAME.WINDOW_UPDATE, 0, 1, Buffer.alloc(4))],
] as const) {
  test(`a client that leaves and then ${what} its last stream has its connection closed at once`, async (t) => {
    const backend = await rawEndpoint(() => undefined);
    const proxy = await startDataPlane(simpleTable([backend.endpoint]));
    t.teardown(async () => {
      await proxy.close();
      await backend.close();
    });
    const client = await RawHttp2Client.connect(proxy.port);
    t.teardown(() => client.destroy());
    client.write(client.headers(1, requestFields('GET', '/'), true), frame(FRAME.GOAWAY, 0, 0, Buffer.alloc(8)));
    await client.until(({ type }) => type === FRAME.GOAWAY);
    const ended = once(client.socket, 'end');
    client.write(ending);
    t.true(await Promise.race([ended.then(() => true), new Promise((resolve) => setTimeout(resolve, 1_000, false))]));
  });
}

test('a client that has sent as many requests as one connection may have is asked to begin nothing more, and loses none that was on its way', async (t) => {
  const proxy = await forwardPlane(t, [ok], { limits: { keepAliveRequests: 3 } });
  const client = await RawHttp2Client.connect(proxy.port);
  t.teardown(() => client.destroy());
  const ended = once(client.socket, 'end');
  client.write(...[1, 3, 5, 7].map((id) => client.headers(id, requestFields('GET', '/'), true)));
  await ended;
  t.deepEqual(proxy.log.map(({ status, reason }) => [status, reason]), [1, 3, 5, 7].map(() => [200, '']));
  t.deepEqual(client.frames.filter(({ type }) => type === FRAME.GOAWAY).map(({ payload }) => [payload.readUInt32BE(0), payload.readUInt32BE(4)]), [[2 ** 31 - 1, 0], [7, 0]]);
});
