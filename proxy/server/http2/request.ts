// Makes the request of a decoded HTTP/2 head (RFC 9113 §8.3), or says why it is not served: what HTTP/2 forbids makes the
// message malformed and costs the stream; what any version of HTTP refuses is answered.
import { parseAuthority } from '../../http/authority.ts';
import type { RawHeaders, Request } from '../../http/exchange.ts';
import { isToken } from '../../http/syntax.ts';
import { parseTarget } from '../../http/target.ts';
import { isLowerToken, isOfConnection, isWholeValue } from '../../http2/fields.ts';
import type { RequestRefusal } from '../http1/request.ts';
import type { Limits } from '../limits.ts';

const HEAD_ERROR = 'DownstreamProtocolError';

export interface Http2Refusal extends RequestRefusal {
  /** The message is none: its stream is reset, and not answered. */
  readonly malformed?: boolean;
}

/** Of a head that was not taken in whole. */
export const TOO_LARGE: Http2Refusal = { status: 431, reason: 'RequestHeadersTooLarge', text: 'the request head is too long' };

/** A request head; overwritten by the next one that is read into it. */
export class Http2RequestHead {
  /** As received, also of a head that is refused. */
  method = '';
  path = '';
  /** Complete but for its body. */
  request: Request | undefined;
  /** Content-Length. */
  length: number | undefined;
  awaitsContinue = false;
}

/** Undefined: `into` has the request. `end`: nothing follows the head. */
export function readHead(fields: RawHeaders, end: boolean, limits: Pick<Limits, 'requestLineBytes'>, into: Http2RequestHead): Http2Refusal | undefined {
  into.method = '';
  into.path = '';
  into.request = undefined;
  into.length = undefined;
  into.awaitsContinue = false;
  let authority: string | undefined;
  let scheme: string | undefined;
  let host: string | undefined;
  let cookie: string | undefined;
  let refusal: Http2Refusal | undefined;
  let at = 0;
  for (; at < fields.length; at += 2) {
    const name = fields[at] as string;
    if (name.charCodeAt(0) !== 58) break;
    const value = fields[at + 1] as string;
    if (name === ':method' && into.method === '') into.method = value;
    else if (name === ':path' && into.path === '') into.path = value;
    else if (name === ':authority' && authority === undefined) authority = value;
    else if (name === ':scheme' && scheme === undefined) scheme = value;
    else return malformed('a pseudo-header field that is doubled or not of a request');
    if (value === '' && name !== ':authority') return malformed('an empty pseudo-header field');
    if (!isWholeValue(value)) return malformed('a malformed pseudo-header field');
  }
  const headers: RawHeaders = [];
  for (; at < fields.length; at += 2) {
    const name = fields[at] as string;
    const value = fields[at + 1] as string;
    if (!isLowerToken(name) || !isWholeValue(value)) return malformed('a malformed field');
    switch (name.length) {
      case 4:
        if (name !== 'host') break;
        if (host !== undefined) refusal ??= refuse(400, 'more than one Host');
        host = value;
        continue;
      case 6:
        if (name === 'cookie') {
          // RFC 9113 §8.2.3: split cookies are put together again before they leave HTTP/2.
          cookie = cookie === undefined ? value : `${cookie}; ${value}`;
          continue;
        }
        if (name !== 'expect') break;
        if (value.toLowerCase() === '100-continue') into.awaitsContinue = true;
        else refusal ??= { status: 417, reason: 'ExpectationFailed', text: 'an expectation other than 100-continue' };
        break;
      case 14:
        if (name !== 'content-length') break;
        if (into.length !== undefined || !/^\d{1,15}$/.test(value)) refusal ??= refuse(400, 'a malformed Content-Length');
        else into.length = Number(value);
        break;
      default:
    }
    if (name !== 'http2-settings' && isOfConnection(name, value)) return malformed('a field of a connection');
    headers.push(name, value);
  }
  if (cookie !== undefined) headers.push('cookie', cookie);
  const { method, path } = into;
  if (method === '') return malformed('no :method');
  if (method === 'CONNECT' || method === 'TRACE') return { status: 405, reason: 'MethodNotAllowed', text: `the method ${method} is not served` };
  if (path === '' || scheme === undefined) return malformed('no :path or no :scheme');
  if (!isServed(scheme)) return malformed('a :scheme other than http and https');
  if (end && into.length !== undefined && into.length > 0) return malformed('a Content-Length without a body');
  if (refusal !== undefined) return refusal;
  // `PRI` belongs to the preface, and would be one again for an endpoint that speaks HTTP/1.1.
  if (!isToken(method) || method === 'PRI') return refuse(400, 'a method that is not a token, or PRI');
  // As long as in HTTP/1.1, where a method, two blanks and a version stand beside it.
  if (method.length + path.length + 10 > limits.requestLineBytes) return { status: 414, reason: 'RequestTargetTooLong', text: 'the request target is too long' };
  const authorityText = authority ?? host ?? '';
  const parsed = parseAuthority(authorityText);
  if (parsed === undefined) return refuse(400, 'a malformed :authority');
  if (authority !== undefined && host !== undefined && host !== authority && host.toLowerCase() !== authority.toLowerCase()) return refuse(400, 'a Host other than :authority');
  const target = parseTarget(path, method);
  if ('status' in target) return { status: target.status, reason: HEAD_ERROR, text: target.text };
  if (target.authority !== undefined) return refuse(400, 'a :path that is not a path');
  into.request = {
    version: '2',
    method,
    authority: authorityText,
    hostname: parsed.hostname,
    target: target.target,
    path: target.path,
    otherPaths: target.otherPaths,
    query: target.query,
    headers,
    body: undefined,
  };
  return undefined;
}

/** Either of them on any connection: proxies in front that end or begin TLS often say what the client said, or what they speak themselves. */
function isServed(scheme: string): boolean {
  return scheme === 'https' || scheme === 'http' || /^https?$/i.test(scheme);
}

function refuse(status: number, text: string): Http2Refusal {
  return { status, reason: HEAD_ERROR, text };
}

function malformed(text: string): Http2Refusal {
  return { status: 400, reason: HEAD_ERROR, text, malformed: true };
}
