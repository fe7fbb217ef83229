// The applications in the lab's pods. They run in the test process, on sockets of their pods.
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import type { Host } from './host.ts';
import { PAGES, digest } from './pages.ts';

export interface AppOptions {
  /** 8080 if absent. */
  readonly port?: number;
  readonly address?: string;
  /** `two`: head and body leave in a segment each, as with most servers (if absent); `one`: together. */
  readonly segments?: 'one' | 'two';
  /** What it answers with; its pod's name if absent. */
  readonly name?: string;
}

/** What an application says of a request to a path that is none of its pages. */
export interface Echo {
  readonly app: string;
  /** Who connected. */
  readonly peer: string;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly bodyBytes: number;
  readonly bodyDigest: string;
}

/** A running application. It serves PAGES, echoes WebSocket messages with its name, and answers anything else with an Echo. */
export class App {
  readonly name: string;
  /** Requests that it has answered. */
  requests = 0;
  readonly #server: Server;
  readonly #webSockets = new WebSocketServer({ noServer: true });

  private constructor(name: string, segments: 'one' | 'two') {
    this.name = name;
    this.#server = createServer({ keepAliveTimeout: 75_000 }, (request, response) => {
      this.requests += 1;
      const page = PAGES.get(request.url ?? '');
      if (page === undefined) echo(name, request, response);
      else sendPage(response, page, segments);
    });
    this.#server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      this.#webSockets.handleUpgrade(request, socket, head, (client) => client.on('message', (message) => client.send(`${name}: ${String(message)}`)));
    });
  }

  static async start(host: Host, options: AppOptions = {}): Promise<App> {
    const app = new App(options.name ?? host.name, options.segments ?? 'two');
    const listener = await host.listen(options.port ?? 8080, options.address);
    await new Promise((resolve) => app.#server.listen(listener, () => resolve(undefined)));
    return app;
  }

  /** Closes connections that wait for a request, as an application does after a time. */
  closeIdle(): void {
    this.#server.closeIdleConnections();
  }

  close(): void {
    for (const client of this.#webSockets.clients) client.terminate();
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

function sendPage(response: ServerResponse, page: Buffer, segments: 'one' | 'two'): void {
  response.writeHead(200, { 'content-type': 'text/plain', 'content-length': page.length });
  if (segments === 'two') response.flushHeaders();
  response.end(page);
}

function echo(app: string, request: IncomingMessage, response: ServerResponse): void {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('error', () => response.destroy());
  request.on('end', () => {
    const body = Buffer.concat(chunks);
    const said: Echo = {
      app,
      peer: (request.socket.remoteAddress ?? '').replace('::ffff:', ''),
      method: request.method ?? '',
      path: request.url ?? '',
      headers: Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)])),
      bodyBytes: body.length,
      bodyDigest: digest(body),
    };
    const text = JSON.stringify(said);
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
    response.end(text);
  });
}

/** The Echo in an answer. Throws if it is none. */
export function echoOf(body: Buffer | string): Echo {
  return JSON.parse(String(body)) as Echo;
}
