// A request that was refused before it became an exchange, in the shape that observers know, so that the access log and
// the metrics miss nothing.
import type { Exchange, ResponseWriter } from '../http/exchange.ts';
import type { Refusal } from './context.ts';
import type { Peer } from './peer.ts';

/** The response is written by the codec itself; this one only stands where an exchange has one. */
const WRITTEN: ResponseWriter = {
  inform() {},
  head() {},
  data: () => true,
  end() {},
  abort() {},
  onDrain: undefined,
  onClose: undefined,
  started: true,
  bytes: 0,
};

export function refusedExchange(peer: Peer, refusal: Refusal): Exchange {
  return {
    id: '',
    client: peer.client,
    request: { version: '1.1', method: refusal.method, authority: '', hostname: '', target: refusal.target, path: '', query: '', headers: [], body: undefined },
    response: WRITTEN,
    upgrade: undefined,
    startedAt: performance.now(),
    virtualHost: undefined,
    route: undefined,
    cluster: undefined,
    attempts: [],
    status: refusal.status,
    reason: refusal.reason,
    responseHeaders: undefined,
  };
}
