// Routes, virtual hosts and requests with everything filled in that a test does not care about.
import type { FilterSpec } from '../../../proxy/table/filter.ts';
import type { Listener } from '../../../proxy/table/listener.ts';
import type { PathMatch, Route, RouteMatch, ValueMatch, VirtualHost } from '../../../proxy/table/route.ts';
import type { Sections } from '../../../proxy/table/snapshot.ts';
import type { MatchInput } from '../../../proxy/match/conditions.ts';

export function path(type: PathMatch['type'], value: string, others: Partial<Omit<RouteMatch, 'path'>> & { ignoreCase?: true } = {}): RouteMatch {
  const { ignoreCase, ...conditions } = others;
  return { path: ignoreCase === undefined ? { type, value } : { type, value, ignoreCase }, headers: [], queryParams: [], cookies: [], ...conditions };
}

export function exactly(name: string, value: string): ValueMatch {
  return { name, type: 'Exact', value };
}

export function like(name: string, value: string): ValueMatch {
  return { name, type: 'RegularExpression', value };
}

export function present(name: string): ValueMatch {
  return { name, type: 'Present', value: '' };
}

export function route(name: string, match: RouteMatch, filters: readonly FilterSpec[] = []): Route {
  return { name, match, filters, action: { type: 'Respond', status: 200, body: '', reason: name }, origin: { kind: 'Ingress', namespace: 'shop', name: 'web' } };
}

export function host(hostname: string, routes: readonly Route[], listeners: readonly string[] = ['http']): VirtualHost {
  return { listeners, hostname, routes };
}

export function listener(name: string): Listener {
  return { name, address: '127.0.0.1', port: 0, protocol: 'HTTP', proxyProtocol: false, trustedProxies: [] };
}

export type Hosts = Pick<Sections, 'listeners' | 'virtualHosts'>;

/** The two sections that a routing table is made of. Listeners: `http` and `https`. */
export function sections(hosts: readonly VirtualHost[]): Hosts {
  return {
    listeners: { 'listener/http': listener('http'), 'listener/https': listener('https') },
    virtualHosts: Object.fromEntries(hosts.map((each) => [`${each.listeners.join('+')}/${each.hostname}`, each])),
  };
}

export function request(target: string, others: Partial<MatchInput> = {}): MatchInput {
  const [requested = '', query = ''] = target.split('?', 2);
  return { hostname: 'shop.example.com', path: requested, query, method: 'GET', headers: [], ...others };
}
