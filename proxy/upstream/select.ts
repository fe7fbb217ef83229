// The one `Upstream` of a worker: each cluster's requests go to the client that speaks its protocol.
import type { Upstream } from './call.ts';
import type { Dispatchers } from './dispatchers.ts';
import { Http2Upstream } from './http2/upstream.ts';
import { UndiciUpstream } from './http1/undici-upstream.ts';

/** Both clients share the pools of `dispatchers`. */
export function selectUpstream(dispatchers: Dispatchers): Upstream {
  const http1 = new UndiciUpstream(dispatchers);
  const http2 = new Http2Upstream(dispatchers);
  return {
    send: (cluster, endpoint, request, handler) => (cluster.protocol === 'HTTP/2' ? http2 : http1).send(cluster, endpoint, request, handler),
  };
}
