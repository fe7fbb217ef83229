// Every annotation that ingress-nginx reads (v1.15.1: 136 names and 2 aliases), and what leaving it unread would mean.
// Which of them Fairlead reads itself is said by the groups (groups.ts) alone, so that the two cannot drift apart.
import { mayKeepOut } from './snippet.ts';
import { FALSE } from './values.ts';

export interface KnownAnnotation {
  /** ingress-nginx's own rating, which `annotations-risk-level` gates. */
  readonly risk: 'Low' | 'Medium' | 'High' | 'Critical';
  /**
   * Present: it keeps somebody out (a client, or an endpoint that is not who it says), so while no group reads it the routes of its
   * Ingress are denied instead of left open. False for values that protect nothing; where it is true for the empty one, ingress-nginx denies on that as
   * well. In one that is read, blanks are a bad value and not an empty one.
   */
  readonly protects?: (value: string) => boolean;
  /** It holds for all routes of the hosts of its Ingress, whoever they belong to. */
  readonly wholeHost?: true;
  /** A boolean or a number: ingress-nginx reads the value as it is, where it trims others. */
  readonly raw?: true;
  /** Its Ingress is meant to stand behind another one: on its own it would take that one's traffic. */
  readonly notAlone?: true;
  /** What happens without it, where that is not plain from its name: completes "it is not supported: ...". */
  readonly instead?: string;
}

/** A value protects unless it is one of these. */
export const unless = (...values: readonly string[]) => (value: string): boolean => !values.includes(value);
const ALWAYS = unless();
export const IF_SAID = unless('');
const IF_TRUE = unless('', ...FALSE);
export const IF_NUMBER = unless('', '0');

/** Every client is in the list that cert-manager writes on the Ingresses of its HTTP-01 challenges, lest they inherit a narrower one. */
function narrows(value: string): boolean {
  const items = new Set(value.split(',').map((item) => item.trim()));
  return items.size !== 2 || !items.has('0.0.0.0/0') || !items.has('::/0');
}

const AS_TEXT = 'taken as text, and those that are regular expressions answer 503';

