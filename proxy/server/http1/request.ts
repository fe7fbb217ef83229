// Makes the request of a parsed HTTP/1.1 head, or says why it is not served: method, target, authority, expectation and
// upgrade, each by its own rule.
import { parseAuthority } from '../../http/authority.ts';
import type { Request } from '../../http/exchange.ts';
import { HEAD_END } from '../../http/message-head.ts';
import type { RequestHead } from '../../http/message-head.ts';
import { withoutBlanks } from '../../http/syntax.ts';
import { parseTarget } from '../../http/target.ts';
import type { Limits } from '../limits.ts';

export type ReadRequest =
  /** `protocol`: the one to upgrade to, if that was asked for and is served. The body is the connection's to add. */
  | { readonly request: Request; readonly protocol: string | undefined }
  | { readonly refusal: RequestRefusal };

export interface RequestRefusal {
  readonly status: number;
  readonly reason: string;
  readonly text: string;
}

const NO_AUTHORITY = { hostname: '', port: undefined };

/** `head` is taken over at once: the reader may parse the next one into it. */
export function readRequest(head: RequestHead): ReadRequest {
  const { method, minor } = head;
  if (method === 'CONNECT' || method === 'TRACE') return refuse(405, 'MethodNotAllowed', `the method ${method} is not served`);
  // RFC 9113 §3.4 keeps this word for the preface of HTTP/2; whoever meets it here has lost its place in the stream.
  if (method === 'PRI') return refuse(400, 'DownstreamProtocolError', 'the method PRI');
  const target = parseTarget(head.target, method);
  if ('status' in target) return refuse(target.status, 'DownstreamProtocolError', target.text);
  // The authority of an absolute-form target takes the place of Host (RFC 9112 §3.2.2); a malformed Host is malformed all the same.
  if (target.authority !== undefined && head.host !== undefined && parseAuthority(head.host) === undefined) return badHost();
  const authorityText = target.authority ?? head.host ?? '';
  const authority = authorityText === '' && minor === 0 ? NO_AUTHORITY : parseAuthority(authorityText);
  if (authority === undefined) return badHost();
  if (head.expect !== undefined && head.expect.toLowerCase() !== '100-continue') return refuse(417, 'ExpectationFailed', 'an expectation other than 100-continue');
  const upgrade = head.connectionUpgrade && minor === 1 ? head.upgrade : undefined;
  if (upgrade !== undefined && (head.chunked || head.contentLength > 0)) return refuse(400, 'DownstreamProtocolError', 'a body together with Upgrade');
  return {
    request: {
      version: minor === 0 ? '1.0' : '1.1',
      method,
      authority: authorityText,
      hostname: authority.hostname,
      target: target.target,
      path: target.path,
      otherPaths: target.otherPaths,
      query: target.query,
      headers: head.headers,
      body: undefined,
    },
    protocol: upgrade === undefined ? undefined : servedProtocol(upgrade, method),
  };
}

/** The one protocol that is served, with the one method it takes (RFC 6455 §4.1); anything else is passed over, and the request served as a plain one (RFC 9110 §7.8). */
function servedProtocol(value: string, method: string): string | undefined {
  const protocol = withoutBlanks(value).toLowerCase();
  return protocol === 'websocket' && method === 'GET' ? protocol : undefined;
}

function badHost(): ReadRequest {
  return refuse(400, 'DownstreamProtocolError', 'a malformed Host');
}

function refuse(status: number, reason: string, text: string): ReadRequest {
  return { refusal: { status, reason, text } };
}

/** What the log says of a head that could not be read. */
export function headRefusalReason(status: number): string {
  return status === 431 ? 'RequestHeadersTooLarge' : status === 414 ? 'RequestTargetTooLong' : 'DownstreamProtocolError';
}

/** Why the beginning of a head, from `start`, can never become a good one, as `parseRequestHead` would say of the whole; undefined: it still may. */
export function refuseEarly(buffer: Buffer, start: number, limits: Pick<Limits, 'requestLineBytes' | 'headBytes'>): RequestRefusal | undefined {
  const lineFeed = buffer.indexOf(10, start);
  // Less the CR before it, or what may be one.
  const line = (lineFeed === -1 ? buffer.length : lineFeed) - start - 1;
  if (line > limits.requestLineBytes) return { status: 414, reason: 'RequestTargetTooLong', text: 'the request line is too long' };
  if (buffer.length - start >= limits.headBytes + HEAD_END.length) return { status: 431, reason: 'RequestHeadersTooLarge', text: 'the request head is too long' };
  for (let at = lineFeed; at !== -1; at = buffer.indexOf(10, at + 1)) {
    if (at === start || buffer[at - 1] !== 13) return { status: 400, reason: 'DownstreamProtocolError', text: 'a line that ends in LF without CR' };
  }
  return undefined;
}
