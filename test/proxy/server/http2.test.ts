// HTTP/2 and TLS from outside: ALPN, SNI, clear text with prior knowledge, trailers, resets, and WebSockets over HTTP/1.1.
import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import tls from 'node:tls';
import net from 'node:net';
import test from 'ava';
import WebSocket, { WebSocketServer } from 'ws';
import { selfSigned } from '../../../certs/self-signed.ts';
import { HTTP_LISTENER, endpoint, startDataPlane, virtualHost, route, cluster } from '../../support/data-plane.ts';
import type { DataPlane } from '../../support/data-plane.ts';
import { startRecordingEndpoint } from '../../support/recording-endpoint.ts';
import type { RecordingEndpoint } from '../../support/recording-endpoint.ts';
import { FLAG, FRAME, RawHttp2Client, frame, requestFields, rst } from '../../support/raw-http2.ts';
import { field } from '../../support/strict-http1.ts';

const fallback = selfSigned({ hostnames: ['fallback.test'] });
const shop = selfSigned({ hostnames: ['shop.test'] });
const wild = selfSigned({ hostnames: ['*.wild.test'] });

let backend: RecordingEndpoint;
let webSocketPort: number;
let webSockets: WebSocketServer;
let proxy: DataPlane;

test.before(async () => {
  backend = await startRecordingEndpoint();
  webSockets = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  webSockets.on('connection', (socket) => socket.on('message', (data, binary) => socket.send(data, { binary })));
  await once(webSockets, 'listening');
  webSocketPort = (webSockets.address() as net.AddressInfo).port;
  const both = ['http', 'https'];
  proxy = await startDataPlane({
    listeners: {
      'listener/http': HTTP_LISTENER,
      'listener/https': { ...HTTP_LISTENER, name: 'https', protocol: 'HTTPS', tls: { defaultCertificate: fallback.name, minVersion: 'TLSv1.2' } },
    },
    virtualHosts: {
      'http+https/*': virtualHost('*', [route('/ws', 'test/ws:80'), route('/', 'test/web:80')], { listeners: both }),
      'http+https/shop.test': virtualHost('shop.test', [route('/ws', 'test/ws:80'), route('/', 'test/web:80')], { listeners: both, certificate: shop.name }),
      'http+https/*.wild.test': virtualHost('*.wild.test', [route('/', 'test/web:80')], { listeners: both, certificate: wild.name }),
    },
    clusters: { 'test/web:80': cluster('test/web:80'), 'test/ws:80': cluster('test/ws:80') },
    endpoints: { 'test/web:80': [endpoint(backend.port)], 'test/ws:80': [endpoint(webSocketPort)] },
    certificates: { [fallback.name]: fallback, [shop.name]: shop, [wild.name]: wild },
  });
});
test.after.always(async () => {
  await proxy.close();
  await backend.close();
  webSockets.close();
});

async function servedName(servername: string | undefined): Promise<string | undefined> {
  const socket = tls.connect({ port: proxy.httpsPort as number, host: '127.0.0.1', servername, rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const name = socket.getPeerCertificate().subjectaltname;
  socket.destroy();
  return name;
}

test.serial('SNI picks the certificate: exact, then one-label wildcard, then the default', async (t) => {
  t.is(await servedName('shop.test'), 'DNS:shop.test');
  t.is(await servedName('SHOP.test'), 'DNS:shop.test');
  t.is(await servedName('a.wild.test'), 'DNS:*.wild.test');
  t.is(await servedName('a.b.wild.test'), 'DNS:fallback.test');
  t.is(await servedName('unknown.test'), 'DNS:fallback.test');
  t.is(await servedName(undefined), 'DNS:fallback.test');
});

interface H2Answer {
  readonly status: number;
  readonly headers: http2.IncomingHttpHeaders;
  readonly body: string;
}

async function h2(client: http2.ClientHttp2Session, headers: http2.OutgoingHttpHeaders, body?: string | Buffer): Promise<H2Answer> {
  const stream = client.request(headers, { endStream: body === undefined });
  if (body !== undefined) stream.end(body);
  let text = '';
  stream.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  const [answer] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders & { ':status': number }];
  await once(stream, 'end');
  return { status: answer[':status'], headers: answer, body: text };
}

test.serial('HTTP/2 by ALPN: many streams at once, cookies joined, :authority becomes Host', async (t) => {
  const client = http2.connect(`https://shop.test:${proxy.httpsPort}`, { rejectUnauthorized: false, createConnection: (url) => tls.connect({ port: Number((url as URL).port), host: '127.0.0.1', servername: 'shop.test', ALPNProtocols: ['h2'], rejectUnauthorized: false }) });
  const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => h2(client, { ':path': `/h2-${i}`, cookie: ['a=1', 'b=2'] })));
  t.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
  t.is(answers[7]?.body.split('\n')[0], 'GET /h2-7 HTTP/1.1');
  const request = backend.requests().find(({ startLine }) => startLine.includes('/h2-7 '));
  t.is(request && field(request, 'cookie'), 'a=1; b=2');
  t.is(request && field(request, 'host'), `shop.test:${proxy.httpsPort}`);
  t.is(request && field(request, 'x-forwarded-proto'), 'https');
  client.close();
});

