// Endpoints as raw TCP servers with scripted behaviour: what real ones do wrong cannot be had from an HTTP library.
import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import type { Endpoint } from '../../proxy/table/cluster.ts';
import { cut } from './cut.ts';
import { RequestParser } from './endpoint-parser.ts';
import type { ReceivedRequest } from './endpoint-parser.ts';

/** What an endpoint does with a request. `connection` counts from 0; `nth` is the request's place on it, from 0. */
export type Script = (request: ReceivedRequest, socket: net.Socket, connection: number, nth: number) => void;

export interface RawEndpointOptions {
  /** TLS server options; absent: plain TCP. */
  readonly tls?: tls.TlsOptions;
  /** When the script runs: with the head (default) or when the message is complete. */
  readonly on?: 'head' | 'complete';
  /** Default: reads at once. False: nothing is read until the script resumes the socket, which is given by `onConnection`. */
  readonly onConnection?: (socket: net.Socket, connection: number) => void;
}

export interface RawEndpoint {
  readonly endpoint: Endpoint;
  /** Every request whose head arrived, in order. */
  readonly requests: ReceivedRequest[];
  /** Violations of HTTP that were received. */
  readonly errors: string[];
  /** Connections accepted so far. */
  connections: number;
  /** Connections that are open now. */
  readonly open: ReadonlySet<net.Socket>;
  /** Resolves when every connection is closed. */
  idle(): Promise<void>;
  close(): Promise<void>;
}

export async function rawEndpoint(script: Script, options: RawEndpointOptions = {}): Promise<RawEndpoint> {
  const open = new Set<net.Socket>();
  const accept = (socket: net.Socket): void => {
    const connection = raw.connections++;
    let nth = 0;
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    socket.on('error', () => {});
    const run = (request: ReceivedRequest): void => script(request, socket, connection, nth++);
    const parser = new RequestParser(
      (request) => {
        raw.requests.push(request);
        if (options.on !== 'complete') run(request);
      },
      (request) => {
        if (options.on === 'complete') run(request);
      },
    );
    socket.on('data', (bytes: Buffer) => {
      try {
        parser.push(bytes);
      } catch (error) {
        raw.errors.push(String(error));
        socket.destroy();
      }
    });
    options.onConnection?.(socket, connection);
  };
  const server = options.tls === undefined ? net.createServer({ noDelay: true }, accept) : tls.createServer(options.tls, accept);
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const raw: RawEndpoint = {
    endpoint: endpointAt((server.address() as net.AddressInfo).port),
    requests: [],
    errors: [],
    connections: 0,
    open,
    async idle() {
      while (open.size > 0) await new Promise((resolve) => setTimeout(resolve, 2));
    },
    async close() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return raw;
}

export function endpointAt(port: number, address = '127.0.0.1'): Endpoint {
  return { address, port, ready: true, serving: true, terminating: false };
}

/** Refuses connections: an address of the loopback network on which nothing listens, so that no other test can take the port. */
export const REFUSING: Endpoint = endpointAt(1, '127.66.66.66');

/** Answers with `body` and keeps the connection. */
export function answer(body: string, headers: readonly string[] = [], status = '200 OK'): Script {
  return (request, socket) => {
    const length = request.method === 'HEAD' ? 0 : Buffer.byteLength(body);
    const fields = [...headers, `content-length: ${Buffer.byteLength(body)}`];
    socket.write(`HTTP/1.1 ${status}\r\n${fields.join('\r\n')}\r\n\r\n${length === 0 ? '' : body}`);
  };
}

/** Writes these bytes and leaves the connection open. */
export function bytes(text: string): Script {
  return (_request, socket) => void socket.write(text, 'latin1');
}

/** Closes a connection with a reset; a TLS one without a word of TLS. */
export function reset(socket: net.Socket): void {
  const tcp = socket instanceof tls.TLSSocket ? (Reflect.get(socket, '_parent') as net.Socket) : socket;
  cut(tcp, socket);
}

/** Closes the connection with a reset, after these bytes. */
export function resetAfter(text: string): Script {
  return (_request, socket) => {
    if (text === '') reset(socket);
    // The bytes must have been read before the reset throws away what is still under way.
    else socket.write(text, 'latin1', () => setTimeout(() => reset(socket), 100));
  };
}

/** Closes the connection with a FIN, after these bytes. */
export function endAfter(text: string): Script {
  return (_request, socket) => void socket.end(text, 'latin1');
}

/** Takes the request and never answers. */
export const silent: Script = () => {};

/** Answers the first request of a connection and cuts the connection at the second, as a stale keep-alive connection does. */
export function staleAfterFirst(first: Script, end: 'fin' | 'reset'): Script {
  return (request, socket, connection, nth) => {
    if (nth === 0) first(request, socket, connection, nth);
    else if (end === 'fin') socket.end();
    else reset(socket);
  };
}
