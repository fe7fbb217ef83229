// `ssl-redirect` and `force-ssl-redirect`: requests over http are sent to https. The first is on by default and needs a
// hostname with TLS; the second needs nothing. `preserve-trailing-slash` is how.
import type { FilterSpec } from '../../../proxy/table/filter.ts';
import type { RouteIntent } from '../../model/translation.ts';
import { onEveryRoute } from './group.ts';
import type { AnnotationGroup } from './group.ts';
import { bool } from './values.ts';

/** ingress-nginx: `no-tls-redirect-locations`. A certificate authority asks over http, before there is a certificate. */
const ACME_CHALLENGE = '/.well-known/acme-challenge';

export const httpsRedirect: AnnotationGroup = {
  name: 'Rewrite',
  reads: ['ssl-redirect', 'force-ssl-redirect', 'preserve-trailing-slash'],
  effect: (annotations) => {
    const always = annotations.read('force-ssl-redirect', bool, 'default') ?? false;
    const withTls = annotations.read('ssl-redirect', bool, 'default') ?? true;
    const keepSlash = annotations.read('preserve-trailing-slash', bool, 'default') ?? false;
    if (!always && !withTls) return undefined;
    const redirect: FilterSpec = { type: 'https-redirect', config: { status: 308, ...(keepSlash && { preserveTrailingSlash: true }) } };
    return onEveryRoute((route) => (isChallenge(route) ? route : redirected(route, redirect, always)));
  },
};

function isChallenge({ match }: RouteIntent): boolean {
  return match.path.value.startsWith(ACME_CHALLENGE);
}

function redirected(route: RouteIntent, redirect: FilterSpec, always: boolean): RouteIntent {
  return always ? { ...route, filters: [...route.filters, redirect] } : { ...route, tlsFilters: [...route.tlsFilters, redirect] };
}
