// The trial: every new or changed virtual host goes through the proxy's own compiler before it is published, so that a
// table that does not compile is never sent. What the compiler would leave out or deny is taken out here, and told.
import { compileVirtualHost } from '../../proxy/match/virtual-host.ts';
import type { Route, VirtualHost } from '../../proxy/table/route.ts';
import { hostText } from '../model/assemble.ts';
import type { Problem } from '../model/problem.ts';

export interface Tried {
  /** Compiles without errors. */
  readonly virtualHost: VirtualHost;
  readonly problems: readonly Problem[];
}

export function tried(key: string, virtualHost: VirtualHost): Tried {
  const { routes, errors } = compileVirtualHost(key, virtualHost, undefined);
  if (errors.length === 0) return { virtualHost, problems: [] };
  const compiled = new Map(routes.map(({ route }) => [route.name, route]));
  const written = new Map(virtualHost.routes.map((route) => [route.name, route]));
  const problems = errors.flatMap(({ route: name, message }) => {
    const route = written.get(name);
    return route === undefined ? [] : [problemOf(virtualHost.hostname, route, message, compiled.has(name))];
  });
  return { virtualHost: { ...virtualHost, routes: [...compiled.values()] }, problems };
}

/** `denied`: a filter cannot do its work, so that the route answers 503; else its condition cannot be matched and it is gone. */
function problemOf(hostname: string, route: Route, message: string, denied: boolean): Problem {
  return {
    severity: 'error',
    reason: 'InvalidRoute',
    origin: route.origin,
    message: `${hostText(hostname)}: ${message}`,
    effect: denied ? 'RouteDenied' : 'RouteRefused',
  };
}
