// Heads as node:http2 takes and gives them: flat lists in which pseudo-header fields come first (RFC 9113 §8.3).
import type { RawHeaders } from '../http/exchange.ts';
import { sameName } from '../http/fields.ts';
import { isFieldValue, isToken } from '../http/syntax.ts';
import type { Cluster, Endpoint } from '../table/cluster.ts';
import type { UpstreamRequest } from './call.ts';

/**
 * The head of a request to an endpoint. Content-Length is what the body really has. Throws if something in it cannot stand
 * in a head: node:http2 does not look at values, and separates them by NUL.
 */
export function requestHead(request: UpstreamRequest, to: { readonly cluster: Cluster; readonly endpoint: Endpoint }): RawHeaders {
  const { method, target, headers, body } = request;
  // HTTP/1.0 may say no host; HTTP/2 has to.
  const authority = request.authority === '' ? addressOf(to.endpoint) : request.authority;
  if (!isToken(method) || method === 'CONNECT') throw new TypeError('the method cannot be sent');
  if (!isPath(target)) throw new TypeError('the target is not a path');
  if (!isFieldValue(authority)) throw new TypeError('the authority cannot be sent');
  const head = [':method', method, ':scheme', to.cluster.tls === undefined ? 'http' : 'https', ':authority', authority, ':path', target];
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] as string;
    const value = headers[i + 1] as string;
    // The body says its length itself, and whoever reads the client's body has answered the expectation.
    if (sameName(name, 'content-length') || sameName(name, 'expect')) continue;
    if (sameName(name, 'host')) throw new TypeError('a second host');
    if (!isToken(name) || !isFieldValue(value)) throw new TypeError(`a malformed field ${JSON.stringify(name.slice(0, 50))}`);
    head.push(name, value);
  }
  if (body?.length !== undefined) head.push('content-length', String(body.length));
  return head;
}

/** The fields of a response head or of trailers, without pseudo-header fields. */
export function responseHead(raw: readonly string[]): RawHeaders {
  let at = 0;
  while (at < raw.length && (raw[at] as string).charCodeAt(0) === 58) at += 2;
  return raw.slice(at);
}

function addressOf({ address, port }: Endpoint): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** `/` and what follows in visible characters (RFC 9113 §8.3.1). */
function isPath(target: string): boolean {
  if (target.charCodeAt(0) !== 0x2f) return false;
  for (let i = 1; i < target.length; i++) {
    const code = target.charCodeAt(i);
    if (code <= 0x20 || code === 0x7f || code > 0xff) return false;
  }
  return true;
}
