// Memory of large reads goes round between all connections of a worker. Whatever clients do with their answers, each gets the bytes of
// its own and no other's: fast ones and slow ones, ones that leave, in both versions of HTTP, in clear text and over TLS.
import http from 'node:http';
import type { IncomingMessage } from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { cluster, endpoint, route } from '../../support/data-plane.ts';
import { startTlsPlane } from '../../support/tls-plane.ts';

const HOST = 'a.example.com';
const REQUESTS = 240;

/** The answer to /<mark>/<octets>/<how>: its mark again and again. `how`: by length, in chunks of odd sizes, or with an end that is cut. */
function answer(url: string, response: { write(chunk: Buffer): boolean; end(): void; destroy(): void; once(event: 'drain', listener: () => void): void }, head: (length: number | undefined) => void): void {
  const [, mark = '', octets = '', how = ''] = url.split('/');
  const body = Buffer.alloc(Number(octets), `<${mark}>`);
  head(how === 'chunks' ? undefined : body.length);
  let at = 0;
  let size = 700;
  const more = (): void => {
    while (at < body.length) {
      if (how === 'cut' && at > body.length / 2) return response.destroy();
      size = (size * 7) % 65_521;
      const piece = body.subarray(at, at + size);
      at += size;
      if (!response.write(piece)) return response.once('drain', more);
    }
    response.end();
  };
  more();
}

