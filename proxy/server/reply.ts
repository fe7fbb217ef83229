// Responses that the proxy makes itself: a short text with the stable reason, so that a person with curl and a dashboard
// with a label read the same word.
import type { Exchange, Reply, ResponseWriter } from '../http/exchange.ts';
import { reasonPhrase } from '../http/status.ts';

/** A reply of one line: `404 Not Found: NoRouteFound`. `detail` says more, and never holds what a client sent. */
export function plainReply(status: number, reason: string, detail?: string): Reply {
  const text = detail === undefined ? reason : `${reason}: ${detail}`;
  return { status, reason, headers: ['content-type', 'text/plain; charset=utf-8'], body: `${status} ${reasonPhrase(status)}\n${text}\n` };
}

export const AMBIGUOUS_PATH = plainReply(400, 'AmbiguousPath', 'the path holds a semicolon, or an encoded slash, backslash or semicolon, and endpoints may read it as a path of another route');
export const TOO_LARGE = plainReply(413, 'RequestBodyTooLarge', 'the request body is larger than this route takes');

/** Sends a reply as the whole response. */
export function sendReply(exchange: Exchange, reply: Reply): void {
  exchange.status = reply.status;
  exchange.reason = reply.reason;
  sendWhole(exchange.response, reply, exchange.request.method === 'HEAD');
}

export function sendWhole(response: ResponseWriter, reply: Pick<Reply, 'status' | 'headers' | 'body'>, isHead: boolean): void {
  const body = Buffer.from(reply.body, 'utf8');
  // A client that takes no body (HTTP/2) must not make us keep the words that only explain the status.
  const spared = !isHead && reply.status >= 300 && body.length > response.room;
  response.head(reply.status, reply.headers, spared ? 0 : body.length);
  if (!isHead && !spared) response.data(body);
  response.end();
}
