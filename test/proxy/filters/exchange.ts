// An exchange as a filter sees it, without a connection behind it.
import type { Client, Exchange, Request } from '../../../proxy/http/exchange.ts';

export function exchange(client: Partial<Client> = {}, request: Partial<Request> = {}): Exchange {
  const seen: Client = { address: '192.0.2.7', port: 5000, peerAddress: '192.0.2.7', trusted: false, scheme: 'http', localPort: 80, ...client };
  const asked: Request = { version: '1.1', method: 'GET', authority: 'shop.example.com', hostname: 'shop.example.com', target: '/', path: '/', otherPaths: [], query: '', headers: [], body: undefined, ...request };
  return {
    id: 'id-1',
    client: seen,
    request: asked,
    response: { inform: nothing, head: nothing, data: () => true, end: nothing, abort: nothing, onDrain: undefined, onClose: undefined, started: false, bytes: 0, room: 0, shut: false },
    upgrade: undefined,
    shared: undefined,
    startedAt: 0,
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

function nothing(): void {
  // a filter writes no response itself
}
