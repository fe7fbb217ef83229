// Which route answers a request, and why. The request goes through the parser, the target and host rules, the compiled
// table and the filters of the data plane itself; this file only asks them and keeps what they said, as plain data.
import { eligible } from '../proxy/balance/eligible.ts';
import { FILTERS } from '../proxy/filters/registry.ts';
import { parseAuthority } from '../proxy/http/authority.ts';
import type { ClientTls, Exchange, Reply, Request, ResponseWriter } from '../proxy/http/exchange.ts';
import { getField, requestFields } from '../proxy/http/fields.ts';
import { clientOf, clientOfConnection, setForwarded } from '../proxy/http/forwarded.ts';
import { RequestHead, parseRequestHead } from '../proxy/http/message-head.ts';
import { normalServerName } from '../proxy/http/server-name.ts';
import { TrustedProxies } from '../proxy/http/trust.ts';
import { ambiguity } from '../proxy/match/ambiguity.ts';
import { compileTable } from '../proxy/match/compile.ts';
import type { CompiledRoute } from '../proxy/match/compile.ts';
import { explainMatch } from '../proxy/match/explain.ts';
import type { Candidate, FailedCondition } from '../proxy/match/explain.ts';
import { settingsOf } from '../proxy/server/forward/plan.ts';
import { readRequest } from '../proxy/server/http1/request.ts';
import { completeLimits } from '../proxy/server/limits.ts';
import { misdirected } from '../proxy/server/misdirected.ts';
import { AMBIGUOUS_PATH, TOO_LARGE } from '../proxy/server/reply.ts';
import type { Cluster, Endpoint } from '../proxy/table/cluster.ts';
import type { FilterSpec } from '../proxy/table/filter.ts';
import type { Listener } from '../proxy/table/listener.ts';
import type { WorkerOptions } from '../proxy/table/messages.ts';
import type { Origin } from '../proxy/table/origin.ts';
import { shownCertificate } from '../proxy/table/print.ts';
import type { ShownCertificate } from '../proxy/table/print.ts';
import type { Action, ForwardSettings, Route, VirtualHost } from '../proxy/table/route.ts';
import type { Sections } from '../proxy/table/snapshot.ts';
import type { Locate, Place, PlacedProblem } from './report.ts';

type Problem = PlacedProblem['problem'];

export interface AskedRequest {
  /** `http://` or `https://` (without either: http), host, path and query; taken apart as text, not normalised. */
  readonly url: string;
  readonly method: string;
  /** Flat list of names and values. A Host field takes the place of the URL's host in the request; the name in a TLS handshake stays the URL's. */
  readonly headers: readonly string[];
  /** IP address of the client, or of the proxy through which it comes. */
  readonly from: string;
}

export interface ExplainedRoute {
  readonly route: Route;
  /** Where its object was written. */
  readonly place: Place | undefined;
  /** `behind`: it would match, but an earlier route answers. `ambiguous`: the path is its own only as it is written, so the request is refused. */
  readonly verdict: 'answers' | 'fails' | 'behind' | 'ambiguous';
  readonly failed: FailedCondition | undefined;
}

export interface ExplainedCluster {
  readonly name: string;
  readonly weight: number;
  readonly cluster: Cluster | undefined;
  readonly endpoints: readonly { readonly endpoint: Endpoint; readonly takesRequests: boolean }[];
}

/** What the client finds in its handshake. */
export interface ExplainedTls {
  /** That it names; empty: none. */
  readonly serverName: string;
  readonly certificate: ShownCertificate | undefined;
  /** The certificate is the listener's default. */
  readonly byDefault: boolean;
  readonly asksForCertificate: boolean;
}

export interface ExplainedPassthrough {
  readonly origin: Origin;
  readonly place: Place | undefined;
  readonly cluster: ExplainedCluster;
}

export interface Explained {
  readonly asked: AskedRequest;
  /** The request is refused before any route is looked for. */
  readonly refused?: { readonly status: number; readonly text: string };
  readonly listener?: string;
  /** Of the request; where TLS is passed through, of the handshake. */
  readonly hostname?: string;
  /** Of a connection that ends here. */
  readonly tls?: ExplainedTls;
  /** Canonical. */
  readonly path?: string;
  /** The pattern of the virtual host that answers for the hostname; absent: none does. */
  readonly host?: string;
  readonly routes: readonly ExplainedRoute[];
  /** The TLS connection goes to an endpoint of this cluster as it is: no route applies, whatever the request is. */
  readonly passthrough?: ExplainedPassthrough;
  readonly answer?: {
    readonly route: ExplainedRoute;
    readonly filters: readonly FilterSpec[];
    /** A filter answers before the action comes to its turn. */
    readonly reply?: Reply;
    readonly action: Action;
    /** Of a Forward. */
    readonly settings?: ForwardSettings;
    readonly clusters: readonly ExplainedCluster[];
    /** What closed the route. */
    readonly because?: readonly PlacedProblem[];
  };
  /** The request is refused, because an endpoint may read another path in it, which is another route's, or none's. */
  readonly ambiguous?: { readonly reply: Reply; readonly path: string; readonly route: ExplainedRoute | undefined };
  /** Without an answer: what came nearest. */
  readonly nearest?: { readonly route: ExplainedRoute | undefined; readonly hostnames: readonly string[] };
}

