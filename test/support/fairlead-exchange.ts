// An exchange as the data path has it at its end, for tests of what observes it.
import type { Attempt, Exchange } from '../../proxy/http/exchange.ts';
import type { Route } from '../../proxy/table/route.ts';

export interface ExchangeOptions {
  readonly method?: string;
  readonly hostname?: string;
  readonly target?: string;
  readonly path?: string;
  readonly headers?: readonly string[];
  readonly route?: Route;
  readonly cluster?: string;
  readonly attempts?: readonly Attempt[];
  readonly status: number;
  readonly reason?: string;
  readonly grpcStatus?: number;
}

export function exchange(options: ExchangeOptions): Exchange {
  const { method = 'GET', hostname = 'shop.example.com', target = '/', path = target, headers = [], attempts = [], reason = '', status } = options;
  return {
    id: 'r-1',
    client: { address: '192.0.2.1', port: 5000, peerAddress: '192.0.2.1', trusted: false, scheme: 'http', localPort: 80 },
    request: { version: '1.1', method, authority: hostname, hostname, target, path, otherPaths: [], query: '', headers: [...headers], body: undefined },
    response: { inform() {}, head() {}, data: () => true, end() {}, abort() {}, onDrain: undefined, onClose: undefined, started: true, bytes: 0, room: 0, shut: false },
    upgrade: undefined,
    shared: undefined,
    startedAt: 0,
    virtualHost: undefined,
    route: options.route,
    cluster: options.cluster,
    attempts: [...attempts],
    status,
    reason,
    grpcStatus: options.grpcStatus,
    responseHeaders: undefined,
  };
}

/** A route that an Ingress asked for. */
export function route(namespace: string, name: string): Route {
  return {
    name: `${namespace}/${name}`,
    match: { path: { type: 'PathPrefix', value: '/' }, headers: [], queryParams: [], cookies: [] },
    filters: [],
    action: { type: 'Respond', status: 200, body: '', reason: 'Test' },
    origin: { kind: 'Ingress', namespace, name, field: 'spec.rules[0].http.paths[0]' },
  };
}
