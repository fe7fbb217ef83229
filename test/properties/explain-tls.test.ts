// explain and the data plane agree about TLS: the same generated table and request, with one host in the handshake and perhaps
// another one in the request, once asked and once really sent. Some hosts are passed through, some ask for certificates.
import { createServer } from 'node:tls';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { explain } from '../../controller/explain.ts';
import type { Explained } from '../../controller/explain.ts';
import type { VirtualHost } from '../../proxy/table/route.ts';
import { EMPTY_SNAPSHOT } from '../../proxy/table/snapshot.ts';
import { HTTP_LISTENER, cluster, endpoint, startDataPlane } from '../support/data-plane.ts';
import { ask } from '../support/https-client.ts';
import { DEFAULT, SITE_CA, certificateOf, clientCertificates } from '../support/tls-plane.ts';
import { DEFAULT_TEST_OPTIONS } from '../support/worker-options.ts';
import { requests, tables } from './match-arbitraries.ts';

const TABLES = 40;
const REQUESTS = 25;
const PODS = 'test/pods:443';
const EMPTY = 'test/empty:443';

/** Says that it got the connection, whatever the request is. */
async function pod(t: ExecutionContext): Promise<number> {
  const server = createServer({ cert: DEFAULT.certPem, key: DEFAULT.keyPem }, (socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\n\r\npassed through'));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** A third of the hosts is passed through, a third asks for certificates; each route answers with its own name. */
function overTls(virtualHosts: Readonly<Record<string, VirtualHost>>, at: number): Record<string, VirtualHost> {
  return Object.fromEntries(
    Object.entries(virtualHosts).map(([key, host], index) => {
      const kind = (at + index) % 3;
      const routes = host.routes.map((route) => ({ ...route, action: { type: 'Respond' as const, status: 200, body: `${host.hostname} ${route.name}`, reason: 'Test' } }));
      const origin = { kind: 'Ingress', namespace: 'test', name: key };
      const passthrough = kind === 0 ? { passthrough: { cluster: (at + index) % 2 === 0 ? PODS : EMPTY, origin } } : {};
      const tls = kind === 1 ? { tls: { clientCertificates: clientCertificates(SITE_CA) } } : {};
      return [key, { ...host, listeners: ['https'], routes, ...passthrough, ...tls }];
    }),
  );
}

function expected({ refused, passthrough, answer }: Explained): string {
  if (passthrough !== undefined) return passthrough.cluster.endpoints.length > 0 ? 'passed through' : 'alert';
  if (refused !== undefined) return String(refused.status);
  return answer?.action.type === 'Respond' ? `200 ${answer.action.body}` : '404';
}

async function served(port: number, serverName: string, host: string, path: string): Promise<string> {
  try {
    const { status, body } = await ask(port, serverName, { host, path });
    if (body === 'passed through') return body;
    return status === 200 ? `200 ${body.split('\n')[1]?.replace('Test: ', '')}` : String(status);
  } catch (error) {
    return /alert internal error/i.test(String(error)) ? 'alert' : String(error);
  }
}

test('explain and the data plane agree on 1,000 tables and requests over TLS', async (t) => {
  const certificate = certificateOf(DEFAULT);
  const listener = { ...HTTP_LISTENER, name: 'https', protocol: 'HTTPS' as const, tls: { defaultCertificate: certificate.name, minVersion: 'TLSv1.2' as const } };
  const sections = {
    ...EMPTY_SNAPSHOT,
    listeners: { 'listener/https': listener },
    clusters: { [PODS]: cluster(PODS), [EMPTY]: cluster(EMPTY) },
    endpoints: { [PODS]: [endpoint(await pod(t))], [EMPTY]: [] },
    certificates: { [certificate.name]: certificate },
  };
  const plane = await startDataPlane(sections);
  t.teardown(() => plane.close());
  const hosts = fc.sample(tables, { numRuns: TABLES, seed: 20261127 });
  const asked = fc.sample(fc.tuple(requests, requests), { numRuns: TABLES * REQUESTS, seed: 20261128 });
  const seen = new Map<string, number>();
  for (const [at, table] of hosts.entries()) {
    const virtualHosts = overTls(table.virtualHosts, at);
    await plane.swap({ virtualHosts });
    for (const [index, [connection, request]] of asked.slice(at * REQUESTS, (at + 1) * REQUESTS).entries()) {
      const host = index % 2 === 0 ? connection.hostname : request.hostname;
      const target = `${request.path}${request.query === '' ? '' : `?${request.query}`}`;
      const explained = explain({ ...sections, virtualHosts }, { url: `https://${connection.hostname}${target}`, method: 'GET', headers: ['Host', host], from: '127.0.0.1' }, () => undefined, DEFAULT_TEST_OPTIONS);
      // No client names an address in its handshake.
      const answer = await served(plane.httpsPort as number, connection.hostname.startsWith('[') ? '' : connection.hostname, host, target);
      if (answer !== expected(explained)) t.fail(`https://${connection.hostname}${target} with Host ${host}: explained ${expected(explained)}, served ${answer}`);
      const kind = answer.split(' ')[0] ?? '';
      seen.set(kind, (seen.get(kind) ?? 0) + 1);
    }
  }
  t.log(Object.fromEntries(seen));
  for (const kind of ['passed', 'alert', '421', '404', '200', '400']) t.true((seen.get(kind) ?? 0) >= 10, `${kind}: ${seen.get(kind)}`);
});