/** What workers know beside the table. */
export type WorkerSettings = Pick<WorkerOptions, 'limits' | 'timeouts' | 'forwarding'>;

/** `problems`: of the objects that the table was made from. */
export function explain(sections: Sections, asked: AskedRequest, locate: Locate, settings: WorkerSettings, problems: readonly Problem[] = []): Explained {
  const url = readUrl(asked.url);
  const { scheme } = url;
  const protocol = scheme === 'https' ? 'HTTPS' : 'HTTP';
  const socket = Object.values(sections.listeners).find((each) => each.protocol === protocol);
  const listener = socket?.name ?? '';
  const { table } = compileTable(sections);
  const serverName = scheme === 'https' ? normalServerName(parseAuthority(url.authority)?.hostname) : '';
  const connected = scheme === 'https' ? table.virtualHost(listener, serverName) : undefined;
  if (connected?.passthrough !== undefined) {
    const { origin, cluster } = connected.passthrough;
    const passthrough = { origin, place: locate(origin), cluster: explainedCluster(cluster, 1, sections) };
    return { asked, listener, hostname: serverName, host: connected.hostname, routes: [], passthrough };
  }
  const request = readAsked(asked, url, settings);
  if ('status' in request) return { asked, refused: request, routes: [] };
  const tls = scheme === 'https' ? { serverName, policy: connected?.tls?.clientCertificates?.name ?? '', verify: 'NONE', certificate: undefined } : undefined;
  const exchange = exchangeOf(request, asked, socket, tls);
  const elsewhere = misdirected(exchange, listener, table);
  if (elsewhere !== undefined) return { asked, refused: { status: elsewhere.status, text: elsewhere.body.trimEnd().split('\n').at(-1) ?? elsewhere.reason }, routes: [] };
  const { host, candidates, winner, nearest, nearestHostnames } = explainMatch(table, listener, exchange.request);
  const other = winner && ambiguity(table, listener, exchange.request, winner);
  const winnerAt = candidates.findIndex(({ compiled }) => compiled === winner);
  const routes = candidates.map((candidate, index): ExplainedRoute => ({
    ...outcome(candidate, locate),
    verdict: index === winnerAt ? (other === undefined ? 'answers' : 'ambiguous') : candidate.failed === undefined ? 'behind' : 'fails',
  }));
  const common = { asked, listener, hostname: request.hostname, ...tlsOf(tls, connected, socket, sections), path: request.path, ...(host === undefined ? {} : { host: host.virtualHost.hostname }), routes };
  const route = routes[winnerAt];
  if (winner === undefined || route === undefined) {
    const near = nearest === undefined ? undefined : routes[candidates.indexOf(nearest)];
    return { ...common, nearest: { route: near, hostnames: nearestHostnames } };
  }
  if (other !== undefined) return { ...common, ambiguous: { reply: AMBIGUOUS_PATH, path: other.path, route: routes[candidates.findIndex(({ compiled }) => compiled === other.compiled)] } };
  const reply = replyOf(winner, exchange, Number(getField(request.headers, 'content-length') ?? 0), settings);
  const { filters, action } = winner.route;
  const { limits: { bodyBytes }, timeouts, forwarding } = settings;
  const because = problems.filter((problem) => isReason(problem, winner.route, host?.virtualHost.hostname ?? '')).map((problem) => ({ problem, place: locate(problem.origin) }));
  return {
    ...common,
    answer: {
      route, filters, ...(reply === undefined ? {} : { reply }), action,
      ...(action.type === 'Forward' && { settings: settingsOf(action, { timeouts, maxBodyBytes: bodyBytes, forwarding }) }),
      clusters: clustersOf(action, sections, tls !== undefined), ...(because.length > 0 && { because }),
    },
  };
}

/** The route is closed because of this Problem: of its object's metadata, of its own backend, or, where it stands for all of the host, which is `hostname`, of that. */
function isReason({ effect, hostname: meant, origin: { kind, namespace, name, field = '' } }: Problem, { action, origin }: Route, hostname: string): boolean {
  if (meant !== undefined && meant !== hostname) return false;
  if (action.type !== 'Respond' || kind !== origin.kind || namespace !== origin.namespace || name !== origin.name) return false;
  const own = field.startsWith('metadata.') || (origin.field !== undefined && field.startsWith(origin.field));
  const wholeHost = origin.field?.startsWith('metadata.') === true;
  return own && (effect === 'HostClosed' || effect === (wholeHost ? 'HostDenied' : 'RouteDenied'));
}

