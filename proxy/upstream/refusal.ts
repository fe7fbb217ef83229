// The endpoint's refusal of an upgrade (401, 404, a redirect), relayed to the client's socket as an ordinary response that
// ends the connection. A body of unknown length is sent chunked, so that a cut one never looks complete.
import { STATUS_CODES } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type net from 'node:net';
import type { ProxyError, RawHeaders } from '../http/exchange.ts';
import { Deadline } from './deadline.ts';
import { failure } from './errors.ts';
import type { Taking } from './taking.ts';

const CONNECTION_FIELDS: ReadonlySet<string> = new Set(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'content-length', 'upgrade', 'trailer']);

/**
 * Writes `response` with `headers` (connection and framing fields aside) to `client` and ends it. `done` is called once,
 * with the bytes of the body that were relayed; with an error the answer was cut and `client` is left as it is. For as long as
 * the client takes nothing the endpoint waits; `taking` has an eye on how long that is.
 */
export function relayRefusal(response: IncomingMessage, headers: RawHeaders, client: net.Socket, taking: Taking, readIdleMs: number, done: (bytes: number, error: ProxyError | undefined) => void): void {
  const status = response.statusCode ?? 502;
  const length = response.headers['content-length'];
  const bodiless = status === 204 || status === 304;
  const chunked = !bodiless && length === undefined;
  let bytes = 0;
  let finished = false;
  const finish = (error?: ProxyError): void => {
    if (finished) return;
    finished = true;
    idle.clear();
    client.removeListener('drain', resume);
    done(bytes, error);
  };
  const idle = new Deadline({ expired: () => finish(failure('StreamIdleTimeout')) });
  const resume = (): void => {
    response.resume();
    idle.set(readIdleMs);
  };

  client.write(headText(status, headers, bodiless ? undefined : chunked ? 'transfer-encoding: chunked' : `content-length: ${length}`), 'latin1');
  idle.set(readIdleMs);
  client.on('drain', resume);
  response.on('data', (chunk: Buffer) => {
    if (finished) return;
    idle.extend();
    bytes += chunk.length;
    client.cork();
    if (chunked) client.write(`${chunk.length.toString(16)}\r\n`);
    client.write(chunk);
    if (chunked) client.write('\r\n');
    client.uncork();
    if (client.writableNeedDrain) {
      response.pause();
      idle.clear();
      taking.wrote();
    }
  });
  response.on('end', () => {
    if (finished || !response.complete) return;
    if (chunked) client.write('0\r\n\r\n');
    client.end();
    finish();
  });
  response.on('error', (error) => finish(failure('UpstreamConnectionTermination', error)));
  response.on('close', () => finish(failure('UpstreamConnectionTermination')));
}

function headText(status: number, headers: RawHeaders, framing: string | undefined): string {
  let text = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n`;
  for (let at = 0; at + 1 < headers.length; at += 2) {
    const name = headers[at] ?? '';
    if (!CONNECTION_FIELDS.has(name.toLowerCase())) text += `${name}: ${headers[at + 1]}\r\n`;
  }
  if (framing !== undefined) text += `${framing}\r\n`;
  return `${text}connection: close\r\n\r\n`;
}