test.serial('clear-text HTTP/2 with prior knowledge is served on the HTTP port', async (t) => {
  const client = http2.connect(`http://127.0.0.1:${proxy.port}`);
  const posted = await h2(client, { ':path': '/h2c', ':method': 'POST' }, 'x'.repeat(300_000));
  t.is(posted.status, 200);
  t.true(posted.body.includes('body 300000'));
  client.close();
});

test.serial('either :scheme is served on either port, and the endpoint is told what the connection is', async (t) => {
  const secure = (): tls.TLSSocket => tls.connect({ port: proxy.httpsPort as number, host: '127.0.0.1', servername: 'shop.test', ALPNProtocols: ['h2'], rejectUnauthorized: false });
  for (const [client, told] of [[http2.connect('http://shop.test', { createConnection: () => net.connect(proxy.port, '127.0.0.1') }), 'http'], [http2.connect('https://shop.test', { createConnection: secure }), 'https']] as const) {
    for (const scheme of ['http', 'https']) {
      t.is((await h2(client, { ':path': `/${scheme}-${told}`, ':scheme': scheme, 'x-said': scheme })).status, 200);
      const request = backend.requests().at(-1);
      t.is(request && field(request, 'x-said'), scheme);
      t.is(request && field(request, 'x-forwarded-proto'), told);
    }
    client.close();
  }
});

test.serial('a Host other than :authority is refused; so are CONNECT and TRACE', async (t) => {
  const client = http2.connect(`http://127.0.0.1:${proxy.port}`);
  t.is((await h2(client, { ':path': '/', ':authority': 'a.test', host: 'evil.test' })).status, 400);
  t.is((await h2(client, { ':path': '/', ':method': 'TRACE' })).status, 405);
  client.close();
});

test.serial('what HTTP/2 is refused is in the log as HTTP/2, and a 405 says what is allowed; OPTIONS * is in the log too', async (t) => {
  const session = http2.connect(`http://127.0.0.1:${proxy.port}`);
  const ask = async (method: string, path: string): Promise<http2.IncomingHttpHeaders> => {
    const stream = session.request({ ':method': method, ':path': path });
    stream.resume();
    const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders];
    return headers;
  };
  t.regex((await ask('TRACE', '/'))['allow'] ?? '', /GET, HEAD, POST/);
  t.regex((await ask('OPTIONS', '*'))['allow'] ?? '', /GET, HEAD, POST/);
  t.deepEqual(proxy.log.slice(-2).map(({ status, reason, exchange }) => [status, reason, exchange.request.version, exchange.request.method]), [[405, 'MethodNotAllowed', '2', 'TRACE'], [200, 'ServerOptions', '2', 'OPTIONS']]);
  session.destroy();
});

