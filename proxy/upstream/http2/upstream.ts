// The client for HTTP/2 endpoints, clear text with prior knowledge and TLS: gRPC and everything else
// that needs trailers in both directions and resets that are told from ends.
import type { Cluster, Endpoint } from '../../table/cluster.ts';
import type { Upstream, UpstreamCall, UpstreamHandler, UpstreamRequest } from '../call.ts';
import type { Dispatchers } from '../dispatchers.ts';
import { Http2Call } from './call.ts';

export class Http2Upstream implements Upstream {
  readonly #dispatchers: Dispatchers;

  constructor(dispatchers: Dispatchers) {
    this.#dispatchers = dispatchers;
  }

  send(cluster: Cluster, endpoint: Endpoint, request: UpstreamRequest, handler: UpstreamHandler): UpstreamCall {
    const call = new Http2Call(this.#dispatchers.http2Pool(cluster, endpoint), request, handler, this.#dispatchers.options.maxWaitMs ?? cluster.connectTimeoutMs);
    call.submit();
    return call;
  }
}
