// Which route answers a request, and why. The request goes through the parser, the target and host rules, the compiled
// table and the filters of the data plane itself; this file only asks them and keeps what they said, as plain data.
import { eligible } from '../proxy/balance/eligible.ts';
import { FILTERS } from '../proxy/filters/registry.ts';
import type { Client, Exchange, Reply, Request, ResponseWriter } from '../proxy/http/exchange.ts';
import { requestFields } from '../proxy/http/fields.ts';
import { RequestHead, parseRequestHead } from '../proxy/http/message-head.ts';
import { compileTable } from '../proxy/match/compile.ts';
import type { CompiledRoute } from '../proxy/match/compile.ts';
import { explainMatch } from '../proxy/match/explain.ts';
import type { Candidate, FailedCondition } from '../proxy/match/explain.ts';
import { readRequest } from '../proxy/server/http1/request.ts';
import type { Endpoint } from '../proxy/table/cluster.ts';
import type { FilterSpec } from '../proxy/table/filter.ts';
import type { Action, Route } from '../proxy/table/route.ts';
import type { Sections } from '../proxy/table/snapshot.ts';
import type { Locate, Place } from './report.ts';

export interface AskedRequest {
  /** `http://` or `https://` (without either: http), host, path and query; taken apart as text, not normalised. */
  readonly url: string;
  readonly method: string;
  /** Flat list of names and values. A Host field takes the place of the URL's host. */
  readonly headers: readonly string[];
  /** IP address of the client. */
  readonly from: string;
}

export interface ExplainedRoute {
  readonly route: Route;
  /** Where its object was written. */
  readonly place: Place | undefined;
  /** `behind`: it would match, but an earlier route answers. */
  readonly verdict: 'answers' | 'fails' | 'behind';
  readonly failed: FailedCondition | undefined;
}

export interface ExplainedCluster {
  readonly name: string;
  readonly weight: number;
  readonly endpoints: readonly { readonly endpoint: Endpoint; readonly takesRequests: boolean }[];
}

export interface Explained {
  readonly asked: AskedRequest;
  /** The request is refused before any route is looked for. */
  readonly refused?: { readonly status: number; readonly text: string };
  readonly listener?: string;
  readonly hostname?: string;
  /** Canonical. */
  readonly path?: string;
  /** The pattern of the virtual host that answers for the hostname; absent: none does. */
  readonly host?: string;
  readonly routes: readonly ExplainedRoute[];
  /** The TLS connection goes to an endpoint of this cluster as it is: no route of the host applies. */
  readonly passthrough?: ExplainedCluster;
  readonly answer?: {
    readonly route: ExplainedRoute;
    readonly filters: readonly FilterSpec[];
    /** A filter answers before the action comes to its turn. */
    readonly reply?: Reply;
    readonly action: Action;
    readonly clusters: readonly ExplainedCluster[];
  };
  /** Without an answer: what came nearest. */
  readonly nearest?: { readonly route: ExplainedRoute | undefined; readonly hostnames: readonly string[] };
}

const MAX_LINE = 8 * 1024;
const MAX_FIELDS = 128;

export function explain(sections: Sections, asked: AskedRequest, locate: Locate): Explained {
  const read = readAsked(asked);
  if ('status' in read) return { asked, refused: read, routes: [] };
  const { request, scheme } = read;
  const protocol = scheme === 'https' ? 'HTTPS' : 'HTTP';
  const listener = Object.values(sections.listeners).find((each) => each.protocol === protocol)?.name ?? '';
  const { host, candidates, winner, nearest, nearestHostnames } = explainMatch(compileTable(sections).table, listener, request);
  const passthrough = scheme === 'https' ? host?.virtualHost.passthrough : undefined;
  if (passthrough !== undefined) {
    return { asked, listener, hostname: request.hostname, path: request.path, host: host?.virtualHost.hostname ?? '', routes: [], passthrough: explainedCluster(passthrough.cluster, 1, sections) };
  }
  const winnerAt = candidates.findIndex(({ compiled }) => compiled === winner);
  const routes = candidates.map((candidate, index): ExplainedRoute => ({
    ...outcome(candidate, locate),
    verdict: index === winnerAt ? 'answers' : candidate.failed === undefined ? 'behind' : 'fails',
  }));
  const common = { asked, listener, hostname: request.hostname, path: request.path, ...(host === undefined ? {} : { host: host.virtualHost.hostname }), routes };
  const route = routes[winnerAt];
  if (winner === undefined || route === undefined) {
    const near = nearest === undefined ? undefined : routes[candidates.indexOf(nearest)];
    return { ...common, nearest: { route: near, hostnames: nearestHostnames } };
  }
  const reply = filterReply(winner, exchangeOf(request, asked, scheme));
  const { filters, action } = winner.route;
  return { ...common, answer: { route, filters, ...(reply === undefined ? {} : { reply }), action, clusters: clustersOf(action, sections, scheme) } };
}

