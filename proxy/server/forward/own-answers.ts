// What a client is told when no endpoint answered it, and for what reason.
import type { Attempt, ProxyError, Reply } from '../../http/exchange.ts';
import { plainReply } from '../reply.ts';
import { hasDeparted } from './departed.ts';

export const NO_CLUSTER = plainReply(503, 'NoClusterFound', 'the backend of this route does not exist');
export const NO_ENDPOINT = plainReply(503, 'NoHealthyUpstream', 'no endpoint of this route can take requests');
export const OVERFLOW: Reply = { ...plainReply(503, 'UpstreamOverflow', 'every endpoint of this route has as many requests as it may'), headers: ['content-type', 'text/plain; charset=utf-8', 'retry-after', '1'] };
export const TOO_LONG: ProxyError = { reason: 'DurationTimeout', side: 'internal', retry: 'no', status: 504 };
export const STALLED: ProxyError = { reason: 'DownstreamStalled', side: 'downstream', retry: 'no', status: 408 };

/** What the last of these tries comes to where its failure says more than it seems to, or the client is to come again; undefined: the failure as it is. */
export function insteadOf(error: ProxyError, attempts: readonly Attempt[]): Reply | undefined {
  if (error.reason === OVERFLOW.reason) return OVERFLOW;
  return hasDeparted(error, attempts) ? NO_ENDPOINT : undefined;
}
