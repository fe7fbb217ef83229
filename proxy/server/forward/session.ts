// Cookie affinity for one request: the endpoint of the session that it belongs to, or a new one and the cookie that makes
// later requests go there. A cookie is issued only where a session begins or moves.
import { cookieKey, cookieValue as sessionValue, endpointByKey, endpointKey, randomKey } from '../../balance/affinity.ts';
import type { Pick } from '../../balance/balancer.ts';
import { setCookieText } from '../../balance/session-cookie.ts';
import type { Exchange } from '../../http/exchange.ts';
import { getField } from '../../http/fields.ts';
import { cookieValue } from '../../match/conditions.ts';
import type { CookieAffinity, Endpoint } from '../../table/cluster.ts';
import type { ActiveCluster } from './clusters.ts';

export interface SessionPick {
  readonly pick: Pick;
  /** Key of the session that begins or moves; undefined: it goes on. */
  readonly newKey: string | undefined;
}

/**
 * `tried`: endpoints at which this request failed. Without `changeOnFailure` a session goes to its own endpoint again; while passive health has taken
 * that one out, or it is full, its requests go elsewhere and the session stays where it is. Undefined: no endpoint can take the request.
 */
export function pickForSession(affinity: CookieAffinity, { balancer, endpoints }: ActiveCluster, exchange: Exchange, tried: readonly Endpoint[]): SessionPick | undefined {
  const sent = cookieValue(exchange.request.headers, affinity.cookie.name);
  const key = sent === undefined ? undefined : cookieKey(affinity.upstream, sent);
  const home = key === undefined || affinity.mode === 'Balanced' ? undefined : endpointByKey(affinity.upstream, endpoints, key);
  if (key !== undefined && (tried.length === 0 || !affinity.changeOnFailure)) {
    const own = affinity.mode === 'Balanced' ? balancer.pick(key, NONE) : home && balancer.take(home);
    if (own !== undefined) return { pick: own, newKey: undefined };
  }
  const newKey = randomKey();
  const pick = balancer.pick(newKey, tried);
  if (pick === undefined) return undefined;
  if (home !== undefined && !affinity.changeOnFailure && balancer.has(home)) return { pick, newKey: undefined };
  return { pick, newKey: affinity.mode === 'Balanced' ? newKey : endpointKey(affinity.upstream, pick.endpoint) };
}

/**
 * The value of the Set-Cookie field. `path`: `Forward.sessionPath`. Undefined: a route for `/docs/` takes `/docs` too, where a cookie for `/docs/` is not
 * sent, and a session that began there would move the one that the client may have below.
 */
export function sessionCookieText({ cookie, upstream }: CookieAffinity, key: string, { request, client }: Exchange, path: string): string | undefined {
  if (cookie.path === undefined && path === `${request.path}/`) return undefined;
  const about = { path, encrypted: client.scheme === 'https', userAgent: getField(request.headers, 'user-agent') };
  return setCookieText(cookie, sessionValue(upstream, key), about, Date.now());
}

const NONE: readonly Endpoint[] = [];
