// `host[:port]` as it stands in Host, `:authority`, absolute-form targets and X-Forwarded-Host (RFC 9110 §7.2, RFC 3986
// §3.2). Narrower than the grammar: what two parsers could take for different hosts (userinfo, lists, percent-encoding,
// empty labels, zone ids) is refused.
import { isIPv6 } from 'node:net';
import { HOST } from './syntax.ts';

export interface Authority {
  /** Lower-case, without port and trailing dot; an IPv6 address keeps its brackets. */
  readonly hostname: string;
  /** Undefined: none, or an empty one (`a:`), which RFC 3986 §3.2.3 allows. */
  readonly port: number | undefined;
}

const MAX_LENGTH = 255;
const DOT = 46;
const COLON = 58;
const OPENING_BRACKET = 91;

/** Undefined: it is malformed, and the request must be refused with 400. */
export function parseAuthority(text: string): Authority | undefined {
  if (text.length === 0 || text.length > MAX_LENGTH) return undefined;
  if (text.charCodeAt(0) === OPENING_BRACKET) return parseBracketed(text);
  let at = 0;
  let upper = false;
  let afterDot = true;
  let code = text.charCodeAt(0);
  while (HOST[code] === 1) {
    if (code === DOT) {
      if (afterDot) return undefined;
      afterDot = true;
    } else {
      afterDot = false;
      if (code >= 65 && code <= 90) upper = true;
    }
    code = text.charCodeAt(++at);
  }
  const end = afterDot ? at - 1 : at;
  if (end <= 0) return undefined;
  const port = at === text.length ? undefined : parsePort(text, at);
  if (port === -1) return undefined;
  const hostname = end === text.length ? text : text.substring(0, end);
  return { hostname: upper ? hostname.toLowerCase() : hostname, port };
}

function parseBracketed(text: string): Authority | undefined {
  const close = text.indexOf(']');
  const address = text.slice(1, close);
  if (close === -1 || address.includes('%') || !isIPv6(address)) return undefined;
  const port = close + 1 === text.length ? undefined : parsePort(text, close + 1);
  return port === -1 ? undefined : { hostname: text.slice(0, close + 1).toLowerCase(), port };
}

/** The port behind the colon that must stand at `colon`; undefined if it is empty, -1 if it is none. */
function parsePort(text: string, colon: number): number | undefined {
  if (text.charCodeAt(colon) !== COLON || text.length - colon > 6) return -1;
  if (colon + 1 === text.length) return undefined;
  let port = 0;
  for (let i = colon + 1; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) return -1;
    port = port * 10 + digit;
  }
  return port <= 65_535 ? port : -1;
}
