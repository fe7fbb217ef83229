// Cookie affinity as ingress-nginx has it: the cookie's value is `<key>|<mark>`, where the mark tells which upstream the
// key belongs to. In persistent mode the key names an endpoint, and the formula is ingress-nginx's own, so that sessions
// survive a migration; in balanced mode it is random and is given to a consistent hash.
// MD5 only names things here: nothing is protected by it.
import { createHash, randomBytes } from 'node:crypto';
import type { Endpoint } from '../table/cluster.ts';

/** Key of one endpoint, for persistent mode. */
export function endpointKey(upstream: string, endpoint: Endpoint): string {
  const host = endpoint.address.includes(':') ? `[${endpoint.address}]` : endpoint.address;
  return md5(`${upstream}${host}:${endpoint.port}`);
}

/** A new random key, for balanced mode. */
export function randomKey(): string {
  return randomBytes(16).toString('hex');
}

/** The value to set in the cookie. */
export function cookieValue(upstream: string, key: string): string {
  return `${key}|${mark(upstream)}`;
}

/** The key in a cookie's value; undefined: it is none of this upstream's. Some clients quote it or percent-encode the bar. */
export function cookieKey(upstream: string, value: string): string | undefined {
  const plain = value.replace(/^"(.*)"$/, '$1').replace(/%7c/i, '|');
  const bar = plain.lastIndexOf('|');
  return bar > 0 && plain.slice(bar + 1) === mark(upstream) ? plain.slice(0, bar) : undefined;
}

/** The endpoint that a persistent key names; undefined: it has left, or the key is nobody's. */
export function endpointByKey(upstream: string, endpoints: readonly Endpoint[], key: string): Endpoint | undefined {
  let index = indexes.get(endpoints);
  if (index?.upstream !== upstream) {
    index = { upstream, byKey: new Map(endpoints.map((endpoint) => [endpointKey(upstream, endpoint), endpoint])) };
    indexes.set(endpoints, index);
  }
  return index.byKey.get(key);
}

interface KeyIndex {
  readonly upstream: string;
  readonly byKey: ReadonlyMap<string, Endpoint>;
}

/** By endpoint list, which the table replaces whenever an endpoint changes. */
const indexes = new WeakMap<readonly Endpoint[], KeyIndex>();

function mark(upstream: string): string {
  return md5(md5(upstream) + upstream);
}

function md5(text: string): string {
  return createHash('md5').update(text).digest('hex');
}
