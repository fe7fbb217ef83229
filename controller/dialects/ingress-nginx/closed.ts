// What is closed where a protective annotation cannot be honoured: every route of its Ingress. If its paths are regular expressions,
// which is not supported otherwise, all that these match is closed as well: read as text, `/admin(/|$)(.*)` would leave `/admin` to
// whoever has `/`.
import { MAX_REGEX_LENGTH, compileRegex } from '../../../proxy/match/regex.ts';
import { DENIED } from '../../../proxy/table/denied.ts';
import type { Ingress } from '../../kube/objects.ts';
import { closeRoute } from '../../model/close-route.ts';
import type { RouteIntent, Translation } from '../../model/translation.ts';
import { readingOf } from './annotations.ts';
import { onEveryRoute } from './group.ts';
import { bool } from './values.ts';

const closeEveryRoute = onEveryRoute(closeRoute);

export function closed(ingress: Ingress, translation: Translation): Translation {
  const denied = closeEveryRoute(translation);
  if (!hasPatterns(ingress)) return denied;
  return { ...denied, hosts: denied.hosts.map((host) => ({ ...host, routes: [...host.routes, ...patterns(ingress, host.hostname)] })) };
}

/** ingress-nginx: either of the two makes every path a regular expression, in any case and anchored at its start only. */
function hasPatterns(ingress: Ingress): boolean {
  const { annotations } = readingOf(ingress);
  const regex = annotations.look('use-regex', bool);
  return annotations.has('rewrite-target') || (regex !== undefined && 'value' in regex && regex.value);
}

function patterns({ metadata: { namespace, name }, rules }: Ingress, hostname: string): RouteIntent[] {
  const found = new Map<string, RouteIntent>();
  for (const [index, rule] of rules.entries()) {
    if ((rule.host === '' ? '*' : rule.host.toLowerCase()) !== hostname) continue;
    for (const [pathIndex, { path }] of rule.paths.entries()) {
      const value = isPattern(path) ? path : widened(path);
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
function isPattern(text: string): boolean {
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
