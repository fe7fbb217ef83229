// What a client is told when no endpoint answered it, and for what reason.
import type { ProxyError, Reply } from '../../http/exchange.ts';
import { plainReply } from '../reply.ts';

export const NO_CLUSTER = plainReply(503, 'NoClusterFound', 'the backend of this route does not exist');
export const NO_ENDPOINT = plainReply(503, 'NoHealthyUpstream', 'no endpoint of this route can take requests');
export const OVERFLOW: Reply = { ...plainReply(503, 'UpstreamOverflow', 'every endpoint of this route has as many requests as it may'), headers: ['content-type', 'text/plain; charset=utf-8', 'retry-after', '1'] };
export const TOO_LONG: ProxyError = { reason: 'DurationTimeout', side: 'internal', retry: 'no', status: 504 };
export const STALLED: ProxyError = { reason: 'DownstreamStalled', side: 'downstream', retry: 'no', status: 408 };
