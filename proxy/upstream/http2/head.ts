// Heads of HTTP/2 messages, as lists of fields in which pseudo-header fields come first (RFC 9113 §8.2, §8.3).
import type { RawHeaders } from '../../http/exchange.ts';
import { sameName } from '../../http/fields.ts';
import { isFieldValue, isToken } from '../../http/syntax.ts';
import { areFields, isOfConnection } from '../../http2/fields.ts';
import type { Cluster, Endpoint } from '../../table/cluster.ts';
import type { UpstreamRequest } from '../call.ts';

/**
 * The head of a request to an endpoint. Content-Length is what the body really has. Throws if something in it cannot stand
 * in a head.
 */
export function requestHead(request: UpstreamRequest, to: { readonly cluster: Cluster; readonly endpoint: Endpoint }): RawHeaders {
  const { method, target, headers, body } = request;
  const bodiless = body === undefined || body.length === 0;
  // HTTP/1.0 may say no host; HTTP/2 has to.
  const authority = request.authority === '' ? addressOf(to.endpoint) : request.authority;
  if (!isToken(method) || method === 'CONNECT') throw new TypeError('the method cannot be sent');
  if (!isPath(target)) throw new TypeError('the target is not a path');
  if (!isFieldValue(authority)) throw new TypeError('the authority cannot be sent');
  const head = [':method', method, ':scheme', to.cluster.tls === undefined ? 'http' : 'https', ':authority', authority, ':path', target];
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] as string;
    const value = headers[i + 1] as string;
    // The body says its length itself, and an expectation is sent only as long as there is somebody who waits for the answer.
    if (sameName(name, 'content-length') || (sameName(name, 'expect') && body?.awaitsContinue !== true)) continue;
    // Behind a head that is the whole request none will follow.
    if (bodiless && sameName(name, 'trailer')) continue;
    if (sameName(name, 'host')) throw new TypeError('a second host');
    if (!isToken(name) || !isFieldValue(value) || isOfConnection(name.toLowerCase(), value)) throw new TypeError(`a field that cannot be sent: ${JSON.stringify(name.slice(0, 50))}`);
    head.push(name, value);
  }
  if (body?.length !== undefined) head.push('content-length', String(body.length));
  return head;
}

export interface ResponseHead {
  readonly status: number;
  readonly headers: RawHeaders;
  /** Content-Length. */
  readonly length: number | undefined;
}

/** Undefined: the response is malformed (RFC 9113 §8.1.1). */
export function responseHead(fields: RawHeaders): ResponseHead | undefined {
  if (fields[0] !== ':status' || !/^[1-9]\d\d$/.test(fields[1] ?? '')) return undefined;
  const headers = fields.slice(2);
  let length: number | undefined;
  for (let i = 0; i < headers.length; i += 2) {
    const value = headers[i + 1] as string;
    if (headers[i] !== 'content-length') continue;
    if (length !== undefined || !/^\d{1,15}$/.test(value)) return undefined;
    length = Number(value);
  }
  return areFields(headers) ? { status: Number(fields[1]), headers, length } : undefined;
}

export function addressOf({ address, port }: Endpoint): string {
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
