// The reference reader: llhttp, as node:http runs it, in its strict mode. What it refuses, this proxy must refuse as well,
// and what both take they must take for the same messages.
import http from 'node:http';
import type net from 'node:net';
import { Duplex } from 'node:stream';
import type { IncomingMessage } from 'node:http';

/** One complete request as llhttp read it. */
export interface ReferenceRequest {
  readonly method: string;
  readonly url: string;
  /** Flat list, as received. */
  readonly headers: readonly string[];
  readonly body: Buffer;
}

export interface ReferenceReading {
  readonly requests: readonly ReferenceRequest[];
  /** llhttp's code for what came behind the last complete request; undefined: nothing came, or the end of a message is missing. */
  readonly refused: string | undefined;
}

/** A connection without a network: bytes in, answers thrown away. */
class Wire extends Duplex {
  override _read(): void {}
  override _write(_chunk: unknown, _encoding: string, callback: () => void): void {
    callback();
  }
}

interface Reading {
  readonly requests: (ReferenceRequest | undefined)[];
  refused: string | undefined;
}

const readings = new WeakMap<object, Reading>();

const server = http.createServer({
  requireHostHeader: false, maxHeaderSize: 64 * 1024, insecureHTTPParser: false, keepAliveTimeout: 0, headersTimeout: 0, requestTimeout: 0, connectionsCheckingInterval: 2 ** 30,
});

function take(request: IncomingMessage, response: http.ServerResponse): void {
  const reading = readings.get(request.socket);
  if (reading === undefined) return;
  const place = reading.requests.push(undefined) - 1;
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('error', () => undefined);
  request.on('end', () => {
    if (!request.complete) return;
    reading.requests[place] = { method: request.method ?? '', url: request.url ?? '', headers: request.rawHeaders, body: Buffer.concat(chunks) };
    response.end();
  });
}
for (const event of ['request', 'checkContinue', 'checkExpectation']) server.on(event, take);
// The connection is not destroyed at once, or the requests before the refused one would be cut off with it.
server.on('clientError', (error: Error & { code?: string }, socket) => {
  const reading = readings.get(socket);
  // The end came within a message: that is no refusal.
  if (reading !== undefined && error.code !== 'HPE_INVALID_EOF_STATE' && error.code !== 'ECONNRESET') reading.refused ??= error.code ?? error.message;
});

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Reads a whole connection's bytes. */
export async function readByReference(bytes: Buffer): Promise<ReferenceReading> {
  const wire = new Wire();
  const reading: Reading = { requests: [], refused: undefined };
  readings.set(wire, reading);
  wire.on('error', () => undefined);
  server.emit('connection', wire);
  wire.push(bytes);
  wire.push(null);
  // Request bodies end a few turns later than they are parsed.
  for (let turns = 0; turns < 4 || (turns < 50 && reading.requests.includes(undefined) && !wire.destroyed); turns++) await turn();
  wire.destroy();
  const missing = reading.requests.indexOf(undefined);
  return { requests: (missing === -1 ? reading.requests : reading.requests.slice(0, missing)) as ReferenceRequest[], refused: reading.refused };
}

/** The first final answer in an endpoint's bytes as llhttp reads it. */
export interface ReferenceAnswer {
  readonly status: number;
  /** Flat list, as received. */
  readonly headers: readonly string[];
  readonly body: Buffer;
  /** The body came to its end. */
  readonly complete: boolean;
  /** The end of the connection is the end of the body. */
  readonly untilClose: boolean;
}

/** Undefined: llhttp refuses the bytes, or waits for more of the head. */
export async function readAnswerByReference(bytes: Buffer, method = 'GET'): Promise<ReferenceAnswer | undefined> {
  const wire = new Wire();
  wire.on('error', () => undefined);
  let answer: { message: IncomingMessage; chunks: Buffer[] } | undefined;
  let refused = false;
  // `maxHeaderSize` is that of the proxy's client, so that sizes make no difference.
  const request = http.request({ method, host: 'endpoint.test', maxHeaderSize: 64 * 1024, createConnection: () => wire as unknown as net.Socket });
  request.on('error', () => (refused = true));
  request.on('upgrade', () => (refused = true));
  request.on('response', (message) => {
    answer = { message, chunks: [] };
    message.on('data', (chunk: Buffer) => answer?.chunks.push(chunk));
    message.on('error', () => undefined);
  });
  request.end();
  await turn();
  wire.push(bytes);
  wire.push(null);
  for (let turns = 0; turns < 6 || (turns < 50 && answer !== undefined && !answer.message.readableEnded && !wire.destroyed); turns++) await turn();
  request.destroy();
  wire.destroy();
  if (answer === undefined) return undefined;
  const { message, chunks } = answer;
  const untilClose = message.headers['content-length'] === undefined && message.headers['transfer-encoding'] === undefined;
  return { status: message.statusCode ?? 0, headers: message.rawHeaders, body: Buffer.concat(chunks), complete: message.complete && (!refused || message.readableEnded), untilClose };
}
