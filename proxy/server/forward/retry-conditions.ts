// What a failure is in the words of a retry policy, which methods may be repeated although an endpoint has seen them, and
// which of two answers is the worse one.

/**
 * What the HTTP Method Registry of IANA has as idempotent (RFC 9110 §9.2.2, §16.1; as of June 2026), safe methods among them. Not so: POST, PATCH,
 * LOCK, CONNECT, and whatever is not registered. PRI is no request, but the beginning of HTTP/2.
 * https://www.iana.org/assignments/http-methods
 */
export const IDEMPOTENT: ReadonlySet<string> = new Set([
  'GET', 'HEAD', 'OPTIONS', 'TRACE', 'QUERY', 'PUT', 'DELETE',
  // WebDAV and what builds on it: versions, bindings, order, redirects, access control, calendars, search.
  'PROPFIND', 'PROPPATCH', 'MKCOL', 'COPY', 'MOVE', 'UNLOCK',
  'VERSION-CONTROL', 'REPORT', 'CHECKOUT', 'CHECKIN', 'UNCHECKOUT', 'MKWORKSPACE', 'UPDATE', 'LABEL', 'MERGE', 'BASELINE-CONTROL', 'MKACTIVITY',
  'BIND', 'UNBIND', 'REBIND', 'ORDERPATCH', 'MKREDIRECTREF', 'UPDATEREDIRECTREF', 'ACL', 'MKCALENDAR', 'SEARCH',
  // Of RFC 2068, and registered still.
  'LINK', 'UNLINK',
]);

/** The word of a retry policy for a failure. */
export function conditionOf(reason: string): 'error' | 'timeout' | 'invalid-response' {
  switch (reason) {
    case 'UpstreamConnectionTimeout':
    case 'UpstreamRequestTimeout':
    case 'StreamIdleTimeout':
      return 'timeout';
    case 'UpstreamProtocolError':
      return 'invalid-response';
    default:
      return 'error';
  }
}

/** An error of the endpoint is worse than one of the request, and both are worse than any other answer. */
export function isWorse(status: number, than: number): boolean {
  return status >= 400 && Math.floor(status / 100) > Math.floor(than / 100);
}
