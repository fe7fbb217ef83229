// Who the client is, and what the endpoint is told about it: X-Forwarded-* and their relatives. One gate for all of them:
// they are believed if the peer is trusted, and replaced if it is not. Names and values as ingress-nginx sends them.
import { randomBytes } from 'node:crypto';
import { isIP } from 'node:net';
import { parseAuthority } from './authority.ts';
import type { Client, ClientTls, RawHeaders, Request } from './exchange.ts';
import { getJoinedField } from './fields.ts';
import { withoutBlanks } from './syntax.ts';
import type { TrustedProxies } from './trust.ts';

/** What is known of a connection before its first request. */
export interface ConnectionFacts {
  /** The socket's other end. */
  readonly peerAddress: string;
  readonly peerPort: number;
  readonly localPort: number;
  readonly encrypted: boolean;
  readonly tls?: ClientTls | undefined;
  /** What a PROXY protocol header said, where one was believed. */
  readonly proxied?: { readonly address: string; readonly port: number; readonly localPort: number };
}

/**
 * The Client of a connection as long as no header field says otherwise. Behind a PROXY protocol header the peer is who that header names:
 * a TCP balancer passes header fields on unread, so its own trustworthiness says nothing about them. A TLS connection counts as one to
 * port 443, whatever the port inside the pod; a PROXY header that names 443 means that TLS ended before us.
 */
export function clientOfConnection(facts: ConnectionFacts, trust: TrustedProxies): Client {
  const { proxied } = facts;
  const address = plainAddress(proxied?.address ?? facts.peerAddress);
  return {
    address,
    port: proxied?.port ?? facts.peerPort,
    peerAddress: address,
    trusted: trust.believes(address),
    scheme: facts.encrypted || proxied?.localPort === 443 ? 'https' : 'http',
    localPort: proxied?.localPort ?? (facts.encrypted ? 443 : facts.localPort),
    tls: facts.tls,
  };
}

/** `::ffff:10.0.0.1`, as a dual-stack socket reports an IPv4 peer, as `10.0.0.1`. */
export function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}

/** The Client of one request: of the connection, or what a trusted peer forwards about it. */
export function clientOf(client: Client, headers: RawHeaders, trust: TrustedProxies): Client {
  if (!client.trusted) return client;
  const chain = getJoinedField(headers, 'x-forwarded-for');
  const counted = trust.hops === undefined ? undefined : behindHops(chain, trust.hops);
  if (trust.hops !== undefined && counted === undefined) return { ...client, trusted: false };
  const { address, entries } = counted ?? (chain === undefined ? { address: client.address, entries: 0 } : originOf(chain, client.address, trust));
  const forwardedScheme = schemeOf(itemOf(getJoinedField(headers, 'x-forwarded-proto'), entries));
  const port = forwardedPort(headers, entries);
  if (chain === undefined && forwardedScheme === undefined && port === undefined) return client;
  const scheme = forwardedScheme ?? client.scheme;
  return {
    address,
    // The port of an address further away is not known.
    port: address === client.address ? client.port : 0,
    peerAddress: client.peerAddress,
    trusted: true,
    scheme,
    localPort: port ?? (scheme === client.scheme ? client.localPort : scheme === 'https' ? 443 : 80),
    tls: client.tls,
    ...(entries > 0 && { entries }),
  };
}

/** An address, and how many entries of X-Forwarded-For, from the right, it takes to come to it. */
interface Walked {
  readonly address: string;
  readonly entries: number;
}

/** Walks X-Forwarded-For from the right, from each trusted proxy to whom it got the request from. What is no address ends the walk. */
function originOf(chain: string, nearest: string, trust: TrustedProxies): Walked {
  let address = nearest;
  let entries = 0;
  let end = chain.length;
  while (end > 0 && trust.includes(address)) {
    const comma = chain.lastIndexOf(',', end - 1);
    const next = itemAddress(chain.slice(comma + 1, end));
    if (next === undefined) break;
    address = next;
    entries++;
    end = comma;
  }
  return { address, entries };
}

/**
 * Whom the first of this many proxies got the request from: each of them has added one entry to X-Forwarded-For. Undefined: there are
 * fewer, or one of them is no address, so the request did not come through all of them.
 */
function behindHops(chain: string | undefined, hops: number): Walked | undefined {
  const items = chain?.split(',') ?? [];
  if (hops < 1 || items.length < hops) return undefined;
  const [address, ...others] = items.slice(-hops).map(itemAddress);
  return address === undefined || others.includes(undefined) ? undefined : { address, entries: hops };
}

/** Some proxies say `wss` and `ws` of WebSockets. Undefined: it is neither. */
function schemeOf(proto: string | undefined): Client['scheme'] | undefined {
  switch (proto?.toLowerCase()) {
    case 'https':
    case 'wss':
      return 'https';
    case 'http':
    case 'ws':
      return 'http';
    default:
      return undefined;
  }
}

/** `1.2.3.4`, `1.2.3.4:80`, `::1`, `[::1]` or `[::1]:80` as an address without port. */
function itemAddress(item: string): string | undefined {
  let text = withoutBlanks(item);
  if (isIP(text) === 4) return text;
  const bracketed = /^\[([^\]]+)\](?::\d{1,5})?$/.exec(text);
  if (bracketed !== null) text = bracketed[1] as string;
  else if (text.includes('.')) text = text.replace(/^([\d.]+):\d{1,5}$/, '$1');
  return text.includes('%') || isIP(text) === 0 ? undefined : plainAddress(text.toLowerCase());
}