/** An endpoint of HTTP/1.1, or of HTTP/2 in clear text. */
async function startEndpoint(t: ExecutionContext, version: 1 | 2): Promise<number> {
  const server = version === 1
    ? http.createServer((request, response) => answer(request.url ?? '', response, (length) => response.writeHead(200, length === undefined ? {} : { 'content-length': length })))
    : http2.createServer((request, response) => answer(request.url, response.stream, (length) => response.stream.respond(length === undefined ? {} : { 'content-length': length })));
  server.on('error', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** How often each upload came. */
const times = new Map<string, number>();
/** Uploads that were not what their paths say. */
const mixedUp: string[] = [];

/** An endpoint that looks at what it gets, octet by octet. `rude`: it then resets every third one of up to 64 KiB, which another one gets once more. */
async function startTaker(t: ExecutionContext, version: 1 | 2, rude: boolean): Promise<number> {
  let taken = 0;
  const take = async (url: string, request: Readable): Promise<boolean> => {
    const [, mark = '', octets = ''] = url.split('/');
    const pieces: Buffer[] = [];
    for await (const piece of request as AsyncIterable<Buffer>) pieces.push(piece);
    const body = Buffer.concat(pieces);
    times.set(`${version}${url}`, (times.get(`${version}${url}`) ?? 0) + 1);
    if (!body.equals(Buffer.alloc(Number(octets), `<${mark}>`))) mixedUp.push(url);
    return rude && ++taken % 3 === 0 && body.length <= 64 * 1024;
  };
  const server = version === 1
    ? http.createServer((request, response) => void take(request.url ?? '', request).then((reset) => (reset ? request.socket.resetAndDestroy() : response.end('right')), () => undefined))
    : http2.createServer((request, response) => void take(request.url, request).then((reset) => (reset ? response.stream.close(http2.constants.NGHTTP2_REFUSED_STREAM) : response.end('right')), () => undefined));
  server.on('error', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** Reads an answer in its own way; what was wrong with it, or ''. */
async function read(stream: Readable, nth: number, octets: number): Promise<string> {
  const pattern = `<${nth}>`;
  let at = 0;
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      const shift = at % pattern.length;
      if (!chunk.equals(Buffer.alloc(chunk.length, pattern.slice(shift) + pattern.slice(0, shift)))) return `answer ${nth} has other bytes behind octet ${at}`;
      at += chunk.length;
      if (nth % 3 === 0) await pause(nth % 7);
      if (nth % 11 === 0 && at > octets / 3) return '';
    }
  } catch (error) {
    return nth % 5 === 4 ? '' : `answer ${nth}: ${String(error)}`;
  }
  return at === octets || nth % 5 === 4 ? '' : `answer ${nth} has ${at} of ${octets} octets`;
}

for (const version of [1, 2] as const) {
  test(`every client gets the bytes of its own answer and no other's, from endpoints of HTTP/${version}`, async (t) => {
    t.timeout(60_000);
    const port = await startEndpoint(t, version);
    const name = 'test/web:80';
    const plane = await startTlsPlane(t, { hosts: { [HOST]: {} }, more: { clusters: { [name]: cluster(name, version === 2 ? { protocol: 'HTTP/2' } : {}) }, endpoints: { [name]: [endpoint(port)] } } });
    const tls = { rejectUnauthorized: false, servername: HOST };
    const sessions = [http2.connect(`http://127.0.0.1:${plane.port}`), http2.connect(`https://127.0.0.1:${plane.httpsPort}`, tls)];
    const agents = [new http.Agent({ keepAlive: true, maxSockets: 6 }), new https.Agent({ keepAlive: true, maxSockets: 6 })] as const;
    t.teardown(() => {
      for (const session of sessions) session.destroy();
      for (const agent of agents) agent.destroy();
    });
    const fetched = async (nth: number): Promise<string> => {
      const octets = [300, 5_000, 30_000, 70_000, 400_000][nth % 5] as number;
      const path = `/${nth}/${octets}/${nth % 5 === 4 ? 'cut' : nth % 2 === 0 ? 'chunks' : 'length'}`;
      if (nth % 4 >= 2) return read((sessions[nth % 2] as http2.ClientHttp2Session).request({ ':path': path, ':authority': HOST }), nth, octets);
      const headers = { host: HOST };
      const request = nth % 4 === 0
        ? http.get({ port: plane.port, path, headers, agent: agents[0] })
        : https.get({ port: plane.httpsPort, path, headers, agent: agents[1], ...tls });
      const response = await new Promise<IncomingMessage | undefined>((resolve) => request.once('response', resolve).once('error', () => resolve(undefined)));
      return response === undefined ? `answer ${nth} has no head` : read(response, nth, octets);
    };
    const wrong: string[] = [];
    let next = 0;
    await Promise.all(Array.from({ length: 24 }, async () => {
      while (next < REQUESTS) {
        const error = await fetched(next++);
        if (error !== '') wrong.push(error);
      }
    }));
    t.deepEqual(wrong, []);
  });

  test(`every endpoint of HTTP/${version} gets the bytes of the upload that it was sent, also at the second try`, async (t) => {
    t.timeout(60_000);
    const ports = [await startTaker(t, version, false), await startTaker(t, version, true)];
    const name = 'test/web:80';
    const plane = await startTlsPlane(t, { hosts: { [HOST]: { routes: [route('/', name, { requestBuffering: true })] } }, more: { clusters: { [name]: cluster(name, version === 2 ? { protocol: 'HTTP/2' } : {}) }, endpoints: { [name]: ports.map((port) => endpoint(port)) } } });
    const tls = { rejectUnauthorized: false, servername: HOST };
    const session = http2.connect(`http://127.0.0.1:${plane.port}`);
    const agents = [new http.Agent({ keepAlive: true, maxSockets: 6 }), new https.Agent({ keepAlive: true, maxSockets: 6 })] as const;
    t.teardown(() => {
      session.destroy();
      for (const agent of agents) agent.destroy();
    });
    const put = (nth: number): Promise<boolean> => new Promise((resolve) => {
      const octets = [900, 9_000, 30_000, 60_000, 300_000][nth % 5] as number;
      const path = `/${nth}/${octets}`;
      const headers = { host: HOST, ...(nth % 2 === 0 && { 'content-length': octets }) };
      const request = nth % 3 === 0
        ? session.request({ ':method': 'PUT', ':path': path, ':authority': HOST })
        : nth % 3 === 1
          ? http.request({ method: 'PUT', port: plane.port, path, headers, agent: agents[0] })
          : https.request({ method: 'PUT', port: plane.httpsPort, path, headers, agent: agents[1], ...tls });
      const finished = (response: Readable): void => {
        let text = '';
        response.on('data', (chunk: Buffer) => (text += chunk)).on('end', () => resolve(text === 'right')).on('error', () => resolve(false));
      };
      if (request instanceof http.ClientRequest) request.on('response', finished);
      else finished(request);
      request.on('error', () => resolve(false));
      const body = Buffer.alloc(octets, `<${nth}>`);
      let at = 0;
      let size = 700;
      const more = (): void => {
        while (at < octets) {
          size = (size * 7) % 65_521;
          const piece = body.subarray(at, at + size);
          at += size;
          if (!request.write(piece)) return void request.once('drain', more);
        }
        request.end();
      };
      more();
    });
    let right = 0;
    let next = 0;
    await Promise.all(Array.from({ length: 12 }, async () => {
      while (next < REQUESTS) if (await put(next++)) right++;
    }));
    t.deepEqual(mixedUp, []);
    // Not all may be tried again: there is a budget.
    t.true(right > REQUESTS * 0.8, `${right} of ${REQUESTS}`);
    const taken = [...times].filter(([url, n]) => url.startsWith(`${version}/`) && n > 1).length;
    t.true(taken > REQUESTS / 20, `${taken} were tried twice`);
  });
}
