// `affinity: cookie`, `affinity-mode` and `session-cookie-*`: the requests of one client stay with one endpoint. Cookies are
// ingress-nginx's, so that sessions survive a migration. Only routes of Ingresses with affinity begin sessions.
import type { CookieAffinity, SessionCookie } from '../../../proxy/table/cluster.ts';
import type { RouteIntent } from '../../model/translation.ts';
import type { Annotations } from './annotations.ts';
import { allOf, onEveryForward } from './group.ts';
import type { AnnotationGroup } from './group.ts';
import { upstreamName, withUpstream } from './upstream.ts';
import { basic, bool, int, oneOf, oneOfIgnoringCase, url, withoutSpaces } from './values.ts';
import type { Parser } from './values.ts';

const DAY = 86_400;
/** What no date of a cookie can say (years have four digits, or two that mean this century) is as long, or as long over, as one can. */
const lifetime: Parser<number> = (text) => {
  const parsed = int(text);
  return 'wrong' in parsed ? parsed : { value: Math.min(Math.max(parsed.value, -DAY), 36_500 * DAY) };
};

export const sessionAffinity: AnnotationGroup = {
  name: 'SessionAffinity',
  reads: [
    'affinity', 'affinity-mode', 'session-cookie-name', 'session-cookie-path', 'session-cookie-domain', 'session-cookie-expires', 'session-cookie-max-age',
    'session-cookie-samesite', 'session-cookie-conditional-samesite-none', 'session-cookie-secure', 'session-cookie-change-on-failure',
  ],
  effect: (annotations) => {
    const type = annotations.read('affinity', oneOf('cookie'), 'default');
    const mode = annotations.read('affinity-mode', oneOf('balanced', 'persistent'), 'default') ?? 'balanced';
    const changeOnFailure = annotations.read('session-cookie-change-on-failure', bool, 'default') ?? false;
    const cookie = readCookie(annotations);
    if (type === undefined) return undefined;
    const affinity: Omit<CookieAffinity, 'upstream'> = { mode: mode === 'balanced' ? 'Balanced' : 'Persistent', changeOnFailure, cookie };
    return allOf([
      withUpstream((backend) => ({ affinity: { ...affinity, upstream: upstreamName(backend) } })),
      onEveryForward((action, route) => ({ ...action, settings: { ...action.settings, sessionPath: cookiePath(route) } })),
    ]);
  },
};

function readCookie(annotations: Annotations): SessionCookie {
  const path = annotations.read('session-cookie-path', withoutSpaces(url), 'default');
  const domain = annotations.read('session-cookie-domain', withoutSpaces(basic), 'default');
  const expiresSeconds = annotations.read('session-cookie-expires', lifetime, 'default');
  const maxAgeSeconds = annotations.read('session-cookie-max-age', int, 'default');
  const sameSite = annotations.read('session-cookie-samesite', oneOfIgnoringCase('None', 'Lax', 'Strict'), 'default');
  return {
    name: annotations.read('session-cookie-name', withoutSpaces(basic), 'default') ?? 'INGRESSCOOKIE',
    ...(path !== undefined && { path }),
    ...(domain !== undefined && { domain }),
    ...(expiresSeconds !== undefined && { expiresSeconds }),
    ...(maxAgeSeconds !== undefined && { maxAgeSeconds }),
    ...(sameSite !== undefined && { sameSite }),
    ...(annotations.read('session-cookie-conditional-samesite-none', bool, 'default') === true && { omitNoneWhereMisread: true }),
    ...(annotations.read('session-cookie-secure', bool, 'default') === true && { secure: true }),
  };
}

/** The path of the rule as written, so that a cookie of ingress-nginx is replaced and not joined by ours; as far as a cookie's Path can hold it (RFC 6265 §4.1.1). */
function cookiePath({ match, writtenPath = match.path.value }: RouteIntent): string {
  return /^[\x20-\x3a\x3c-\x7e]+$/.test(writtenPath) ? writtenPath : '/';
}
