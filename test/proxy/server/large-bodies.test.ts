// Large bodies between all pairs of protocols, in both directions: each side's backpressure stops the other and lets it go on again,
// whoever of them is the first to be full.
import http from 'node:http';
import type { IncomingMessage } from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import type { Cluster } from '../../../proxy/table/cluster.ts';
import { cluster, endpoint, route } from '../../support/data-plane.ts';
import { issue } from '../../support/pki.ts';
import { SITE_CA, startTlsPlane } from '../../support/tls-plane.ts';
import type { TlsHost } from '../../support/tls-plane.ts';

const OCTETS = 6_000_000;
const PIECE = Buffer.alloc(50_000, 'abcdefghij');
const PROTOCOLS = ['HTTP/1.1', 'HTTP/1.1 over TLS', 'HTTP/2', 'HTTP/2 over TLS'] as const;
const TOO_LONG_MS = 10_000;
type Protocol = (typeof PROTOCOLS)[number];

function send(into: Writable): void {
  let left = OCTETS;
  const more = (): void => {
    while (left > 0) {
      const piece = PIECE.subarray(0, left);
      left -= piece.length;
      if (!into.write(piece)) return void into.once('drain', more);
    }
    into.end();
  };
  more();
}

/** Octets of the body of a GET, or what is said about that of a PUT. */
async function octetsIn(stream: Readable, uploaded: boolean): Promise<number> {
  let octets = 0;
  let text = '';
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    octets += chunk.length;
    if (uploaded) text += chunk.toString();
  }
  return uploaded ? Number(text) : octets;
}

/** Answers a PUT with the number of octets that came, everything else with a large body. */
function serve(request: IncomingMessage | http2.Http2ServerRequest, response: http.ServerResponse | http2.Http2ServerResponse): void {
  let octets = 0;
  request.on('data', (chunk: Buffer) => (octets += chunk.length)).on('end', () => {
    if (request.method === 'PUT') response.end(String(octets));
    else send(response as Writable);
  });
}

async function startEndpoints(t: ExecutionContext): Promise<{ hosts: Record<string, TlsHost>; clusters: Record<string, Cluster>; endpoints: Record<string, readonly ReturnType<typeof endpoint>[]> }> {
  const identity = issue(SITE_CA, 'endpoint', { names: ['endpoint.test'] });
  const secure = { key: identity.keyPem, cert: identity.certPem };
  const servers = [http.createServer(serve), https.createServer(secure, serve), http2.createServer(serve), http2.createSecureServer(secure, serve)];
  const table: Awaited<ReturnType<typeof startEndpoints>> = { hosts: {}, clusters: {}, endpoints: {} };
  for (const [nth, server] of servers.entries()) {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.teardown(() => server.close());
    const name = `test/web-${nth}:80`;
    table.hosts[`host-${nth}.test`] = { routes: [route('/', name)] };
    table.clusters[name] = cluster(name, { protocol: nth < 2 ? 'HTTP/1.1' : 'HTTP/2', ...(nth % 2 === 1 && { tls: { verify: false, serverName: 'endpoint.test' } }) });
    table.endpoints[name] = [endpoint((server.address() as AddressInfo).port)];
  }
  return table;
}

for (const method of ['GET', 'PUT'] as const) {
  test(`a large body arrives whole between every pair of protocols: ${method}`, async (t) => {
    t.timeout(120_000);
    const { hosts, clusters, endpoints } = await startEndpoints(t);
    const plane = await startTlsPlane(t, { hosts, more: { clusters, endpoints } });
    const ask = async (client: Protocol, host: string): Promise<number> => {
      const tls = { servername: host, rejectUnauthorized: false };
      const secure = client.endsWith('TLS');
      if (client.startsWith('HTTP/2')) {
        const session = secure ? http2.connect(`https://127.0.0.1:${plane.httpsPort}`, { ...tls, settings: { initialWindowSize: 1024 * 1024 } }) : http2.connect(`http://127.0.0.1:${plane.port}`);
        t.teardown(() => session.destroy());
        const stream = session.request({ ':method': method, ':path': '/', ':authority': host }, { endStream: method === 'GET' });
        if (method === 'PUT') send(stream);
        return octetsIn(stream, method === 'PUT');
      }
      const request = secure ? https.request({ method, port: plane.httpsPort, headers: { host }, ...tls }) : http.request({ method, port: plane.port, headers: { host } });
      if (method === 'PUT') send(request);
      else request.end();
      const response = await new Promise<IncomingMessage>((resolve, reject) => request.once('response', resolve).once('error', reject));
      return octetsIn(response, method === 'PUT');
    };
    for (const client of PROTOCOLS) {
      for (const [nth, protocol] of PROTOCOLS.entries()) {
        const octets = await Promise.race([ask(client, `host-${nth}.test`), pause(TOO_LONG_MS, 'it stands still', { ref: false })]);
        t.is(octets, OCTETS, `a client of ${client}, an endpoint of ${protocol}`);
      }
    }
  });
}
