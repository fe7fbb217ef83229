// Header fields as the data path carries them: one flat list `[name, value, name, value, …]`, order, case and repeats as
// received. Every `name` argument here is lower-case. Names are compared without making lower-case copies.
import type { RawHeaders } from './exchange.ts';
import { isFieldValue, isToken, withoutBlanks } from './syntax.ts';

/** Case-insensitive (ASCII) comparison of a received name with a lower-case one. */
export function sameName(seen: string, name: string): boolean {
  if (seen === name) return true;
  const { length } = name;
  if (seen.length !== length) return false;
  for (let i = 0; i < length; i++) {
    const expected = name.charCodeAt(i);
    const code = seen.charCodeAt(i);
    if (code !== expected && (code < 65 || code > 90 || (code | 32) !== expected)) return false;
  }
  return true;
}

/** Value of the first field of that name. */
export function getField(headers: RawHeaders, name: string): string | undefined {
  for (let i = 0; i < headers.length; i += 2) if (sameName(headers[i] as string, name)) return headers[i + 1];
  return undefined;
}

/** Values of all fields of that name, in order. */
export function getAllFields(headers: RawHeaders, name: string): string[] {
  const values: string[] = [];
  for (let i = 0; i < headers.length; i += 2) if (sameName(headers[i] as string, name)) values.push(headers[i + 1] as string);
  return values;
}

/** Values of all fields of that name as one list (RFC 9110 §5.3); undefined if there is none. Not for Set-Cookie. */
export function getJoinedField(headers: RawHeaders, name: string): string | undefined {
  let joined: string | undefined;
  for (let i = 0; i < headers.length; i += 2) {
    if (sameName(headers[i] as string, name)) joined = joined === undefined ? headers[i + 1] : `${joined}, ${headers[i + 1]}`;
  }
  return joined;
}

export function hasField(headers: RawHeaders, name: string): boolean {
  return getField(headers, name) !== undefined;
}

/** Removes all fields of that name, in place. True: there was one. */
export function removeField(headers: RawHeaders, name: string): boolean {
  let kept = 0;
  for (let i = 0; i < headers.length; i += 2) {
    if (sameName(headers[i] as string, name)) continue;
    if (kept !== i) {
      headers[kept] = headers[i] as string;
      headers[kept + 1] = headers[i + 1] as string;
    }
    kept += 2;
  }
  if (kept === headers.length) return false;
  headers.length = kept;
  return true;
}

/** Removes all fields of that name, in place, and returns the value of the first; undefined: there was none. */
export function takeField(headers: RawHeaders, name: string): string | undefined {
  for (let i = 0; i < headers.length; i += 2) {
    if (!sameName(headers[i] as string, name)) continue;
    const value = headers[i + 1];
    headers.splice(i, 2);
    removeAfter(headers, i, name);
    return value;
  }
  return undefined;
}

/** Leaves exactly one field of that name, where the first one stood, or at the end; in place. */
export function setField(headers: RawHeaders, name: string, value: string): void {
  for (let i = 0; i < headers.length; i += 2) {
    if (!sameName(headers[i] as string, name)) continue;
    headers[i + 1] = value;
    removeAfter(headers, i + 2, name);
    return;
  }
  headers.push(name, value);
}

function removeAfter(headers: RawHeaders, start: number, name: string): void {
  for (let i = headers.length - 2; i >= start; i -= 2) if (sameName(headers[i] as string, name)) headers.splice(i, 2);
}

/** The tokens of a comma-separated list (RFC 9110 §5.6.1), lower-case; what is no token is left out. */
export function listTokens(value: string): string[] {
  const tokens: string[] = [];
  for (const part of value.split(',')) {
    const token = withoutBlanks(part);
    if (isToken(token)) tokens.push(token.toLowerCase());
  }
  return tokens;
}

/** True: some field of that name lists the lower-case token. */
export function hasToken(headers: RawHeaders, name: string, token: string): boolean {
  for (let i = 0; i < headers.length; i += 2) {
    if (sameName(headers[i] as string, name) && listTokens(headers[i + 1] as string).includes(token)) return true;
  }
  return false;
}

/** Fields that concern one connection only (RFC 9110 §7.6.1). `Trailer` is not among them: it announces, and stays true downstream. */
function isHopByHop(name: string): boolean {
  switch (name.length) {
    case 2: return sameName(name, 'te');
    case 7: return sameName(name, 'upgrade');
    case 10: return sameName(name, 'connection') || sameName(name, 'keep-alive');
    case 14: return sameName(name, 'http2-settings');
    case 16: return sameName(name, 'proxy-connection');
    case 17: return sameName(name, 'transfer-encoding');
    default: return false;
  }
}

