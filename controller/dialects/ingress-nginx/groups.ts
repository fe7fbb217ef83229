// Every annotation group, in the order in which their effects are applied.
import { backendProtocol } from './backend-protocol.ts';
import { authTls } from './auth-tls.ts';
import type { AnnotationGroup } from './group.ts';
import { httpsRedirect } from './https-redirect.ts';
import { loadBalancing } from './load-balancing.ts';
import { nextUpstreamGroup } from './next-upstream.ts';
import { proxy } from './proxy.ts';
import { proxySsl } from './proxy-ssl.ts';
import { redirect } from './redirect.ts';
import { serverAlias } from './server-alias.ts';
import { serviceUpstream } from './service-upstream.ts';
import { sessionAffinity } from './session-affinity.ts';
import { sslPassthrough } from './ssl-passthrough.ts';
import { ssl } from './ssl.ts';
import { upstreamHash } from './upstream-hash.ts';
import { upstreamVhost } from './upstream-vhost.ts';

export const GROUPS: readonly AnnotationGroup[] = [
  httpsRedirect,
  // After the redirect to https, in whose place it comes, and before all that is about backends, of which it leaves none.
  redirect,
  ssl,
  sslPassthrough,
  authTls,
  // Before all that changes backends: it may double them.
  backendProtocol,
  upstreamVhost,
  // After upstream-vhost, which may name whom to verify.
  proxySsl,
  proxy,
  nextUpstreamGroup,
  serviceUpstream,
  loadBalancing,
  // After load-balance, which it beats.
  upstreamHash,
  sessionAffinity,
  // After all that changes every host: it adds some.
  serverAlias,
];

/** Names without prefix that some group reads. */
export const SUPPORTED: ReadonlySet<string> = new Set(GROUPS.flatMap(({ reads }) => reads));
