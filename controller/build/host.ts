// One hostname of the model → one VirtualHost of the table: backends become clusters, conditional filters are decided,
// routes are put in matching order, and a route that the proxy's own compiler does not take is left out with a Problem.
import { compareRoutes } from '../../proxy/match/precedence.ts';
import type { Action, Route, VirtualHost, WeightedCluster } from '../../proxy/table/route.ts';
import type { Service } from '../kube/objects.ts';
import type { HostModel } from '../model/assemble.ts';
import type { Problem } from '../model/problem.ts';
import { resolveBackend } from '../model/services.ts';
import type { ClusterRef } from '../model/services.ts';
import type { ActionIntent, BackendRef, RouteIntent, UpstreamSettings } from '../model/translation.ts';
import { upstreamKey } from '../model/upstreams.ts';
import { tried } from './trial.ts';

/** What a hostname is built with. */
export interface HostContext {
  /** Names of the listeners that serve it. */
  readonly listeners: readonly string[];
  /** --default-backend-service. */
  readonly defaultBackend: BackendRef | undefined;
  /** `Certificate.name`; undefined: the default certificate. */
  readonly certificate: string | undefined;
  /** By `namespace/name`. */
  service(key: string): Service | undefined;
  /** By `upstreamKey`. */
  upstream(key: string): UpstreamSettings;
}

export interface BuiltHost {
  readonly virtualHost: VirtualHost;
  /** By cluster name: what the routes forward to. */
  readonly clusters: ReadonlyMap<string, ClusterRef>;
  /** Services that were looked for: the host is to be built again when one of them changes. */
  readonly services: ReadonlySet<string>;
  /** The same for upstreams. */
  readonly upstreams: ReadonlySet<string>;
  readonly problems: readonly Problem[];
}

/** Collects what one hostname needs while its routes are built. */
interface Building {
  readonly context: HostContext;
  readonly clusters: Map<string, ClusterRef>;
  readonly services: Set<string>;
  readonly upstreams: Set<string>;
  readonly problems: Problem[];
}

/** `key`: of the virtual host in the table. */
export function buildHost(key: string, model: HostModel, context: HostContext): BuiltHost {
  const building: Building = { context, clusters: new Map(), services: new Set(), upstreams: new Set(), problems: [...model.problems] };
  const tls = model.tls !== undefined;
  const routes = model.routes.map((route) => buildRoute(route, tls, building));
  if (!routes.some(takesEverything)) routes.push(...buildFallback(model.fallback, tls, building));
  const { virtualHost, problems } = tried(key, {
    listeners: context.listeners,
    hostname: model.hostname,
    ...(context.certificate !== undefined && { certificate: context.certificate }),
    // The sort is stable: what the order of the documentation leaves open is decided by age.
    routes: routes.sort(compareRoutes),
  });
  return { virtualHost, clusters: building.clusters, services: building.services, upstreams: building.upstreams, problems: [...building.problems, ...problems] };
}

function buildRoute({ name, match, filters, tlsFilters, action, origin }: RouteIntent, tls: boolean, building: Building): Route {
  return { name, match, filters: tls ? [...filters, ...tlsFilters] : filters, action: buildAction(action, building), origin };
}

/** A list of one route, or of none: then unmatched requests are answered 404. */
function buildFallback(fallback: RouteIntent, tls: boolean, building: Building): Route[] {
  if (fallback.action.type !== 'DefaultBackend') return [buildRoute(fallback, tls, building)];
  const backend = building.context.defaultBackend;
  if (backend === undefined) return [];
  const action: ActionIntent = { type: 'Forward', backends: [backend], settings: {} };
  const route = buildRoute({ ...fallback, name: 'default-backend-service', action, origin: backend.origin }, tls, building);
  // Where the flag leads nowhere, nothing is forwarded: that is a 404, as without the flag, and not a route's failure.
  return route.action.type === 'Forward' ? [route] : [];
}

function buildAction(intent: ActionIntent, building: Building): Action {
  if (intent.type === 'Redirect' || intent.type === 'Respond') return intent;
  if (intent.type === 'DefaultBackend') return NO_CLUSTER;
  const clusters = weighted(intent.backends, building);
  const encrypted = intent.encryptedBackends === undefined ? {} : { encryptedClusters: weighted(intent.encryptedBackends, building) };
  return clusters.length === 0 ? NO_CLUSTER : { type: 'Forward', clusters, ...encrypted, ...intent.settings };
}

function weighted(backends: readonly BackendRef[], building: Building): WeightedCluster[] {
  return backends.flatMap((backend) => {
    const cluster = findCluster(backend, building);
    return cluster === undefined ? [] : [{ cluster: cluster.name, weight: backend.weight }];
  });
}

const NO_CLUSTER: Action = { type: 'Respond', status: 503, body: '', reason: 'NoClusterFound' };

function findCluster(backend: BackendRef, { context, clusters, services, upstreams, problems }: Building): ClusterRef | undefined {
  const key = `${backend.namespace}/${backend.service}`;
  services.add(key);
  const upstream = upstreamKey(backend);
  upstreams.add(upstream);
  const found = resolveBackend(backend, context.service(key), context.upstream(upstream));
  if ('cluster' in found) {
    clusters.set(found.cluster.name, found.cluster);
    return found.cluster;
  }
  const fromFlag = backend.origin.kind === 'Flag';
  problems.push({
    severity: 'error',
    reason: 'BackendNotFound',
    origin: backend.origin,
    message: `${found.missing}; requests are answered ${fromFlag ? '404' : '503'}`,
    ...(found.hint !== undefined && { hint: found.hint }),
    effect: fromFlag ? 'ValueIgnored' : 'RouteDenied',
  });
  return undefined;
}

function takesEverything({ match }: Route): boolean {
  const { path, method, headers, queryParams, cookies } = match;
  const everyPath = path.type === 'PathPrefix' && path.value === '/';
  return everyPath && method === undefined && headers.length + queryParams.length + cookies.length === 0;
}
