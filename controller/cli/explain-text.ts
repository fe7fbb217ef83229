// An explanation for people: the request as it was understood, every route that was tried, and what answers.
import { actionText, endpointText, filterText, matchText } from '../../proxy/table/print.ts';
import { originText } from '../../proxy/table/origin.ts';
import type { Explained, ExplainedCluster, ExplainedPassthrough, ExplainedRoute } from '../explain.ts';
import { visible } from '../report.ts';

/** Ends with a line feed. */
export function explainText(explained: Explained): string {
  const { asked, refused } = explained;
  const lines = [`${asked.method} ${asked.url}`];
  const { passthrough } = explained;
  if (refused !== undefined) lines.push(`  answer    ${refused.status}, before any route is looked for: ${refused.text}`);
  else if (passthrough !== undefined) lines.push(...understood(explained), ...passedThrough(passthrough));
  else lines.push(...understood(explained), ...tried(explained), ...answered(explained));
  return `${lines.map(visible).join('\n')}\n`;
}

function understood({ listener = '', hostname = '', path, host }: Explained): readonly string[] {
  return [
    `  listener  ${listener}`,
    `  host      ${hostname}${host === undefined ? ': no virtual host answers for it' : host === hostname ? '' : `, answered by ${host}`}`,
    ...(path === undefined ? [] : [`  path      ${path}`]),
  ];
}

function passedThrough({ origin, cluster, ...where }: ExplainedPassthrough): readonly string[] {
  return [
    '',
    `answer      none of ours: TLS is passed through as it is, by ${originText(origin)}${placeText(where)}; no route, header or other annotation applies to it`,
    ...clusterLines(cluster, 'connections are ended with a TLS alert (internal_error)'),
  ];
}

function tried({ host, routes }: Explained): readonly string[] {
  if (host === undefined) return [];
  const matches = routes.map(({ route }) => matchText(route.match));
  const width = Math.min(60, Math.max(0, ...matches.map((match) => match.length)));
  return ['', `routes of ${host}, in matching order:`, ...routes.map((route, index) => `  ${verdictText(route).padEnd(8)}  ${(matches[index] ?? '').padEnd(width)}  ${whyText(route)}`)];
}

function verdictText({ verdict }: ExplainedRoute): string {
  return { answers: 'answers', fails: 'no', behind: 'later' }[verdict];
}

function whyText({ verdict, failed, route }: ExplainedRoute): string {
  const origin = originText(route.origin);
  if (verdict === 'answers') return origin;
  if (failed === undefined) return `${origin}: would match, but stands behind the one that answers`;
  return `${origin}: ${failed.kind} ${failed.seen === undefined ? 'is missing' : `is ${failed.seen}`}, wanted ${failed.expected}`;
}

function answered({ answer, nearest }: Explained): readonly string[] {
  if (answer === undefined) {
    const near = nearest?.route;
    return [
      '',
      'answer      404 NoRouteFound',
      ...(near === undefined ? [] : [`  nearest   ${matchText(near.route.match)}, ${whyText(near)}${placeText(near)}`]),
      ...(nearest === undefined || nearest.hostnames.length === 0 ? [] : [`  nearest   ${nearest.hostnames.join(', ')}`]),
    ];
  }
  const { route, filters, reply, action, clusters } = answer;
  const location = reply?.headers[reply.headers.findIndex((name) => name.toLowerCase() === 'location') + 1];
  return [
    '',
    `answer      ${originText(route.route.origin)}${placeText(route)}`,
    ...filters.map((filter) => `  filter    ${filterText(filter)}`),
    ...(reply === undefined ? [] : [`  answers   ${reply.status} ${reply.reason}${reply.headers.includes('location') && location !== undefined ? ` to ${location}` : ''}; what follows is not reached`]),
    `  action    ${actionText(action)}`,
    ...clusters.flatMap((cluster) => clusterLines(cluster, 'requests are answered 503 NoHealthyUpstream')),
  ];
}

/** `withoutEndpoints`: what comes of it then. */
function clusterLines({ name, weight, endpoints }: ExplainedCluster, withoutEndpoints: string): readonly string[] {
  return [
    `  cluster   ${name}${weight === 1 ? '' : ` (weight ${weight})`}`,
    ...(endpoints.length === 0 ? [`    no endpoints: ${withoutEndpoints}`] : []),
    ...endpoints.map(({ endpoint, takesRequests }) => `    ${endpointText(endpoint)}${takesRequests ? '' : '  takes no new requests'}`),
  ];
}

function placeText({ place }: Pick<ExplainedRoute, 'place'>): string {
  return place === undefined ? '' : ` (${place.file}:${place.line})`;
}
