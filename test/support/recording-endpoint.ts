// A raw TCP endpoint that keeps every byte that reached it, by connection, and answers each complete request (as the strict
// parser sees it) with a small 200 that says how the request looked. What it cannot parse it answers with 400 and keeps.
import net from 'node:net';
import { once } from 'node:events';
import { StrictHttpError, parseRequests } from './strict-http1.ts';
import type { ParsedMessage } from './strict-http1.ts';

export interface RecordedConnection {
  bytes: Buffer;
  requests: ParsedMessage[];
  error: string | undefined;
  /** Ended by the proxy in an orderly way (FIN) before the last request was complete, or by reset. */
  closed: boolean;
  readonly socket: net.Socket;
}

export interface RecordingEndpoint {
  readonly port: number;
  readonly connections: RecordedConnection[];
  /** Complete requests over all connections, in order of arrival. */
  requests(): ParsedMessage[];
  close(): Promise<void>;
}

/** `answer`: the response bytes for a request; undefined keeps silent. */
export async function startRecordingEndpoint(answer: (request: ParsedMessage, socket: net.Socket) => string | Buffer | undefined = defaultAnswer): Promise<RecordingEndpoint> {
  const connections: RecordedConnection[] = [];
  const order: ParsedMessage[] = [];
  const server = net.createServer((socket) => {
    const connection: RecordedConnection = { bytes: Buffer.alloc(0), requests: [], error: undefined, closed: false, socket };
    connections.push(connection);
    let consumed = 0;
    socket.on('error', () => undefined);
    socket.on('close', () => {
      connection.closed = true;
    });
    socket.on('data', (chunk: Buffer) => {
      connection.bytes = Buffer.concat([connection.bytes, chunk]);
      if (connection.error !== undefined) return;
      try {
        const { requests, rest } = parseRequests(connection.bytes.subarray(consumed));
        consumed = connection.bytes.length - rest.length;
        for (const request of requests) {
          connection.requests.push(request);
          order.push(request);
          const bytes = answer(request, socket);
          if (bytes !== undefined) socket.write(bytes);
        }
      } catch (error) {
        if (!(error instanceof StrictHttpError)) throw error;
        connection.error = error.message;
        socket.end('HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n');
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as net.AddressInfo).port,
    connections,
    requests: () => order,
    close: async () => {
      for (const { socket } of connections) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** 200 with the request line and body size as text. */
export function defaultAnswer(request: ParsedMessage): string {
  const body = `${request.startLine}\nbody ${request.body.length}\n`;
  const isHead = request.startLine.startsWith('HEAD ');
  return `HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: ${body.length}\r\n\r\n${isHead ? '' : body}`;
}
