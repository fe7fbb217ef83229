// A data plane with TLS in the test's own process: hosts with certificates from pki.ts, an endpoint that tells what it got.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createHash } from 'node:crypto';
import type { ExecutionContext } from 'ava';
import type { Certificate } from '../../proxy/table/certificate.ts';
import type { Listener } from '../../proxy/table/listener.ts';
import type { ClientCertificates, Route, VirtualHost } from '../../proxy/table/route.ts';
import type { Snapshot } from '../../proxy/table/snapshot.ts';
import { HTTP_LISTENER, cluster, endpoint, route, startDataPlane, virtualHost } from './data-plane.ts';
import type { DataPlane, DataPlaneOptions } from './data-plane.ts';
import { authority, issue } from './pki.ts';
import type { Identity } from './pki.ts';

/** The authority of all server certificates that nobody else made. */
export const SITE_CA = authority('site authority');
export const DEFAULT = issue(SITE_CA, 'default', { names: ['default.invalid'] });

export function certificateOf(identity: Identity): Certificate {
  const digest = createHash('sha256').update(identity.certPem).digest('hex');
  return { name: `sha256/${digest}`, hostnames: [], notAfter: Date.now() + 1e9, chainPem: identity.chainPem === '' ? identity.certPem : identity.chainPem, keyPem: identity.keyPem };
}

export function clientCertificates(ca: Identity, more: Partial<ClientCertificates> = {}): ClientCertificates {
  const settings = { caPem: ca.certPem, depth: 1, ...more };
  return { name: `sha256/${createHash('sha256').update(JSON.stringify(settings)).digest('hex')}`, ...settings };
}

export interface TlsHost extends Partial<Omit<VirtualHost, 'certificate'>> {
  /** Absent: one of its own is made. */
  readonly certificate?: Identity;
}

export interface TlsTable {
  readonly hosts: Readonly<Record<string, TlsHost>>;
  readonly listener?: Partial<Listener>;
  readonly httpListener?: Partial<Listener>;
  readonly more?: Partial<Snapshot>;
}

export interface TlsPlane extends DataPlane {
  readonly httpsPort: number;
  /** What the endpoint was told last: names in lower case. */
  readonly requests: { readonly url: string; readonly headers: ReadonlyMap<string, string> }[];
  change(table: TlsTable): Promise<void>;
}

/** Every host forwards everything to one endpoint, unless it brings routes of its own. */
export async function startTlsPlane(t: ExecutionContext, table: TlsTable, options: DataPlaneOptions = {}): Promise<TlsPlane> {
  const requests: TlsPlane['requests'] = [];
  const backend = createServer((request, response) => {
    const raw = request.rawHeaders;
    requests.push({ url: request.url ?? '', headers: new Map(raw.flatMap((name, at) => (at % 2 === 0 ? [[name.toLowerCase(), raw[at + 1] ?? ''] as const] : []))) });
    response.end(`endpoint ${request.headers.host}`);
  });
  backend.on('upgrade', (request, socket) => {
    const raw = request.rawHeaders;
    requests.push({ url: request.url ?? '', headers: new Map(raw.flatMap((name, at) => (at % 2 === 0 ? [[name.toLowerCase(), raw[at + 1] ?? ''] as const] : []))) });
    socket.end('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n');
  });
  await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve));
  const { port } = backend.address() as AddressInfo;
  const plane = await startDataPlane(snapshotOf(table, port), options);
  t.teardown(async () => {
    await plane.close();
    backend.closeAllConnections();
    backend.close();
  });
  return { ...plane, httpsPort: plane.httpsPort as number, requests, change: (next) => plane.swap(snapshotOf(next, port)) };
}

function snapshotOf({ hosts, listener, httpListener, more }: TlsTable, port: number): Partial<Snapshot> {
  const certificates: Record<string, Certificate> = {};
  const put = (identity: Identity): string => {
    const certificate = certificateOf(identity);
    certificates[certificate.name] = certificate;
    return certificate.name;
  };
  const virtualHosts: Record<string, VirtualHost> = {};
  for (const [hostname, { certificate, ...host }] of Object.entries(hosts)) {
    const routes: readonly Route[] = host.routes ?? [route('/', 'test/web:80')];
    virtualHosts[`http+https/${hostname}`] = virtualHost(hostname, routes, {
      listeners: ['http', 'https'],
      ...host,
      ...(hostname !== '*' && { certificate: put(certificate ?? identityFor(hostname)) }),
    });
  }
  const https: Listener = { ...HTTP_LISTENER, name: 'https', protocol: 'HTTPS', tls: { defaultCertificate: put(DEFAULT), minVersion: 'TLSv1.2' }, ...listener };
  return {
    listeners: { 'listener/http': { ...HTTP_LISTENER, ...httpListener }, 'listener/https': https },
    virtualHosts,
    clusters: { 'test/web:80': cluster('test/web:80') },
    endpoints: { 'test/web:80': [endpoint(port)] },
    ...more,
    certificates: { ...certificates, ...more?.certificates },
  };
}

const identities = new Map<string, Identity>();

function identityFor(hostname: string): Identity {
  let identity = identities.get(hostname);
  if (identity === undefined) identities.set(hostname, (identity = issue(SITE_CA, hostname, { names: [hostname] })));
  return identity;
}
