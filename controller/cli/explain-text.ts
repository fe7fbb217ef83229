// An explanation for people: the request as it was understood, every route that was tried, and what answers.
import { actionText, clustersText, endpointText, filterText, matchText, shownCertificateText } from '../../proxy/table/print.ts';
import { originText } from '../../proxy/table/origin.ts';
import type { FilterSpec } from '../../proxy/table/filter.ts';
import type { Explained, ExplainedCluster, ExplainedPassthrough, ExplainedRoute, ExplainedTls } from '../explain.ts';
import { visible } from '../report.ts';
import { clusterText, forwardLines, passthroughText } from './explain-settings.ts';
import type { Usual } from './explain-settings.ts';

/** Ends with a line feed. Of settings, those that are not `usual` are told. */
export function explainText(explained: Explained, usual: Usual): string {
  const { asked, refused } = explained;
  const lines = [`${asked.method} ${asked.url}`];
  const { passthrough } = explained;
  if (refused !== undefined) lines.push(`  answer    ${refused.status}, before any route is looked for: ${refused.text}`);
  else if (passthrough !== undefined) lines.push(...understood(explained), ...passedThrough(passthrough, usual));
  else lines.push(...understood(explained), ...tried(explained), ...answered(explained, usual));
  return `${lines.map(visible).join('\n')}\n`;
}

function understood({ listener = '', hostname = '', tls, path, host }: Explained): readonly string[] {
  return [
    `  listener  ${listener}`,
    `  host      ${hostname}${host === undefined ? ': no virtual host answers for it' : host === hostname ? '' : `, answered by ${host}`}`,
    ...(tls === undefined ? [] : [`  tls       ${tlsText(tls, hostname)}`]),
    ...(path === undefined ? [] : [`  path      ${path}`]),
  ];
}

function tlsText({ serverName, certificate, byDefault, asksForCertificate }: ExplainedTls, hostname: string): string {
  const named = serverName === '' ? 'no name in the handshake: ' : serverName === hostname ? '' : `${serverName}: `;
  const served = certificate === undefined ? 'no certificate' : `${byDefault ? 'the default certificate,' : 'certificate'} ${shownCertificateText(certificate)}`;
  return `${named}${served}${asksForCertificate ? '; clients are asked for theirs' : ''}`;
}

function passedThrough({ origin, cluster, ...where }: ExplainedPassthrough, usual: Usual): readonly string[] {
  return [
    '',
    `answer      none of ours: TLS is passed through as it is, by ${originText(origin)}${placeText(where)}; no route, header or other annotation applies to it`,
    ...clusterLines(cluster, cluster.cluster && passthroughText(cluster.cluster, usual), 'connections are ended with a TLS alert (internal_error)'),
  ];
}

function tried({ host, routes }: Explained): readonly string[] {
  if (host === undefined) return [];
  const matches = routes.map(({ route }) => matchText(route.match));
  const width = Math.min(60, Math.max(0, ...matches.map((match) => match.length)));
  return ['', `routes of ${host}, in matching order:`, ...routes.map((route, index) => `  ${verdictText(route).padEnd(8)}  ${(matches[index] ?? '').padEnd(width)}  ${whyText(route)}`)];
}

function verdictText({ verdict }: ExplainedRoute): string {
  return { answers: 'answers', fails: 'no', behind: 'later', ambiguous: 'refused' }[verdict];
}

function whyText({ verdict, failed, route }: ExplainedRoute): string {
  const origin = originText(route.origin);
  if (verdict === 'answers') return origin;
  if (verdict === 'ambiguous') return `${origin}: matches the path as it is written`;
  if (failed === undefined) return `${origin}: would match, but stands behind the one that answers`;
  return `${origin}: ${failed.kind} ${failed.seen === undefined ? 'is missing' : `is ${failed.seen}`}, wanted ${failed.expected}`;
}

function answered({ answer, ambiguous, nearest }: Explained, usual: Usual): readonly string[] {
  if (ambiguous !== undefined) return ['', ...refusedText(ambiguous)];
  if (answer === undefined) {
    const near = nearest?.route;
    return [
      '',
      'answer      404 NoRouteFound',
      ...(near === undefined ? [] : [`  nearest   ${matchText(near.route.match)}, ${whyText(near)}${placeText(near)}`]),
      ...(nearest === undefined || nearest.hostnames.length === 0 ? [] : [`  nearest   ${nearest.hostnames.join(', ')}`]),
    ];
  }
  const { route, filters, reply, action, settings, clusters, because = [] } = answer;
  const location = reply?.headers[reply.headers.findIndex((name) => name.toLowerCase() === 'location') + 1];
  return [
    '',
    `answer      ${originText(route.route.origin)}${placeText(route)}`,
    ...filters.flatMap(filterLines),
    ...(reply === undefined ? [] : [`  answers   ${reply.status} ${reply.reason}${reply.headers.includes('location') && location !== undefined ? ` to ${location}` : ''}; what follows is not reached`]),
    `  action    ${action.type === 'Forward' ? `→ ${clustersText(clusters.map(({ name, weight }) => ({ cluster: name, weight })))}` : actionText(action)}`,
    ...because.map(({ problem, place }) => `  because   ${problem.origin.field ?? originText(problem.origin)}${placeText({ place })}: ${problem.message}`),
    ...(action.type === 'Forward' && settings !== undefined ? forwardLines(action, settings, usual) : []),
    ...clusters.flatMap((cluster) => clusterLines(cluster, cluster.cluster && clusterText(cluster.cluster, usual), 'requests are answered 503 NoHealthyUpstream')),
  ];
}

function refusedText({ reply, path, route }: NonNullable<Explained['ambiguous']>): readonly string[] {
  const whose = route === undefined ? 'which no route matches' : `which is for ${matchText(route.route.match)}, ${originText(route.route.origin)}${placeText(route)}`;
  return [`answer      ${reply.status} ${reply.body.trimEnd().split('\n').at(-1) ?? reply.reason}`, `  read as   ${path}, ${whose}`];
}

/** Header fields each on a line of their own. */
function filterLines(filter: FilterSpec): readonly string[] {
  if (filter.type !== 'response-headers') return [`  filter    ${filterText(filter)}`];
  const { remove = [], set = [], add = [], scheme } = filter.config;
  return [
    `  filter    response-headers${scheme === undefined ? '' : `, over ${scheme}`}`,
    ...remove.map((name) => `    remove  ${name}`),
    ...set.map(({ name, value }) => `    set     ${name}: ${value}`),
    ...add.map(({ name, value }) => `    add     ${name}: ${value}`),
  ];
}

/** `how`: it is used; `withoutEndpoints`: what comes of it then. */
function clusterLines({ name, weight, endpoints }: ExplainedCluster, how: string | undefined, withoutEndpoints: string): readonly string[] {
  return [
    `  cluster   ${name}${weight === 1 ? '' : ` (weight ${weight})`}`,
    ...(how === undefined ? [] : [`    ${how}`]),
    ...(endpoints.length === 0 ? [`    no endpoints: ${withoutEndpoints}`] : []),
    ...endpoints.map(({ endpoint, takesRequests }) => `    ${endpointText(endpoint)}${takesRequests ? '' : '  takes no new requests'}`),
  ];
}

function placeText({ place }: Pick<ExplainedRoute, 'place'>): string {
  return place === undefined ? '' : ` (${place.file}:${place.line})`;
}
