// What is closed where a protective annotation cannot be honoured: every route of its Ingress, or of its hosts. If paths of its host
// are regular expressions, which is not supported otherwise, all that its own match is closed as well: read as text, `/admin(/|$)(.*)`
// would leave `/admin` to whoever has `/`. One Ingress that wants them is enough for all of the host, and lets `/admin` match `/Admin`.
// Where nothing protects, that is so for paths that no text can stand for: what they match would get the answers of another application.
import { MAX_REGEX_LENGTH, compileRegex } from '../../../proxy/match/regex.ts';
import { DENIED } from '../../../proxy/table/denied.ts';
import type { Origin } from '../../../proxy/table/origin.ts';
import type { Ingress, IngressPath, IngressRule } from '../../kube/objects.ts';
import { closeRoute } from '../../model/close-route.ts';
import type { Problem } from '../../model/problem.ts';
import { seen } from '../../model/seen.ts';
import type { ClosedPattern, HostIntent, RouteIntent, Translation } from '../../model/translation.ts';
import { readingOf } from './annotations.ts';
import { onEveryRoute } from './group.ts';
import { any, bool } from './values.ts';

const closeEveryRoute = onEveryRoute(closeRoute);

/** `wholeHost`: what closes the routes of others on its hosts as well. */
export function closed(ingress: Ingress, translation: Translation, wholeHost: Origin | undefined): Translation {
  const denied = closeEveryRoute(translation);
  const more = wholeHost === undefined ? {} : { closed: wholeHost };
  return { ...denied, hosts: denied.hosts.map((host) => ({ ...host, ...more, closedPatterns: patterns(ingress, host.hostname, protectiveExpression).map(({ route }) => ({ route })) })) };
}

/** Of an Ingress whose routes are open. Where it means such a path as an expression itself, the route of its text is gone, and what was said of that. */
export function withoutExpressions(ingress: Ingress, translation: Translation): Translation {
  if (!ingress.rules.some(({ paths }) => paths.some(({ path }) => OPERATOR.test(path)))) return translation;
  const isPattern = patternsOf(ingress);
  const gone = new Set<string | undefined>();
  const hosts = translation.hosts.map((host): HostIntent => {
    const found = patterns(ingress, host.hostname, plainExpression);
    if (found.length === 0) return host;
    const closedPatterns = found.map(({ path, route }): ClosedPattern => ({ route, problem: unsupported(path, route.origin) }));
    found.forEach(({ path }, index) => isPattern?.(path) === true && gone.add(closedPatterns[index]?.problem?.origin.field));
    return { ...host, routes: host.routes.filter(({ origin }) => !gone.has(pathField(origin))), closedPatterns };
  });
  return { ...translation, hosts, problems: translation.problems.filter(({ reason, origin }) => reason !== 'InvalidPath' || !gone.has(origin.field)) };
}

/** A text with one of these is meant as an expression. A dot alone is not: `/index.html` matches itself, and hardly anybody means more. */
const OPERATOR = /[\\^$*+?()[\]{}|]/;

function unsupported({ path }: IngressPath, route: Origin): Problem {
  return {
    severity: 'error',
    reason: 'UnsupportedPath',
    origin: { ...route, field: pathField(route) },
    message: `path ${seen(path)} is a regular expression by use-regex or rewrite-target of this or another Ingress of its host, which is not supported: what it matches answers 503 instead of going to the Service of another path`,
    hint: 'write it as text with pathType Prefix, such as /api for /api(/|$)(.*), if the application takes its paths as clients send them',
    effect: 'RouteDenied',
  };
}

function pathField({ field }: Origin): string {
  return `${field}.path`;
}

/** Notes of which hosts the paths are meant as regular expressions, in any case and anchored at their start only. */
export function withMeaning(ingress: Ingress, translation: Translation): Translation {
  const isPattern = patternsOf(ingress);
  if (isPattern === undefined) return translation;
  const means = ({ hostname }: HostIntent): boolean => rulesOf(ingress, hostname).some(({ rule }) => rule.paths.some(isPattern));
  return { ...translation, hosts: translation.hosts.map((host) => (means(host) ? { ...host, meansPatterns: true } : host)) };
}

/** ingress-nginx: each of two annotations makes a path such an expression, `rewrite-target` only where it is something else than the path. Undefined: neither is there. */
function patternsOf(ingress: Ingress): ((path: IngressPath) => boolean) | undefined {
  const { annotations } = readingOf(ingress);
  const regex = annotations.look('use-regex', bool);
  if (regex !== undefined && 'value' in regex && regex.value) return () => true;
  const target = annotations.look('rewrite-target', any);
  if (target === undefined || !('value' in target)) return undefined;
  return ({ path }) => target.value.trim() !== (path === '' ? '/' : path);
}

function rulesOf({ rules }: Ingress, hostname: string): { readonly rule: IngressRule; readonly index: number }[] {
  return rules.map((rule, index) => ({ rule, index })).filter(({ rule: { host } }) => (host === '' ? '*' : host.toLowerCase()) === hostname);
}

interface Pattern {
  readonly path: IngressPath;
  readonly route: RouteIntent;
}

/** `expressionOf`: what stands for a path; undefined: nothing. */
function patterns(ingress: Ingress, hostname: string, expressionOf: (path: string) => string | undefined): Pattern[] {
  return rulesOf(ingress, hostname).flatMap(({ rule, index }) =>
    rule.paths.flatMap((path, pathIndex) => {
      const expression = expressionOf(path.path);
      return expression === undefined ? [] : [{ path, route: patternRoute(ingress, expression, index, pathIndex) }];
    }),
  );
}

function patternRoute({ metadata: { namespace, name } }: Ingress, value: string, index: number, pathIndex: number): RouteIntent {
  return {
    name: `${namespace}/${name}/rules[${index}].paths[${pathIndex}]/pattern`,
    match: { path: { type: 'RegularExpression', value, ignoreCase: true }, headers: [], queryParams: [], cookies: [] },
    filters: [],
    tlsFilters: [],
    action: DENIED,
    origin: { kind: 'Ingress', namespace, name, field: `spec.rules[${index}].http.paths[${pathIndex}]` },
  };
}

/** Where it protects, of one that only PCRE knows all that begins as it does. */
function protectiveExpression(path: string): string {
  return isExpression(path) ? path : widened(path);
}

/** Where nothing protects, of such a one what begins as it does and no longer text of the host is for. */
function plainExpression(path: string): string | undefined {
  if (!OPERATOR.test(path)) return undefined;
  return isExpression(path) ? path : beginning(path) || '/';
}

/** Paths of requests hold nothing but visible ASCII by the time that they are matched. */
function isExpression(text: string): boolean {
  return /^[\x21-\x7e]*$/.test(text) && typeof compileRegex(text, { anchored: true, ignoreCase: true }) === 'function';
}

/**
 * Of an expression that only PCRE knows, such as `/(?!public).*`: everything that begins as it does. Longer texts are tried first, so that
 * this one is made as long as the other with groups that match nothing.
 */
function widened(text: string): string {
  const plain = beginning(text);
  return plain + '(?:)'.repeat(Math.ceil((Math.min(text.length, MAX_REGEX_LENGTH - 4) - plain.length) / 4));
}

function beginning(text: string): string {
  const [plain = ''] = text.includes('|') ? [''] : (/^\^?([A-Za-z0-9\-_~/]*)(?![?*{])/.exec(text)?.slice(1) ?? []);
  return plain.slice(0, MAX_REGEX_LENGTH / 2);
}
