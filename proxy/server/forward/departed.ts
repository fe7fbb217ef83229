// What it means when an endpoint that is being deleted takes no more connections: nothing is broken, it has left before the
// table says so. Where nobody else was to be asked, the cluster has no endpoint any more, and that is 503 and not 502.
import type { Attempt, ProxyError } from '../../http/exchange.ts';

/** What a socket reports where nobody listens any more, or the address is nobody's. */
const NOBODY_THERE: ReadonlySet<unknown> = new Set(['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN']);
/** Errors are wrapped by those who pass them on. */
const DEEPEST = 4;

/** How a request ends then. */
export const DEPARTED: ProxyError = { reason: 'NoHealthyUpstream', side: 'internal', retry: 'no', status: 503 };

/** True: all that a request tried were leaving, and the last of them had left. */
export function hasDeparted(error: ProxyError, attempts: readonly Attempt[]): boolean {
  return error.reason === 'UpstreamConnectionFailure' && attempts.every(({ endpoint }) => endpoint.terminating) && nobodyThere(error.cause);
}

function nobodyThere(cause: unknown): boolean {
  let error = cause;
  for (let depth = 0; depth < DEEPEST && error instanceof Error; depth++) {
    if ('code' in error && NOBODY_THERE.has(error.code)) return true;
    error = error.cause;
  }
  return false;
}
