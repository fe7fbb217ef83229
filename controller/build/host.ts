// One hostname of the model → one VirtualHost of the table: backends become clusters, conditional filters are decided,
// routes are put in matching order, and a route that the proxy's own compiler does not take is left out with a Problem.
import { compareRoutes } from '../../proxy/match/precedence.ts';
import type { Certificate } from '../../proxy/table/certificate.ts';
import { DENIED } from '../../proxy/table/denied.ts';
import type { FilterSpec } from '../../proxy/table/filter.ts';
import { originText } from '../../proxy/table/origin.ts';
import type { Action, HostPassthrough, Route, VirtualHost, WeightedCluster } from '../../proxy/table/route.ts';
import type { Refused, Secret, Service } from '../kube/objects.ts';
import { hostText } from '../model/assemble.ts';
import type { HostModel } from '../model/assemble.ts';
import type { Problem } from '../model/problem.ts';
import { resolveBackend } from '../model/services.ts';
import type { ClusterRef } from '../model/services.ts';
import type { ActionIntent, BackendRef, ConnectionProfile, RouteIntent, UpstreamSettings } from '../model/translation.ts';
import { upstreamKey } from '../model/upstreams.ts';
import { buildConnection, buildEncryption, closedRoute, isChallenge, UNCHECKED } from './connection.ts';
import type { BuiltConnection, SecretUse } from './connection.ts';
import { withoutOverruled } from './overruled.ts';
import type { SecretReader } from './secrets.ts';
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
  service(key: string): Service | Refused | undefined;
  /** By `upstreamKey`. */
  upstream(key: string): UpstreamSettings;
  /** By `namespace/name`. */
  secret(key: string): Secret | Refused | undefined;
  readonly secretReader: SecretReader;
  /** Value of Strict-Transport-Security for hosts with a certificate; undefined: it is not sent. */
  readonly hsts: string | undefined;
  /** False: no host is passed through. */
  readonly passthrough: boolean;
}

export interface BuiltHost {
  readonly virtualHost: VirtualHost;
  /** By cluster name: what the routes forward to. */
  readonly clusters: ReadonlyMap<string, ClusterRef>;
  /** Services that were looked for: the host is to be built again when one of them changes. */
  readonly services: ReadonlySet<string>;
  /** The same for upstreams. */
  readonly upstreams: ReadonlySet<string>;
  /** The same for Secrets. */
  readonly secrets: ReadonlySet<string>;
  /** Client certificates that its clusters show to endpoints, by name. */
  readonly certificates: ReadonlyMap<string, Certificate>;
  readonly problems: readonly Problem[];
}

/** Collects what one hostname needs while its routes are built. */
interface Building {
  readonly context: HostContext;
  readonly clusters: Map<string, ClusterRef>;
  readonly services: Set<string>;
  readonly upstreams: Set<string>;
  readonly problems: Problem[];
  readonly use: SecretUse;
}

/** `key`: of the virtual host in the table. */
export function buildHost(key: string, assembled: HostModel, context: HostContext): BuiltHost {
  const problems: Problem[] = [...assembled.problems];
  const use: SecretUse = { reader: context.secretReader, secret: (name) => context.secret(name), secrets: new Set(), certificates: new Map(), problems };
  const building: Building = { context, clusters: new Map(), services: new Set(), upstreams: new Set(), problems, use };
  const connection = assembled.connection === undefined ? undefined : buildConnection(assembled.hostname, assembled.connection, use);
  const model = withoutOverruled(assembled, connection?.closed !== undefined, use);
  const tls = model.tls !== undefined;
  const open = model.routes.map((route) => buildRoute(route, tls, building));
  if (!open.some(takesEverything)) open.push(...buildFallback(model.fallback, tls, building));
  const left = model.closed === undefined ? open : [closedRoute(model.closed, DENIED), ...open.filter(isChallenge)];
  const routes = connection?.closed === undefined ? withHostFilters(left, connection, context) : [closedRoute(connection.closed, UNCHECKED)];
  const passthrough = passthroughOf(model, routes, building);
  const tested = tried(key, {
    listeners: context.listeners,
    hostname: model.hostname,
    ...(context.certificate !== undefined && { certificate: context.certificate }),
    ...(connection?.tls !== undefined && { tls: connection.tls }),
    ...(passthrough !== undefined && { passthrough }),
    // The sort is stable: what the order of the documentation leaves open is decided by age.
    routes: routes.toSorted(compareRoutes),
  });
  const { clusters, services, upstreams } = building;
  return { virtualHost: tested.virtualHost, clusters, services, upstreams, secrets: use.secrets, certificates: use.certificates, problems: [...problems, ...tested.problems] };
}