/**
 * What the proxy says that got the request from the client: where proxies append, each has added one item here and one to X-Forwarded-For, and what
 * stands before that is the client's own claim. Those that replace leave fewer items; then, and where no entry told of the client, it is the first one.
 */
function itemOf(value: string | undefined, entries: number): string | undefined {
  if (value === undefined || !value.includes(',')) return value;
  const items = value.split(',');
  return withoutBlanks(items[entries === 0 ? 0 : Math.max(0, items.length - entries)] ?? '');
}

function forwardedPort(headers: RawHeaders, entries: number): number | undefined {
  const text = itemOf(getJoinedField(headers, 'x-forwarded-port'), entries);
  if (text === undefined || !/^\d{1,5}$/.test(text)) return undefined;
  const port = Number(text);
  return port > 0 && port <= 65_535 ? port : undefined;
}

/** `host[:port]` that the client asked for: a trusted peer's X-Forwarded-Host, else the request's own authority. */
export function requestedAuthority(client: Client, request: Pick<Request, 'authority' | 'headers'>): string {
  if (!client.trusted) return request.authority;
  const forwarded = itemOf(getJoinedField(request.headers, 'x-forwarded-host'), client.entries ?? 0);
  return forwarded !== undefined && parseAuthority(forwarded) !== undefined ? forwarded : request.authority;
}

/**
 * The id of a request; `client` as `clientOf` tells it. A trusted peer's X-Request-ID if it is one field of at most 128 visible ASCII
 * characters, else a new one of 32 hexadecimal digits.
 */
export function requestId(headers: RawHeaders, client: Pick<Client, 'trusted'>): string {
  if (!client.trusted) return newRequestId();
  const sent = getJoinedField(headers, 'x-request-id');
  return sent !== undefined && sent.length <= 128 && VISIBLE.test(sent) ? sent : newRequestId();
}

const VISIBLE = /^[\x21-\x7e]+$/;

const PREFIX = randomBytes(10).toString('hex');
/** The last three digits; with those before them, which change once in 4,096 requests, an id is one concatenation. */
const LAST_DIGITS = Array.from({ length: 4096 }, (_, value) => value.toString(16).padStart(3, '0'));
let beginning = '';
let thousands = 0;
let last = 4095;

/** Unique, not secret: a random part per process and a counter. */
function newRequestId(): string {
  last = (last + 1) & 4095;
  if (last === 0) {
    thousands = (thousands + 1) % 0x10_0000_0000;
    beginning = PREFIX + thousands.toString(16).padStart(9, '0');
  }
  return beginning + (LAST_DIGITS[last] as string);
}

/**
 * Writes what the endpoint is told of the client into `headers`, in place: X-Request-ID, X-Real-IP, X-Forwarded-For, -Host, -Port,
 * -Proto, -Scheme, X-Scheme, and X-Original-Forwarded-For and -Host, which repeat what was replaced. From an untrusted peer every other
 * `X-Forwarded-*` and `Forwarded` field goes as well, from a trusted one they stay. `ssl-client-*` goes whoever sent it: what our own
 * handshake told is written afterwards. All this also where they are spelt with `_` or `.`.
 * `request.headers` must still be what the client sent, or be the same list.
 */
export function setForwarded(headers: RawHeaders, client: Client, request: Pick<Request, 'authority' | 'headers'>, id: string): void {
  const authority = requestedAuthority(client, request);
  let chain: string | undefined;
  let originalHost: string | undefined;
  let kept = 0;
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    const value = headers[i + 1] as string;
    if (mayTellOfClient(name)) {
      const lower = name.toLowerCase();
      if (lower === 'x-forwarded-for') chain = chain === undefined ? value : `${chain}, ${value}`;
      else if (lower === 'x-forwarded-host') originalHost ??= value;
      const known = lower.replaceAll(OTHER_HYPHENS, '-');
      if (OWN_NAMES.has(known) || known.startsWith('ssl-client-') || (!client.trusted && isClaim(known))) continue;
    }
    headers[kept] = name;
    headers[kept + 1] = value;
    kept += 2;
  }
  headers.length = kept;
  headers.push(
    'X-Request-ID', id,
    'X-Real-IP', client.address,
    'X-Forwarded-For', client.trusted && chain !== undefined ? `${chain}, ${client.peerAddress}` : client.address,
    'X-Forwarded-Port', String(client.localPort),
    'X-Forwarded-Proto', client.scheme,
    'X-Forwarded-Scheme', client.scheme,
    'X-Scheme', client.scheme,
  );
  if (authority !== '') headers.push('X-Forwarded-Host', authority);
  if (chain !== undefined) headers.push('X-Original-Forwarded-For', chain);
  if (originalHost !== undefined) headers.push('X-Original-Forwarded-Host', originalHost);
}

/** Always written by this proxy, whoever sent them. */
export const OWN_NAMES: ReadonlySet<string> = new Set([
  'x-request-id', 'x-real-ip', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-port', 'x-forwarded-proto', 'x-forwarded-scheme',
  'x-scheme', 'x-original-forwarded-for', 'x-original-forwarded-host',
]);

/** Says something about the client that only a trusted peer may say. `name` is lower-case with hyphens. */
function isClaim(name: string): boolean {
  return name.startsWith('x-forwarded-') || name === 'forwarded';
}

const OTHER_HYPHENS = /[_.]/g;

/** Quick look at the first letters, so that most fields are passed over without a copy: x-, x_, x., ss, fo. */
function mayTellOfClient(name: string): boolean {
  const first = name.charCodeAt(0) | 32;
  const second = name.charCodeAt(1);
  if (first === 120) return second === 45 || second === 95 || second === 46;
  if (first === 115) return (second | 32) === 115;
  return first === 102 && (second | 32) === 111;
}