const NEVER_NOMINATED = new Set([
  'content-length', 'content-type', 'content-encoding', 'authorization', 'cookie', 'origin', 'forwarded',
  'x-real-ip', 'x-request-id', 'x-scheme',
]);
const NEVER_NOMINATED_PREFIXES = ['x-forwarded-', 'x-original-', 'ssl-client-'];

/**
 * Names that Connection nominates. Fields that are meant for the endpoint and that it may rely on (who is asking, and how
 * the body is to be read) cannot be nominated away: that is an attack, not a connection option (RFC 9110 §7.6.1).
 */
function nominated(headers: RawHeaders): string[] | undefined {
  let names: string[] | undefined;
  for (let i = 0; i < headers.length; i += 2) {
    if (!sameName(headers[i] as string, 'connection')) continue;
    const value = headers[i + 1] as string;
    if (sameName(value, 'keep-alive') || sameName(value, 'close') || sameName(value, 'upgrade')) continue;
    for (const name of listTokens(value)) {
      if (NEVER_NOMINATED.has(name) || NEVER_NOMINATED_PREFIXES.some((prefix) => name.startsWith(prefix))) continue;
      names ??= [];
      names.push(name);
    }
  }
  return names;
}

function isNominated(names: readonly string[], seen: string): boolean {
  for (const name of names) if (sameName(seen, name)) return true;
  return false;
}

/**
 * What of a client's request goes on to filters and endpoint, as a new list: without hop-by-hop and nominated fields, without
 * Host (the request's authority says it) and `Proxy` (httpoxy), and without names that hold `_`, which CGI-style endpoints cannot tell from `-`.
 */
export function requestFields(headers: RawHeaders, keepUnderscores = false): RawHeaders {
  const names = nominated(headers);
  const kept: RawHeaders = [];
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    if (isHopByHop(name) || (name.length === 5 && sameName(name, 'proxy')) || (name.length === 4 && sameName(name, 'host'))) continue;
    if (!keepUnderscores && name.includes('_')) continue;
    if (names !== undefined && isNominated(names, name)) continue;
    kept.push(name, headers[i + 1] as string);
  }
  return kept;
}

/** What of an endpoint's response goes on to the client, as a new list: without hop-by-hop and nominated fields. */
export function responseFields(headers: RawHeaders): RawHeaders {
  const names = nominated(headers);
  const kept: RawHeaders = [];
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    if (isHopByHop(name) || (names !== undefined && isNominated(names, name))) continue;
    kept.push(name, headers[i + 1] as string);
  }
  return kept;
}

/**
 * Fields that must be known before the body, because they frame it, route it, say who is asking, on what condition, how it is to be read or
 * cached, or what a browser may do with it. `ETag` and digests are not among them: their definitions let them be trailers.
 */
const NO_TRAILER = new Set([
  ...NEVER_NOMINATED, 'host', 'set-cookie', 'cache-control', 'pragma', 'age', 'date', 'expires', 'vary', 'retry-after', 'warning',
  'content-range', 'content-location', 'expect', 'range', 'max-forwards',
  'location', 'trailer', 'te', 'proxy-authorization', 'proxy-authenticate', 'www-authenticate', 'proxy',
  'if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since', 'if-range',
  'content-disposition', 'cdn-cache-control', 'refresh', 'strict-transport-security', 'x-frame-options', 'x-content-type-options', 'x-xss-protection',
  'referrer-policy', 'permissions-policy', 'origin-agent-cluster', 'timing-allow-origin', 'clear-site-data', 'service-worker-allowed', 'alt-svc',
]);
const NO_TRAILER_PREFIXES = [...NEVER_NOMINATED_PREFIXES, 'access-control-', 'content-security-policy', 'cross-origin-', 'sec-'];

/** What of a message's trailers goes on, as a new list (RFC 9110 §6.5.1). Underscores as in `requestFields`. */
export function trailerFields(trailers: RawHeaders, keepUnderscores = false): RawHeaders {
  const kept: RawHeaders = [];
  for (let i = 0; i + 1 < trailers.length; i += 2) {
    const name = (trailers[i] as string).toLowerCase();
    const value = trailers[i + 1] as string;
    if (isHopByHop(name) || NO_TRAILER.has(name) || NO_TRAILER_PREFIXES.some((prefix) => name.startsWith(prefix))) continue;
    if ((!keepUnderscores && name.includes('_')) || !isToken(name) || !isFieldValue(value)) continue;
    kept.push(trailers[i] as string, value);
  }
  return kept;
}
