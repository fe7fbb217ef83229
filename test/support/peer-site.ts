// A Fairlead for programs of others: one host in clear text, one with a certificate, and an application that echoes uploads,
// streams events and speaks WebSocket.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { WebSocketServer } from 'ws';
import { documents, endpoints, ingress, service } from './fairlead-manifests.ts';
import { startFairlead, temporaryFolder } from './fairlead-run.ts';
import type { FairleadRun } from './fairlead-run.ts';
import { secretYaml } from './manifests.ts';
import { authority, issue } from './pki.ts';
import type { Identity } from './pki.ts';

export const PLAIN_HOST = 'plain.example.com';
export const TLS_HOST = 'secure.example.com';

export interface PeerSite {
  readonly fairlead: FairleadRun;
  readonly identity: Identity;
  /** PEM file of the authority. */
  readonly caFile: string;
  /** What was posted to /report. */
  readonly reports: string[];
  /** Requests as the application saw them, in order. */
  readonly requests: { readonly method: string; readonly url: string; readonly headers: IncomingMessage['headers']; body: number }[];
}

export async function startPeerSite(t: ExecutionContext, { args = [], page = '' }: { readonly args?: readonly string[]; readonly page?: string } = {}): Promise<PeerSite> {
  const reports: string[] = [];
  const requests: PeerSite['requests'] = [];
  const serve: RequestListener = (request, response) => {
    const entry = { method: request.method ?? '', url: request.url ?? '', headers: request.headers, body: 0 };
    requests.push(entry);
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => {
      entry.body += piece.length;
      pieces.push(piece);
    });
    request.on('error', () => undefined);
    request.on('end', () => {
      const { pathname } = new URL(entry.url, 'http://x');
      if (pathname === '/') response.setHeader('content-type', 'text/html').end(page);
      else if (pathname === '/report') {
        reports.push(Buffer.concat(pieces).toString());
        response.end('thanks');
      } else if (pathname === '/events') {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        let nth = 0;
        const more = setInterval(() => (nth < 5 ? response.write(`data: ${nth++}\n\n`) : response.end()), 20);
        response.on('close', () => clearInterval(more));
      } else if (pathname === '/endless') {
        const more = setInterval(() => response.write(Buffer.alloc(1000)), 5);
        response.on('close', () => clearInterval(more));
      } else if (pathname === '/cookies') response.setHeader('set-cookie', ['a=1', 'b=2']).end(request.headers.cookie ?? '');
      else if (pathname === '/large') response.end(Buffer.alloc(3_000_000, 'x'));
      else response.end(`${entry.method} ${entry.url} ${entry.body}`);
    });
  };
  const server = createServer(serve);
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket) => {
    socket.on('error', () => undefined);
    socket.on('message', (data, binary) => socket.send(data, { binary }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    for (const socket of sockets.clients) socket.terminate();
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const ca = authority('peers');
  const identity = issue(ca, 'secure', { names: [TLS_HOST] });
  const caFile = join(temporaryFolder(t), 'ca.pem');
  writeFileSync(caFile, ca.certPem);
  const fairlead = await startFairlead(t, {
    args: ['--access-log', 'off', '--max-body-size', '0', ...args],
    files: { 'site.yaml': documents(ingress('plain', { host: PLAIN_HOST }), ingress('secure', { host: TLS_HOST, tls: 'secure' }), secretYaml('secure', identity.certPem, identity.keyPem, 'shop'), service('web'), endpoints('web', port)) },
  });
  return { fairlead, identity, caFile, reports, requests };
}
