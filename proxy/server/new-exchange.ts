// The exchange of a request that a codec has understood, before anybody has looked at it.
import type { Exchange, Request, ResponseWriter, SharedConnection, UpgradeRequest } from '../http/exchange.ts';
import { clientOf, requestId } from '../http/forwarded.ts';
import type { Peer } from './peer.ts';

/** `shared`: the connection, where it may have more than one request under way. */
export function newExchange(peer: Peer, request: Request, response: ResponseWriter, upgrade: UpgradeRequest | undefined, shared?: SharedConnection): Exchange {
  const client = clientOf(peer.client, request.headers, peer.trust);
  return {
    id: requestId(request.headers, client),
    client,
    request,
    response,
    upgrade,
    shared,
    startedAt: performance.now(),
    virtualHost: undefined,
    route: undefined,
    cluster: undefined,
    attempts: [],
    status: 0,
    reason: '',
    grpcStatus: undefined,
    responseHeaders: undefined,
  };
}
