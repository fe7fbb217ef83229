// Responses that the proxy makes itself: a short text with the stable reason, so that a person with curl and a dashboard
// with a label read the same word.
import type { Exchange, Reply } from '../http/exchange.ts';
import { reasonPhrase } from '../http/status.ts';

/** A reply of one line: `404 Not Found: NoRouteFound`. `detail` says more, and never holds what a client sent. */
export function plainReply(status: number, reason: string, detail?: string): Reply {
  const text = detail === undefined ? reason : `${reason}: ${detail}`;
  return { status, reason, headers: ['content-type', 'text/plain; charset=utf-8'], body: `${status} ${reasonPhrase(status)}\n${text}\n` };
}

/** Sends a reply as the whole response. */
export function sendReply(exchange: Exchange, reply: Reply): void {
  exchange.status = reply.status;
  exchange.reason = reply.reason;
  const { response } = exchange;
  const body = Buffer.from(reply.body, 'utf8');
  response.head(reply.status, reply.headers, body.length);
  if (exchange.request.method !== 'HEAD') response.data(body);
  response.end();
}
