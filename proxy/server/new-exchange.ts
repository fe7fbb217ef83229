// The exchange of a request that a codec has understood, before anybody has looked at it.
import type { Exchange, Request, ResponseWriter, UpgradeRequest } from '../http/exchange.ts';
import { clientOf, requestId } from '../http/forwarded.ts';
import type { Peer } from './peer.ts';

export function newExchange({ client, trust }: Peer, request: Request, response: ResponseWriter, upgrade: UpgradeRequest | undefined): Exchange {
  return {
    id: requestId(request.headers, client),
    client: clientOf(client, request.headers, trust),
    request,
    response,
    upgrade,
    startedAt: performance.now(),
    virtualHost: undefined,
    route: undefined,
    cluster: undefined,
    attempts: [],
    status: 0,
    reason: '',
    responseHeaders: undefined,
  };
}