test.serial('an HTTP/2 upload that is reset, in any way and at any time, reaches the endpoint as an abort', async (t) => {
  for (const code of [0, 2, 7, 8]) {
    for (const declared of [true, false]) {
      for (const sent of [0, 500]) {
        for (const pauseMs of [0, 30]) {
          const before = backend.requests().length;
          const client = await RawHttp2Client.connect(proxy.port);
          const fields = requestFields('POST', '/cut', 'a.test', declared ? [['content-length', '1000']] : []);
          const upload = [client.headers(1, fields, false), ...(sent > 0 ? [frame(FRAME.DATA, 0, 1, 'x'.repeat(sent))] : [])];
          if (pauseMs > 0) {
            client.write(...upload);
            await new Promise((resolve) => setTimeout(resolve, pauseMs));
            client.write(rst(1, code));
          } else {
            client.write(...upload, rst(1, code));
          }
          await new Promise((resolve) => setTimeout(resolve, 60));
          t.is(backend.requests().length, before, `code ${code}, ${declared ? 'with' : 'without'} content-length, ${sent} bytes, ${pauseMs} ms`);
          client.destroy();
        }
      }
    }
  }
});

test.serial('an HTTP/2 upload that ends short of its content-length is no complete message', async (t) => {
  const before = backend.requests().length;
  const client = await RawHttp2Client.connect(proxy.port);
  client.write(client.headers(1, requestFields('POST', '/short', 'a.test', [['content-length', '10']]), false), frame(FRAME.DATA, FLAG.END_STREAM, 1, 'hello'));
  await client.until(({ type, stream }) => stream === 1 && (type === FRAME.RST_STREAM || type === FRAME.HEADERS));
  t.is(backend.requests().length, before);
  client.destroy();
});

test.serial('a WebSocket echoes over ws and wss, also a large message', async (t) => {
  for (const url of [`ws://127.0.0.1:${proxy.port}/ws`, `wss://127.0.0.1:${proxy.httpsPort}/ws`]) {
    const socket = new WebSocket(url, { rejectUnauthorized: false, headers: { host: 'shop.test' } });
    await once(socket, 'open');
    const payload = Buffer.alloc(1_000_000, 7);
    socket.send(payload);
    const [echo] = (await once(socket, 'message')) as [Buffer];
    t.deepEqual(echo, payload);
    socket.close();
    await once(socket, 'close');
  }
});

test.serial('a swap of another route leaves WebSockets and streams alone', async (t) => {
  const socket = new WebSocket(`ws://127.0.0.1:${proxy.port}/ws`);
  await once(socket, 'open');
  for (let i = 0; i < 20; i++) {
    await proxy.swap({
      virtualHosts: { ...proxy.server.snapshot.virtualHosts, [`http/extra-${i}.test`]: virtualHost(`extra-${i}.test`, [route('/', 'test/web:80')]) },
    });
  }
  socket.send('still here');
  const [echo] = (await once(socket, 'message')) as [Buffer];
  t.is(echo.toString(), 'still here');
  socket.close();
});

test.serial('an endpoint that refuses an upgrade is heard, and one that is gone is 502', async (t) => {
  const socket = new WebSocket(`ws://127.0.0.1:${proxy.port}/plain`);
  const [, refusal] = (await once(socket, 'unexpected-response')) as [unknown, http.IncomingMessage];
  t.is(refusal.statusCode, 200);
  refusal.resume();
  await proxy.swap({ endpoints: { ...proxy.server.snapshot.endpoints, 'test/ws:80': [endpoint(1)] } });
  const gone = new WebSocket(`ws://127.0.0.1:${proxy.port}/ws`);
  const [, answer] = (await once(gone, 'unexpected-response')) as [unknown, http.IncomingMessage];
  t.is(answer.statusCode, 502);
  answer.resume();
  await proxy.swap({ endpoints: { ...proxy.server.snapshot.endpoints, 'test/ws:80': [endpoint(webSocketPort)] } });
});

test('what a stream held is let go with it, not when its deadline would have come', async (t) => {
  const session = http2.connect(`http://127.0.0.1:${proxy.port}`);
  t.teardown(() => session.destroy());
  const before = proxy.server.deadlines.size;
  for (let round = 0; round < 50; round++) {
    await Promise.all(
      Array.from({ length: 10 }, async (_, index) => {
        const stream = session.request({ ':path': '/', ':authority': 'shop.test', ...(index % 2 === 0 ? {} : { ':method': 'POST' }) });
        stream.end(index % 2 === 0 ? undefined : 'body');
        await once(stream.resume(), 'close');
      }),
    );
  }
  await new Promise((resolve) => setTimeout(resolve, 200));
  t.true(proxy.server.deadlines.size <= before + 10, `${proxy.server.deadlines.size} deadlines after 500 streams, ${before} before`);
});