function tlsOf(tls: ClientTls | undefined, connected: VirtualHost | undefined, listener: Listener | undefined, { certificates }: Sections): { readonly tls?: ExplainedTls } {
  if (tls === undefined) return {};
  const own = certificates[connected?.certificate ?? ''];
  const certificate = own ?? certificates[listener?.tls?.defaultCertificate ?? ''];
  return {
    tls: { serverName: tls.serverName, certificate: certificate === undefined ? undefined : shownCertificate(certificate), byDefault: own === undefined, asksForCertificate: tls.policy !== '' },
  };
}

function outcome({ compiled, failed }: Candidate, locate: Locate): Omit<ExplainedRoute, 'verdict'> {
  return { route: compiled.route, place: locate(compiled.route.origin), failed };
}

interface Url {
  readonly scheme: 'http' | 'https';
  readonly authority: string;
  readonly rest: string;
}

function readUrl(text: string): Url {
  const [, scheme = 'http', authority = '', rest = ''] = /^(?:(https?):\/\/)?([^/?#]*)(.*)$/is.exec(text) ?? [];
  return { scheme: scheme.toLowerCase() === 'https' ? 'https' : 'http', authority, rest };
}

/** Reads the request with the parsers of the HTTP/1.1 listener. */
function readAsked({ method, headers }: AskedRequest, { authority, rest }: Url, { limits }: WorkerSettings): Request | { readonly status: number; readonly text: string } {
  const hosted = headers.some((name, index) => index % 2 === 0 && name.toLowerCase() === 'host');
  const fields = [...(hosted ? [] : ['Host', authority]), ...headers];
  const line = `${method} ${rest.startsWith('/') ? rest : `/${rest}`} HTTP/1.1\r\n`;
  const lines = fields.map((text, index) => (index % 2 === 0 ? `${text}: ` : `${text}\r\n`)).join('');
  const { requestLineBytes, headerCount } = completeLimits(limits);
  const head = new RequestHead();
  const wrong = parseRequestHead(Buffer.from(`${line}${lines}\r\n`, 'utf8').toString('latin1'), head, requestLineBytes, headerCount);
  if (wrong !== undefined) return wrong;
  const read = readRequest(head);
  if ('refusal' in read) return read.refusal;
  return read.request;
}

/** What the pure filters say, in the order in which they run, and how a body that is too long is refused; a filter that asks somebody else ends the walk. */
function replyOf({ active, admitting, route: { action } }: CompiledRoute, exchange: Exchange, length: number, { limits }: WorkerSettings): Reply | undefined {
  const most = action.type === 'Forward' ? (action.maxBodyBytes ?? limits.bodyBytes) : 0;
  const tooLarge = most > 0 && length > most ? TOO_LARGE : undefined;
  for (const [index, { spec, filter }] of active.entries()) {
    if (index === admitting && tooLarge !== undefined) return tooLarge;
    if (filter.onRequest === undefined) continue;
    if (FILTERS.get(spec.type)?.pure !== true) return undefined;
    const reply = filter.onRequest(exchange);
    if (reply !== undefined) return reply instanceof Promise ? undefined : reply;
  }
  return tooLarge;
}

function clustersOf(action: Action, sections: Sections, encrypted: boolean): readonly ExplainedCluster[] {
  if (action.type !== 'Forward') return [];
  const clusters = encrypted ? (action.encryptedClusters ?? action.clusters) : action.clusters;
  return clusters.map(({ cluster, weight }) => explainedCluster(cluster, weight, sections));
}

function explainedCluster(name: string, weight: number, sections: Sections): ExplainedCluster {
  const endpoints = sections.endpoints[name] ?? [];
  const taking = new Set(eligible(endpoints).members);
  return { name, weight, cluster: sections.clusters[name], endpoints: endpoints.map((endpoint) => ({ endpoint, takesRequests: taking.has(endpoint) })) };
}

const UNUSED_RESPONSE: ResponseWriter = {
  inform() {},
  head() {},
  data: () => true,
  end() {},
  abort() {},
  onDrain: undefined,
  onClose: undefined,
  started: false,
  bytes: 0,
  room: 0,
  shut: false,
};

/** As the server makes one, from the head that came to the exchange that is matched. */
function exchangeOf(read: Request, { from }: AskedRequest, listener: Listener | undefined, tls: ClientTls | undefined): Exchange {
  const trust = new TrustedProxies(listener?.trustedProxies ?? [], listener?.trustedHops);
  const connection = clientOfConnection({ peerAddress: from, peerPort: 0, localPort: 80, encrypted: tls !== undefined, tls }, trust);
  const client = clientOf(connection, read.headers, trust);
  const headers = requestFields(read.headers);
  setForwarded(headers, client, read, '');
  return {
    id: '', client, request: { ...read, headers }, response: UNUSED_RESPONSE, upgrade: undefined, shared: undefined, startedAt: 0, virtualHost: undefined, route: undefined,
    cluster: undefined, attempts: [], status: 0, reason: '', grpcStatus: undefined, responseHeaders: undefined,
  };
}