function outcome({ compiled, failed }: Candidate, locate: Locate): Omit<ExplainedRoute, 'verdict'> {
  return { route: compiled.route, place: locate(compiled.route.origin), failed };
}

/** Reads the request with the parsers of the HTTP/1.1 listener. */
function readAsked({ url, method, headers }: AskedRequest): { readonly request: Request; readonly scheme: 'http' | 'https' } | { readonly status: number; readonly text: string } {
  const [, scheme = 'http', authorityText = '', rest = ''] = /^(?:(https?):\/\/)?([^/?#]*)(.*)$/is.exec(url) ?? [];
  const hosted = headers.some((name, index) => index % 2 === 0 && name.toLowerCase() === 'host');
  const fields = [...(hosted ? [] : ['Host', authorityText]), ...headers];
  const line = `${method} ${rest.startsWith('/') ? rest : `/${rest}`} HTTP/1.1\r\n`;
  const lines = fields.map((text, index) => (index % 2 === 0 ? `${text}: ` : `${text}\r\n`)).join('');
  const head = new RequestHead();
  const wrong = parseRequestHead(Buffer.from(`${line}${lines}\r\n`, 'utf8').toString('latin1'), head, MAX_LINE, MAX_FIELDS);
  if (wrong !== undefined) return wrong;
  const read = readRequest(head);
  if ('refusal' in read) return read.refusal;
  const request: Request = { ...read.request, headers: requestFields(read.request.headers) };
  return { request, scheme: scheme.toLowerCase() === 'https' ? 'https' : 'http' };
}

/** What the pure filters say, in the order in which they run; a filter that asks somebody else ends the walk. */
function filterReply({ active }: CompiledRoute, exchange: Exchange): Reply | undefined {
  for (const { spec, filter } of active) {
    if (filter.onRequest === undefined) continue;
    if (FILTERS.get(spec.type)?.pure !== true) return undefined;
    const reply = filter.onRequest(exchange);
    if (reply !== undefined) return reply instanceof Promise ? undefined : reply;
  }
  return undefined;
}

function clustersOf(action: Action, sections: Sections, scheme: 'http' | 'https'): readonly ExplainedCluster[] {
  if (action.type !== 'Forward') return [];
  const clusters = scheme === 'https' ? (action.encryptedClusters ?? action.clusters) : action.clusters;
  return clusters.map(({ cluster, weight }) => explainedCluster(cluster, weight, sections));
}

function explainedCluster(name: string, weight: number, sections: Sections): ExplainedCluster {
  const endpoints = sections.endpoints[name] ?? [];
  const taking = new Set(eligible(endpoints).members);
  return { name, weight, endpoints: endpoints.map((endpoint) => ({ endpoint, takesRequests: taking.has(endpoint) })) };
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
};

function exchangeOf(request: Request, { from }: AskedRequest, scheme: 'http' | 'https'): Exchange {
  const client: Client = { address: from, port: 0, peerAddress: from, trusted: false, scheme, localPort: scheme === 'https' ? 443 : 80 };
  return {
    id: '', client, request, response: UNUSED_RESPONSE, upgrade: undefined, startedAt: 0, virtualHost: undefined, route: undefined,
    cluster: undefined, attempts: [], status: 0, reason: '', responseHeaders: undefined,
  };
}
