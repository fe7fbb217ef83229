// Annotations that ingress-nginx had and has no more, as far as they kept somebody out: their Ingresses come from a time when they
// did, and nobody may have noticed that they do not. So they close their routes like those of today (known.ts).
import { IF_NUMBER, IF_SAID, unless } from './known.ts';
import { FALSE } from './values.ts';

/** Without prefix; the function says which values protect. */
const FORMER: ReadonlyMap<string, (value: string) => boolean> = new Map([
  // A limit that all replicas shared.
  ['global-rate-limit', IF_NUMBER],
  ['global-rate-limit-window', IF_SAID],
  ['global-rate-limit-key', IF_SAID],
  ['global-rate-limit-ignored-cidrs', IF_SAID],
  // A web application firewall; what it only simulates it lets pass.
  ['lua-resty-waf', unless('', ...FALSE, 'inactive', 'simulate')],
  ['lua-resty-waf-extra-rules', IF_SAID],
  // The authorities by which endpoints' certificates were checked, before proxy-ssl-secret.
  ['secure-verify-ca-secret', IF_SAID],
]);

export function formerlyProtected(name: string, value: string): boolean {
  return FORMER.get(name)?.(value) ?? false;
}
