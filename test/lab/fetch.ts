// HTTP clients inside a namespace: `fetch` over a socket of the namespace, and `KeptConnection` for a client that stays.
import { request as httpRequest } from 'node:http';
import type { ClientRequest, IncomingHttpHeaders, IncomingMessage, RequestOptions } from 'node:http';
import type { Socket } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import type { Duplex } from 'node:stream';
import type { Host } from './host.ts';

export interface FetchOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer | string;
  /** Where to connect; absent: the URL's own address and port. */
  readonly to?: { readonly address: string; readonly port: number };
  /** What is sent first on the connection: a PROXY protocol header. */
  readonly preface?: Buffer | string;
  readonly timeoutMs?: number;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

const TIMEOUT_MS = 10_000;

/** One request on a connection of its own. Certificates are not checked: which one was served is a matter of other tests. Rejects if no complete answer comes. */
export async function fetchFrom(host: Host, url: string, options: FetchOptions = {}): Promise<Answer> {
  const connection = await KeptConnection.open(host, url, options);
  try {
    return await connection.fetch(url, { ...options, headers: { connection: 'close', ...options.headers } });
  } finally {
    connection.close();
  }
}

/** A connection on which requests follow each other. */
export class KeptConnection {
  readonly socket: Duplex;
  readonly #raw: Socket;

  private constructor(raw: Socket, socket: Duplex) {
    this.#raw = raw;
    this.socket = socket;
    socket.on('error', () => undefined);
  }

  static async open(host: Host, url: string, options: Pick<FetchOptions, 'to' | 'preface'> = {}): Promise<KeptConnection> {
    const { raw, socket } = await openConnection(host, url, 'http/1.1', options);
    return new KeptConnection(raw, socket);
  }

  async fetch(url: string, options: FetchOptions = {}): Promise<Answer> {
    const { host, pathname, search } = new URL(url);
    const headers = { host, connection: 'keep-alive', ...(options.body === undefined ? {} : { 'content-length': String(Buffer.byteLength(options.body)) }), ...options.headers };
    const send: RequestOptions = { method: options.method ?? 'GET', path: pathname + search, headers, setHost: false, createConnection: () => this.socket as Socket };
    const request = httpRequest(send);
    request.end(options.body);
    return answerOf(request, options.timeoutMs ?? TIMEOUT_MS);
  }

  close(): void {
    this.socket.destroy();
    this.#raw.destroy();
  }
}

/** A connection for a URL, over TLS if it says https: then with this protocol by ALPN. */
export async function openConnection(host: Host, url: string, protocol: string, options: Pick<FetchOptions, 'to' | 'preface'>): Promise<{ readonly raw: Socket; readonly socket: Duplex }> {
  const { protocol: scheme, hostname, port } = new URL(url);
  const secure = scheme === 'https:';
  const to = options.to ?? { address: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? (secure ? 443 : 80) : Number(port) };
  const raw = await host.connect(to.port, to.address);
  if (options.preface !== undefined) raw.write(options.preface);
  if (!secure) return { raw, socket: raw };
  const socket = tlsConnect({ socket: raw, servername: hostname, rejectUnauthorized: false, ALPNProtocols: [protocol] });
  await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
  return { raw, socket };
}

function answerOf(request: ClientRequest, timeoutMs: number): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => request.destroy(new Error(`no complete answer within ${timeoutMs} ms`)), timeoutMs);
    const fail = (error: Error): void => {
      clearTimeout(timer);
      reject(error);
    };
    request.on('error', fail);
    request.on('response', (response: IncomingMessage) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', fail);
      response.on('end', () => {
        clearTimeout(timer);
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) });
      });
    });
  });
}
