// The seam between the life of a request and the clients that carry it to an endpoint (undici, HTTP/2 sessions): what
// goes in, what comes back. Whoever implements `Upstream` streams both bodies and never buffers one whole.
import type { BodySource, ProxyError, RawHeaders } from '../http/exchange.ts';
import type { Cluster, Endpoint } from '../table/cluster.ts';

/** A request ready to be sent: hop-by-hop fields are gone, `Host` is not in `headers` but in `authority`. */
export interface UpstreamRequest {
  readonly method: string;
  readonly target: string;
  readonly authority: string;
  readonly headers: RawHeaders;
  readonly body?: BodySource;
  readonly timeouts: { readonly responseHeadMs: number; readonly readIdleMs: number; readonly sendIdleMs: number };
}

/** `onHead` comes at most once; exactly one of `onEnd` and `onError` comes last. A cut-off answer is always `onError`. */
export interface UpstreamHandler {
  /** 1xx other than 101. With 100 it is the handler's to tell the body to `proceed`; until then its client counts as one that waits. */
  onInformation(status: number, headers: RawHeaders): void;
  onHead(status: number, headers: RawHeaders): void;
  onData(chunk: Buffer): void;
  onEnd(trailers: RawHeaders): void;
  onError(error: ProxyError): void;
}

/** One request under way. */
export interface UpstreamCall {
  /** Stops reading the response until `resume`: backpressure from the client. */
  pause(): void;
  resume(): void;
  /** Ends it; the endpoint sees an aborted message, never a complete one. No handler method is called afterwards. */
  abort(): void;
}

/** Sends requests to endpoints. Never throws: what cannot be sent is `onError`, possibly before `send` returns. */
export interface Upstream {
  send(cluster: Cluster, endpoint: Endpoint, request: UpstreamRequest, handler: UpstreamHandler): UpstreamCall;
}
