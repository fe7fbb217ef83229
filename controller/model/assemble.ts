// Settles what several objects want of one hostname: the oldest wins, and the loser is told. Objects of all dialects and
// namespaces meet here; nothing here knows how they were written.
import { equal } from '../../proxy/table/equal.ts';
import { originText } from '../../proxy/table/origin.ts';
import type { Origin } from '../../proxy/table/origin.ts';
import type { PathMatch } from '../../proxy/table/route.ts';
import { settleConnections } from './connections.ts';
import type { Problem } from './problem.ts';
import { seen } from './seen.ts';
import { byAge } from './translation.ts';
import type { ClientCertificatesIntent, ClosedPattern, ConnectionIntent, HostIntent, RouteIntent, Said, Translation } from './translation.ts';

/** One object's wish for one hostname. */
export interface Contribution {
  readonly translation: Translation;
  readonly intent: HostIntent;
}

/** One hostname with every conflict settled. */
export interface HostModel {
  readonly hostname: string;
  /** In age order; matching order is made by `build`. No two have the same match. */
  readonly routes: readonly RouteIntent[];
  /** For what no route matches: of the oldest object that has a default backend, else the controller's with the oldest object's filters. */
  readonly fallback: RouteIntent;
  /** The oldest object with a `tls` section: it alone decides on the certificate. Undefined: the hostname has no TLS. */
  readonly tls: Translation | undefined;
  /** Of TLS connections to it; undefined: nobody wants anything but the usual. */
  readonly connection?: ConnectionIntent | undefined;
  /** What others than the one in `connection` want of client certificates, where that is something else. */
  readonly overruled?: readonly Said<ClientCertificatesIntent>[];
  /** What closes it for everybody, certificate authorities apart, who ask for their challenges; undefined: nothing. */
  readonly closed?: Origin | undefined;
  readonly problems: readonly Problem[];
}

/** `contributions`: at least one, in any order. */
export function assembleHost(hostname: string, contributions: readonly Contribution[]): HostModel {
  const named = contributions.filter(isNamed);
  const oldestFirst = (named.length > 0 ? named : contributions).toSorted((a, b) => byAge(a.translation, b.translation));
  const problems: Problem[] = [];
  const winners = new Map<string, RouteIntent>();
  for (const { intent } of oldestFirst) {
    for (const route of intent.routes) {
      const key = JSON.stringify(route.match);
      const winner = winners.get(key);
      if (winner === undefined) winners.set(key, route);
      else problems.push(routeConflict(hostname, route, winner));
    }
  }
  // Nobody is told of conflicts among these: it has been said of their paths.
  for (const { route, problem } of closedPatterns(oldestFirst)) {
    const key = JSON.stringify(route.match);
    if (problem !== undefined) problems.push(problem);
    if (!winners.has(key)) winners.set(key, route);
  }
  const withFallback = oldestFirst.filter(({ intent }) => intent.ownFallback);
  const fallback = (withFallback[0] ?? oldestFirst[0]!).intent.fallback;
  for (const { intent } of withFallback.slice(1)) {
    if (!sameAction(intent.fallback, fallback)) problems.push(fallbackConflict(hostname, intent.fallback, fallback));
  }
  const connections = settleConnections(oldestFirst.filter(isNamed).map(({ translation }) => translation), hostText(hostname));
  problems.push(...connections.problems);
  return {
    hostname,
    routes: [...winners.values()],
    fallback,
    // A certificate belongs to names, and `*` is none: those requests get the default certificate.
    tls: hostname === '*' ? undefined : decidesTls(oldestFirst),
    connection: connections.connection,
    ...(connections.overruled.length > 0 && { overruled: connections.overruled }),
    closed: closing(oldestFirst),
    problems,
  };
}

/** Nobody closes the host of another namespace: it is that of its oldest object. */
function closing(oldestFirst: readonly Contribution[]): Origin | undefined {
  const { namespace } = oldestFirst[0]!.translation.origin;
  return oldestFirst.find(({ intent, translation }) => intent.closed !== undefined && translation.origin.namespace === namespace)?.intent.closed;
}

function closedPatterns(contributions: readonly Contribution[]): readonly ClosedPattern[] {
  if (!contributions.some(({ intent }) => intent.meansPatterns === true)) return [];
  return contributions.flatMap(({ intent }) => intent.closedPatterns ?? []);
}

function isNamed({ intent }: Contribution): boolean {
  return intent.alias !== true;
}

/** The oldest object with a `tls` section, of those with a rule for the hostname. */
export function decidesTls(contributions: readonly Contribution[]): Translation | undefined {
  const asking = contributions.filter((each) => each.translation.tls.length > 0 && isNamed(each)).map(({ translation }) => translation);
  return asking.length < 2 ? asking[0] : asking.toSorted(byAge)[0];
}

function routeConflict(hostname: string, loser: RouteIntent, winner: RouteIntent): Problem {
  return {
    severity: 'warning',
    reason: 'RouteConflict',
    origin: loser.origin,
    message: `${hostText(hostname)} already has a route for ${pathText(loser.match.path)}: the one of ${originText(winner.origin)} stands first (oldest first, then by namespace and name)`,
    hint: 'remove one of the two, or give it another path',
    effect: 'RouteRefused',
  };
}

function fallbackConflict(hostname: string, loser: RouteIntent, winner: RouteIntent): Problem {
  return {
    severity: 'warning',
    reason: 'RouteConflict',
    origin: loser.origin,
    message: `${hostText(hostname)} already has a default backend: the one of ${originText(winner.origin)} stands first (oldest first, then by namespace and name)`,
    effect: 'RouteRefused',
  };
}

/** Two objects that send unmatched requests to the same Services do not contradict each other. */
function sameAction(a: RouteIntent, b: RouteIntent): boolean {
  if (a.action.type !== 'Forward' || b.action.type !== 'Forward') return equal(a.action, b.action);
  const name = (route: typeof a.action) => route.backends.map(({ namespace, service, port }) => `${namespace}/${service}:${port}`).join();
  return name(a.action) === name(b.action);
}

export function hostText(hostname: string): string {
  return hostname === '*' ? 'the rule for every other host' : `host ${seen(hostname)}`;
}

const PATH_WORDS: Record<PathMatch['type'], string> = { Exact: 'the exact path', PathPrefix: 'the path prefix', StringPrefix: 'paths that start with', RegularExpression: 'paths like' };

function pathText(path: PathMatch): string {
  return `${PATH_WORDS[path.type]} ${seen(path.value)}`;
}
