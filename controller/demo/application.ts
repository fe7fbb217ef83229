// The demo's application: a small HTTP server that answers with its own name, the request as it arrived and its header
// fields, so that a reader of the answer sees what a proxy made of the request. WebSockets are echoed.
import { createServer } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { EndpointSlice } from '../kube/objects.ts';
import { acceptWebSocket } from './web-socket-echo.ts';

export interface ApplicationOptions {
  /** `shop-1`: what it calls itself in every answer. */
  readonly name: string;
  readonly address: string;
  /** 0 takes a free one. */
  readonly port: number;
}

export interface Application extends ApplicationOptions {
  /** Stops listening and ends every connection. */
  close(): Promise<void>;
}

/** Starts one; rejects if the address cannot be listened on. */
export async function startApplication(options: ApplicationOptions): Promise<Application> {
  const { name, address } = options;
  const server = createServer((request, response) => {
    let bodyBytes = 0;
    request.on('data', (chunk: Buffer) => (bodyBytes += chunk.length));
    request.on('end', () => response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' }).end(describe(name, request, bodyBytes)));
    request.on('error', () => response.destroy());
  });
  const upgraded = new Set<Duplex>();
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    upgraded.add(socket);
    socket.on('close', () => upgraded.delete(socket));
    acceptWebSocket(request, socket, head, `${name} echoes what you send to ${request.url ?? ''}`);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, address, resolve);
  });
  const { port } = server.address() as AddressInfo;
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
      for (const socket of upgraded) socket.destroy();
    });
  return { name, address, port, close };
}

/** Starts one on every address and port of the slices, named after their namespace: `shop-1`, `shop-2`, and `blog-1 api` where pods have several ports. If one cannot start, none stays. */
export async function startApplications(slices: Iterable<EndpointSlice>): Promise<readonly Application[]> {
  const wanted: ApplicationOptions[] = [];
  for (const { metadata, ports, endpoints } of slices) {
    for (const [index, { addresses }] of endpoints.entries()) {
      const [address] = addresses;
      for (const { name, port } of ports) {
        if (address === undefined || port === undefined) continue;
        wanted.push({ name: `${metadata.namespace}-${index + 1}${ports.length > 1 ? ` ${name}` : ''}`, address, port });
      }
    }
  }
  const started = await Promise.allSettled(wanted.map(startApplication));
  const applications = started.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const failed = started.find((result) => result.status === 'rejected');
  if (failed === undefined) return applications;
  await Promise.all(applications.map((application) => application.close()));
  throw failed.reason;
}

function describe(name: string, request: IncomingMessage, bodyBytes: number): string {
  const lines = [`${name} got ${request.method ?? ''} ${request.url ?? ''}${bodyBytes === 0 ? '' : ` with ${bodyBytes} bytes`}`, ''];
  const { rawHeaders } = request;
  for (let index = 0; index < rawHeaders.length; index += 2) lines.push(`${rawHeaders[index] ?? ''}: ${rawHeaders[index + 1] ?? ''}`);
  return `${lines.join('\n')}\n`;
}
