// `server-alias`: more names for the hosts of the Ingress. They are not served, and must not fall to what somebody else has for a
// wildcard or for every host, which is another application or one without this one's gates. So they are closed, but where a rule names them.
import { DENIED } from '../../../proxy/table/denied.ts';
import type { Origin } from '../../../proxy/table/origin.ts';
import { checkRuleHost } from '../../model/hostname.ts';
import { seen } from '../../model/seen.ts';
import type { HostIntent } from '../../model/translation.ts';
import type { Annotations } from './annotations.ts';
import type { AnnotationGroup } from './group.ts';
import { any } from './values.ts';

const NAME = 'server-alias';

export const serverAlias: AnnotationGroup = {
  name: 'Aliases',
  reads: [NAME],
  effect: (annotations) => (translation) => {
    // What a rule of its own names needs no alias.
    const named = new Set(translation.hosts.map(({ hostname }) => hostname));
    const closed = readAliases(annotations, named).map((hostname) => closedHost(hostname, annotations.origin(NAME)));
    return closed.length === 0 ? translation : { ...translation, hosts: [...translation.hosts, ...closed] };
  },
};

/** Those that can be closed. */
function readAliases(annotations: Annotations, named: ReadonlySet<string>): string[] {
  const aliases = new Set<string>();
  const value = annotations.read(NAME, any, 'default') ?? '';
  for (const alias of new Set(value.split(',').map((item) => item.trim()))) {
    const check = checkRuleHost(alias);
    if (alias === '') continue;
    if ('hostname' in check) {
      if (!named.has(check.hostname)) aliases.add(check.hostname);
      continue;
    }
    report(annotations, `the alias ${seen(alias)} ${check.wrong}, so that it cannot be closed, and requests get what other Ingresses have for their host`);
  }
  for (const hostname of aliases) {
    const deeper = hostname.startsWith('*.') ? '; those with more labels in place of the star, which ingress-nginx takes as well, get what other Ingresses have for their host' : '';
    report(annotations, `requests to ${seen(hostname)} are answered 503, lest they get what another Ingress has for every host or a wildcard, unless a rule names it${deeper}`, hostname);
  }
  return [...aliases];
}

/** `hostname`: that is closed. */
function report(annotations: Annotations, message: string, hostname?: string): void {
  annotations.report({
    severity: 'error',
    reason: 'UnsupportedAnnotation',
    origin: annotations.origin(NAME),
    message: `${NAME} is not supported: ${message}`,
    hint: 'name the host in a rule, with the paths that it is to have',
    ...(hostname === undefined ? { effect: 'ValueIgnored' } : { effect: 'HostClosed', hostname }),
  });
}

function closedHost(hostname: string, origin: Origin): HostIntent {
  const match = { path: { type: 'PathPrefix', value: '/' }, headers: [], queryParams: [], cookies: [] } as const;
  const fallback = { name: `${origin.namespace}/${origin.name}/alias`, match, filters: [], tlsFilters: [], action: DENIED, origin };
  return { hostname, routes: [], fallback, ownFallback: true, alias: true };
}
