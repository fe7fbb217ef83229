// The endpoint that conformance runs stand on: it reads what was forwarded with the strict parser alone, numbers every
// complete request, and files it under the client that sent it. Clients are told apart by their source address, which the
// proxy itself writes into X-Forwarded-For, so that no mangled request can be filed under another client's name.
import { once } from 'node:events';
import net from 'node:net';
import { StrictHttpError, field, parseRequests } from '../../support/strict-http1.ts';
import type { ParsedMessage } from '../../support/strict-http1.ts';

/** One complete request that reached the endpoint. */
export interface Witnessed {
  readonly serial: number;
  readonly request: ParsedMessage;
  /** Its bytes, as they came. */
  readonly raw: Buffer;
}

export interface Witness {
  readonly port: number;
  /** Bytes that no strict parser takes, octets that may not be forwarded: all that must never happen. */
  readonly violations: string[];
  /** The requests of one client since the last call. */
  take(address: string): Witnessed[];
  /** Waits until the connections of a proxy that is closed have ended, and ends. Gives what nobody has asked for: requests that came too late for that, and violations. */
  close(): Promise<readonly string[]>;
}

/** Connections that are still open so long after the proxy was closed are cut. */
const ENDED_MS = 1_000;

/** The answer names its request: `x-serial`, `x-client`, and the request line as body. HEAD is answered with length 0, so that no reader needs to know the method. */
function answerTo(serial: number, address: string, { startLine }: ParsedMessage): string {
  const body = startLine.startsWith('HEAD ') ? '' : startLine;
  return `HTTP/1.1 200 OK\r\nx-serial: ${serial}\r\nx-client: ${address}\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
}

export async function startWitness(): Promise<Witness> {
  const filed = new Map<string, Witnessed[]>();
  const violations: string[] = [];
  const sockets = new Set<net.Socket>();
  let serial = 0;

  const file = (request: ParsedMessage, raw: Buffer): string => {
    const address = field(request, 'x-forwarded-for') ?? '';
    if (!net.isIP(address)) violations.push(`a request without its client: ${request.startLine}`);
    const list = filed.get(address);
    const witnessed = { serial: ++serial, request, raw };
    if (list === undefined) filed.set(address, [witnessed]);
    else list.push(witnessed);
    return answerTo(serial, address, request);
  };

  const server = net.createServer({ noDelay: true }, (socket) => {
    let rest: Buffer = Buffer.alloc(0);
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    socket.on('data', (chunk: Buffer) => {
      const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      try {
        const parsed = parseRequests(bytes);
        rest = parsed.rest;
        // One at a time: the next one goes out when this one is answered.
        if (parsed.requests.length > 1) violations.push(`${parsed.requests.length} requests at once in ${JSON.stringify(bytes.toString('latin1').slice(0, 2000))}`);
        const raw = bytes.subarray(0, bytes.length - rest.length);
        for (const request of parsed.requests) socket.write(file(request, raw), 'latin1');
      } catch (error) {
        if (!(error instanceof StrictHttpError)) throw error;
        violations.push(`${error.message} in ${JSON.stringify(bytes.toString('latin1').slice(0, 2000))}`);
        socket.destroy();
      }
    });
  });
  server.listen(0, '127.0.0.1', 4096);
  await once(server, 'listening');
  return {
    port: (server.address() as net.AddressInfo).port,
    violations,
    take: (address) => {
      const list = filed.get(address) ?? [];
      filed.delete(address);
      return list;
    },
    close: async () => {
      for (const end = performance.now() + ENDED_MS; sockets.size > 0 && performance.now() < end; ) await new Promise((resolve) => setTimeout(resolve, 5));
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
      return [...violations, ...[...filed].flatMap(([address, list]) => list.map(({ request }) => `nobody asked what came of ${address}: ${request.startLine}`))];
    },
  };
}