/** What holds for every route of the host, whoever wrote it. */
function withHostFilters(routes: readonly Route[], connection: BuiltConnection | undefined, { certificate, hsts }: HostContext): readonly Route[] {
  const strict: FilterSpec[] = certificate === undefined || hsts === undefined ? [] : [strictTransport(hsts)];
  const asked = connection?.filter;
  if (strict.length === 0 && asked === undefined) return routes;
  return routes.map((route) => {
    const own = asked === undefined ? [] : [isChallenge(route) ? asked.challenge : asked.usual];
    return { ...route, filters: [...strict, ...own, ...route.filters] };
  });
}

function strictTransport(value: string): FilterSpec {
  return { type: 'response-headers', config: { set: [{ name: 'Strict-Transport-Security', value }], scheme: 'https' } };
}

/** The cluster behind the path `/`, if TLS to this host is passed through. */
function passthroughOf({ connection, hostname }: HostModel, routes: readonly Route[], { context, problems }: Building): HostPassthrough | undefined {
  const wish = connection?.passthrough;
  if (wish === undefined) return undefined;
  const ignored = (message: string): undefined => {
    problems.push({ severity: 'error', reason: 'PassthroughRefused', origin: wish.origin, message: `${hostText(hostname)}: ${message}; TLS ends here`, effect: 'ValueIgnored' });
    return undefined;
  };
  if (!context.passthrough) return ignored('--enable-ssl-passthrough is off');
  if (hostname === '*') return ignored('without a hostname connections cannot be told apart');
  const asked = connection?.clientCertificates?.origin;
  if (asked !== undefined) return ignored(`${originText(asked)} is about the certificates of its clients, which cannot be seen in what is passed through`);
  const action = routes.find((route) => takesEverything(route) && route.origin.kind !== 'Flag')?.action;
  const cluster = action?.type === 'Forward' ? action.clusters[0]?.cluster : undefined;
  if (cluster !== undefined) return { cluster, origin: wish.origin };
  return ignored(action?.type === 'Respond' && action.reason === DENIED.reason ? 'its path / is closed' : 'no Service stands behind its path /');
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
  const encryptedClusters = intent.encryptedBackends === undefined ? [] : weighted(intent.encryptedBackends, building);
  if (clusters === 'refused' || encryptedClusters === 'refused') return DENIED;
  const encrypted = intent.encryptedBackends === undefined ? {} : { encryptedClusters };
  return clusters.length === 0 ? NO_CLUSTER : { type: 'Forward', clusters, ...encrypted, ...intent.settings };
}

/** `refused`: how one of them is to be talked to cannot be had. */
function weighted(backends: readonly BackendRef[], building: Building): WeightedCluster[] | 'refused' {
  const found: WeightedCluster[] = [];
  for (const backend of backends) {
    const cluster = findCluster(backend, building);
    if (cluster === 'refused') return cluster;
    if (cluster !== undefined) found.push({ cluster: cluster.name, weight: backend.weight });
  }
  return found;
}

const NO_CLUSTER: Action = { type: 'Respond', status: 503, body: '', reason: 'NoClusterFound' };

/** The profile with the Secret that it names in place; `refused`: that cannot be had. */
function encryptedProfile(profile: ConnectionProfile | undefined, use: SecretUse): ConnectionProfile | undefined | 'refused' {
  if (profile?.encryption === undefined) return profile;
  const { encryption, ...others } = profile;
  const tls = buildEncryption(encryption, use);
  return tls === undefined ? 'refused' : { ...others, tls };
}

function findCluster(backend: BackendRef, { context, clusters, services, upstreams, problems, use }: Building): ClusterRef | undefined | 'refused' {
  const key = `${backend.namespace}/${backend.service}`;
  services.add(key);
  const upstream = upstreamKey(backend);
  upstreams.add(upstream);
  const profile = encryptedProfile(backend.profile, use);
  if (profile === 'refused') return profile;
  const found = resolveBackend(profile === backend.profile ? backend : { ...backend, ...(profile !== undefined && { profile }) }, context.service(key), context.upstream(upstream));
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
