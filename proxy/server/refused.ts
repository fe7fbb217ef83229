// A request that was refused before it became an exchange, in the shape that observers know, so that the access log and
// the metrics miss nothing.
import type { Exchange, Reply, ResponseWriter } from '../http/exchange.ts';
import { reasonPhrase } from '../http/status.ts';
import type { Refusal } from './context.ts';
import type { Peer } from './peer.ts';

/** The response is written by the codec itself; this one only stands where an exchange has one. */
const WRITTEN: ResponseWriter = {
  inform() {},
  head() {},
  data: () => true,
  end() {},
  abort() {},
  onDrain: undefined,
  onClose: undefined,
  started: true,
  bytes: 0,
  room: 0,
  shut: false,
};

/** Methods that are served, for 405 and `OPTIONS *`. */
export const ALLOW = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS';

/** The answer to such a request. */
export function refusalReply(status: number, text: string): Pick<Reply, 'status' | 'headers' | 'body'> {
  const type = ['content-type', 'text/plain; charset=utf-8'];
  return { status, headers: status === 405 ? ['allow', ALLOW, ...type] : type, body: `${status} ${reasonPhrase(status)}: ${text}\n` };
}

/** The same in HTTP/1.1, as Latin-1; the connection closes behind it. */
export function refusalText(status: number, text: string): string {
  const { headers, body } = refusalReply(status, text);
  let fields = '';
  for (let i = 0; i < headers.length; i += 2) fields += `${headers[i]}: ${headers[i + 1]}\r\n`;
  return `HTTP/1.1 ${status} ${reasonPhrase(status)}\r\n${fields}content-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`;
}

export function refusedExchange(peer: Peer, refusal: Refusal): Exchange {
  return {
    id: '',
    client: peer.client,
    request: { version: refusal.version ?? '1.1', method: refusal.method, authority: '', hostname: '', target: refusal.target, path: '', otherPaths: [], query: '', headers: [], body: undefined },
    response: WRITTEN,
    upgrade: undefined,
    shared: undefined,
    startedAt: performance.now(),
    virtualHost: undefined,
    route: undefined,
    cluster: undefined,
    attempts: [],
    status: refusal.status,
    reason: refusal.reason,
    ...(refusal.text !== '' && { detail: refusal.text }),
    grpcStatus: undefined,
    responseHeaders: undefined,
  };
}
