// What it means when an endpoint that is being deleted takes no more connections: nothing is broken, it has left before the
// table says so. Where nobody else was to be asked, the cluster has no endpoint any more, and that is 503 and not 502.
import type { Attempt, ProxyError } from '../../http/exchange.ts';
import { causesOf, codeOf } from '../../upstream/causes.ts';

/** What a socket reports where nobody listens any more, or the address is nobody's. */
const NOBODY_THERE: ReadonlySet<string | undefined> = new Set(['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN']);

/** How a request ends then. */
export const DEPARTED: ProxyError = { reason: 'NoHealthyUpstream', side: 'internal', retry: 'no', status: 503 };

/** True: all that a request tried were leaving, and the last of them had left. */
export function hasDeparted(error: ProxyError, attempts: readonly Attempt[]): boolean {
  return error.reason === 'UpstreamConnectionFailure' && attempts.every(({ endpoint }) => endpoint.terminating) && nobodyThere(error.cause);
}

function nobodyThere(cause: unknown): boolean {
  for (const error of causesOf(cause)) if (NOBODY_THERE.has(codeOf(error))) return true;
  return false;
}