/** Without prefix. */
export const KNOWN_ANNOTATIONS: ReadonlyMap<string, KnownAnnotation> = new Map<string, KnownAnnotation>([
  ['affinity', { risk: 'Low' }],
  ['affinity-canary-behavior', { risk: 'Low' }],
  ['affinity-mode', { risk: 'Medium' }],
  ['allowlist-source-range', { risk: 'Medium', protects: narrows }],
  ['app-root', { risk: 'Medium' }],
  ['auth-always-set-cookie', { risk: 'Low', raw: true, protects: IF_TRUE }],
  ['auth-cache-duration', { risk: 'Medium', protects: IF_SAID }],
  ['auth-cache-key', { risk: 'Medium', protects: IF_SAID }],
  ['auth-keepalive', { risk: 'Low', raw: true, protects: IF_SAID }],
  ['auth-keepalive-requests', { risk: 'Low', raw: true, protects: IF_SAID }],
  ['auth-keepalive-share-vars', { risk: 'Low', raw: true, protects: IF_TRUE }],
  ['auth-keepalive-timeout', { risk: 'Low', raw: true, protects: IF_SAID }],
  ['auth-method', { risk: 'Low', protects: IF_SAID }],
  ['auth-proxy-set-headers', { risk: 'Medium', protects: IF_SAID }],
  ['auth-realm', { risk: 'Medium', protects: IF_SAID }],
  ['auth-request-redirect', { risk: 'Medium', protects: IF_SAID }],
  ['auth-response-headers', { risk: 'Medium', protects: IF_SAID }],
  ['auth-secret', { risk: 'Medium', protects: ALWAYS }],
  ['auth-secret-type', { risk: 'Low', protects: IF_SAID }],
  ['auth-signin', { risk: 'High', protects: IF_SAID }],
  ['auth-signin-redirect-param', { risk: 'Medium', protects: IF_SAID }],
  ['auth-snippet', { risk: 'Critical', protects: IF_SAID }],
  ['auth-tls-error-page', { risk: 'High', protects: IF_SAID }],
  ['auth-tls-match-cn', { risk: 'High', protects: IF_SAID }],
  ['auth-tls-pass-certificate-to-upstream', { risk: 'Low', raw: true, protects: IF_TRUE }],
  ['auth-tls-secret', { risk: 'Medium', protects: IF_SAID }],
  ['auth-tls-verify-client', { risk: 'Medium', protects: unless('', 'off') }],
  ['auth-tls-verify-depth', { risk: 'Low', raw: true, protects: IF_SAID }],
  ['auth-type', { risk: 'Low', protects: IF_SAID }],
  ['auth-url', { risk: 'High', protects: IF_SAID }],
  ['backend-protocol', { risk: 'Low' }],
  ['canary', { risk: 'Low', raw: true, notAlone: true }],
  ['canary-by-cookie', { risk: 'Medium' }],
  ['canary-by-header', { risk: 'Medium' }],
  ['canary-by-header-pattern', { risk: 'Medium' }],
  ['canary-by-header-value', { risk: 'Medium' }],
  ['canary-weight', { risk: 'Low', raw: true }],
  ['canary-weight-total', { risk: 'Low', raw: true }],
  ['client-body-buffer-size', { risk: 'Low' }],
  ['configuration-snippet', { risk: 'Critical', protects: mayKeepOut }],
  ['connection-proxy-header', { risk: 'Low' }],
  ['cors-allow-credentials', { risk: 'Low', raw: true }],
  ['cors-allow-headers', { risk: 'Medium' }],
  ['cors-allow-methods', { risk: 'Medium' }],
  ['cors-allow-origin', { risk: 'Medium' }],
  ['cors-expose-headers', { risk: 'Medium' }],
  ['cors-max-age', { risk: 'Low', raw: true }],
  ['custom-headers', { risk: 'Medium' }],
  ['custom-http-errors', { risk: 'Low' }],
  ['default-backend', { risk: 'Low' }],
  ['denylist-source-range', { risk: 'Medium', protects: ALWAYS }],
  ['disable-proxy-intercept-errors', { risk: 'Low', raw: true }],
  ['enable-access-log', { risk: 'Low', raw: true }],
  ['enable-cors', { risk: 'Low', raw: true }],
  ['enable-global-auth', { risk: 'Low', raw: true, protects: IF_TRUE }],
  ['enable-modsecurity', { risk: 'Low', raw: true, protects: IF_TRUE }],
  ['enable-opentelemetry', { risk: 'Low', raw: true }],
  ['enable-owasp-core-rules', { risk: 'Low', raw: true, protects: IF_TRUE }],
  ['enable-rewrite-log', { risk: 'Low', raw: true }],
  ['fastcgi-index', { risk: 'Medium' }],
  ['fastcgi-params-configmap', { risk: 'Medium' }],
  ['force-ssl-redirect', { risk: 'Medium', raw: true }],
  ['from-to-www-redirect', { risk: 'Low', raw: true }],
  ['http2-push-preload', { risk: 'Low', raw: true }],
  ['limit-allowlist', { risk: 'Low', protects: IF_SAID }],
  ['limit-burst-multiplier', { risk: 'Low', raw: true, protects: IF_SAID }],
  ['limit-connections', { risk: 'Low', raw: true, protects: IF_NUMBER }],
  ['limit-rate', { risk: 'Low', raw: true, protects: IF_NUMBER }],
  ['limit-rate-after', { risk: 'Low', raw: true, protects: IF_NUMBER }],
  ['limit-rpm', { risk: 'Low', raw: true, protects: IF_NUMBER }],
  ['limit-rps', { risk: 'Low', raw: true, protects: IF_NUMBER }],
  ['load-balance', { risk: 'Low' }],
  ['mirror-host', { risk: 'High' }],
  ['mirror-request-body', { risk: 'Low' }],
  ['mirror-target', { risk: 'High' }],
  ['modsecurity-snippet', { risk: 'Critical', protects: IF_SAID }],
  ['modsecurity-transaction-id', { risk: 'High' }],
  ['opentelemetry-operation-name', { risk: 'Medium' }],
  ['opentelemetry-trust-incoming-span', { risk: 'Low', raw: true }],
  ['permanent-redirect', { risk: 'Medium' }],
  ['permanent-redirect-code', { risk: 'Low', raw: true }],
  ['preserve-trailing-slash', { risk: 'Medium', raw: true }],
  ['proxy-body-size', { risk: 'Medium' }],
  ['proxy-buffer-size', { risk: 'Low' }],
  ['proxy-buffering', { risk: 'Low' }],
  ['proxy-buffers-number', { risk: 'Low', raw: true }],
  ['proxy-busy-buffers-size', { risk: 'Low' }],
  ['proxy-connect-timeout', { risk: 'Low', raw: true }],
  ['proxy-cookie-domain', { risk: 'Medium' }],
  ['proxy-cookie-path', { risk: 'Medium' }],
  ['proxy-http-version', { risk: 'Low' }],
  ['proxy-max-temp-file-size', { risk: 'Low' }],
  ['proxy-next-upstream', { risk: 'Medium' }],
  ['proxy-next-upstream-timeout', { risk: 'Low', raw: true }],
  ['proxy-next-upstream-tries', { risk: 'Low', raw: true }],
  ['proxy-read-timeout', { risk: 'Low', raw: true }],
  ['proxy-redirect-from', { risk: 'Medium' }],
  ['proxy-redirect-to', { risk: 'Medium' }],
  ['proxy-request-buffering', { risk: 'Low' }],
  ['proxy-send-timeout', { risk: 'Low', raw: true }],
  ['proxy-ssl-ciphers', { risk: 'Medium' }],
  ['proxy-ssl-name', { risk: 'High' }],
  ['proxy-ssl-protocols', { risk: 'Low' }],
  ['proxy-ssl-secret', { risk: 'Medium', protects: IF_SAID }],
  ['proxy-ssl-server-name', { risk: 'Low' }],
  ['proxy-ssl-verify', { risk: 'Low', protects: unless('', 'off') }],
  ['proxy-ssl-verify-depth', { risk: 'Low', raw: true }],
  ['relative-redirects', { risk: 'Low', raw: true }],
  ['rewrite-target', { risk: 'Medium', instead: `paths are forwarded as they are, ${AS_TEXT}` }],
  ['satisfy', { risk: 'Low', protects: unless('', 'all') }],
  ['server-alias', { risk: 'High' }],
  ['server-snippet', { risk: 'Critical', protects: mayKeepOut, wholeHost: true }],
  ['service-upstream', { risk: 'Low', raw: true }],
  ['session-cookie-change-on-failure', { risk: 'Low', raw: true }],
  ['session-cookie-conditional-samesite-none', { risk: 'Low', raw: true }],
  ['session-cookie-domain', { risk: 'Medium' }],
  ['session-cookie-expires', { risk: 'Medium' }],
  ['session-cookie-max-age', { risk: 'Medium' }],
  ['session-cookie-name', { risk: 'Medium' }],
  ['session-cookie-path', { risk: 'Medium' }],
  ['session-cookie-samesite', { risk: 'Low' }],
  ['session-cookie-secure', { risk: 'Low', raw: true }],
  ['ssl-ciphers', { risk: 'Low' }],
  ['ssl-passthrough', { risk: 'Low', raw: true }],
  ['ssl-prefer-server-ciphers', { risk: 'Low', raw: true }],
  ['ssl-redirect', { risk: 'Low', raw: true }],
  ['stream-snippet', { risk: 'Critical' }],
  ['temporal-redirect', { risk: 'Medium' }],
  ['temporal-redirect-code', { risk: 'Low', raw: true }],
  ['upstream-hash-by', { risk: 'High' }],
  ['upstream-hash-by-subset', { risk: 'Low', raw: true }],
  ['upstream-hash-by-subset-size', { risk: 'Low', raw: true }],
  ['upstream-vhost', { risk: 'Low' }],
  ['use-port-in-redirects', { risk: 'Low', raw: true }],
  ['use-regex', { risk: 'Low', raw: true, instead: `paths are ${AS_TEXT}` }],
  ['x-forwarded-prefix', { risk: 'Medium' }],
]);

/** Alias → the name that it stands for, which wins where both are given. */
export const ALIASES: ReadonlyMap<string, string> = new Map([
  ['whitelist-source-range', 'allowlist-source-range'],
  ['limit-whitelist', 'limit-allowlist'],
]);
