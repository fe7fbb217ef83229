// What is closed where a protective annotation cannot be honoured: every route of its Ingress, or of its hosts. If paths of its host
// are regular expressions, which is not supported otherwise, all that its own match is closed as well: read as text, `/admin(/|$)(.*)`
// would leave `/admin` to whoever has `/`. One Ingress that wants them is enough for all of the host, and lets `/admin` match `/Admin`.
import { MAX_REGEX_LENGTH, compileRegex } from '../../../proxy/match/regex.ts';
import { DENIED } from '../../../proxy/table/denied.ts';
import type { Origin } from '../../../proxy/table/origin.ts';
import type { Ingress, IngressPath, IngressRule } from '../../kube/objects.ts';
import { closeRoute } from '../../model/close-route.ts';
import type { HostIntent, RouteIntent, Translation } from '../../model/translation.ts';
import { readingOf } from './annotations.ts';
import { onEveryRoute } from './group.ts';
import { any, bool } from './values.ts';

const closeEveryRoute = onEveryRoute(closeRoute);

/** `wholeHost`: what closes the routes of others on its hosts as well. */
export function closed(ingress: Ingress, translation: Translation, wholeHost: Origin | undefined): Translation {
  const denied = closeEveryRoute(translation);
  const more = wholeHost === undefined ? {} : { closed: wholeHost };
  return { ...denied, hosts: denied.hosts.map((host) => ({ ...host, ...more, closedPatterns: patterns(ingress, host.hostname) })) };
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

function patterns(ingress: Ingress, hostname: string): RouteIntent[] {
  const { namespace, name } = ingress.metadata;
  const found = new Map<string, RouteIntent>();
  for (const { rule, index } of rulesOf(ingress, hostname)) {
    for (const [pathIndex, { path }] of rule.paths.entries()) {
      const value = isExpression(path) ? path : widened(path);
      if (found.has(value)) continue;
      found.set(value, {
        name: `${namespace}/${name}/rules[${index}].paths[${pathIndex}]/pattern`,
        match: { path: { type: 'RegularExpression', value, ignoreCase: true }, headers: [], queryParams: [], cookies: [] },
        filters: [],
        tlsFilters: [],
        action: DENIED,
        origin: { kind: 'Ingress', namespace, name, field: `spec.rules[${index}].http.paths[${pathIndex}]` },
      });
    }
  }
  return [...found.values()];
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
  const [beginning = ''] = text.includes('|') ? [''] : (/^\^?([A-Za-z0-9\-_~/]*)(?![?*{])/.exec(text)?.slice(1) ?? []);
  const plain = beginning.slice(0, MAX_REGEX_LENGTH / 2);
  return plain + '(?:)'.repeat(Math.ceil((Math.min(text.length, MAX_REGEX_LENGTH - 4) - plain.length) / 4));
}
