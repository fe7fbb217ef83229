// Sends one request through an `Upstream` and records all that its handler is told, in order.
import type { BodySource, ProxyError, RawHeaders } from '../../proxy/http/exchange.ts';
import type { Cluster, Endpoint, UpstreamTls } from '../../proxy/table/cluster.ts';
import type { Upstream, UpstreamCall, UpstreamRequest } from '../../proxy/upstream/call.ts';

export interface Recorded {
  readonly call: UpstreamCall;
  /** Names of the events: `information`, `head`, `data`, `end`, `error`. */
  readonly events: string[];
  readonly information: { status: number; headers: RawHeaders }[];
  status: number;
  headers: RawHeaders;
  body: Buffer;
  trailers: RawHeaders;
  error: ProxyError | undefined;
  /** Resolves after `onEnd` or `onError`. */
  readonly over: Promise<Recorded>;
  readonly head: Promise<Recorded>;
}

export function testCluster(options: { tls?: UpstreamTls; connectTimeoutMs?: number; name?: string; protocol?: Cluster['protocol'] } = {}): Cluster {
  return {
    name: options.name ?? 'shop/web:80',
    protocol: options.protocol ?? 'HTTP/1.1',
    tls: options.tls,
    loadBalancer: { type: 'RoundRobin' },
    connectTimeoutMs: options.connectTimeoutMs ?? 2_000,
    origin: { kind: 'Service', namespace: 'shop', name: 'web' },
  };
}

export interface RequestOptions {
  readonly method?: string;
  readonly target?: string;
  readonly authority?: string;
  readonly headers?: RawHeaders;
  readonly body?: BodySource;
  readonly timeouts?: Partial<UpstreamRequest['timeouts']>;
  /** Called with every chunk, inside `onData`. */
  readonly onData?: (chunk: Buffer, recorded: Recorded) => void;
}

export function send(upstream: Upstream, cluster: Cluster, endpoint: Endpoint, options: RequestOptions = {}): Recorded {
  const over = Promise.withResolvers<Recorded>();
  const head = Promise.withResolvers<Recorded>();
  const chunks: Buffer[] = [];
  const recorded: { -readonly [K in keyof Recorded]: Recorded[K] } = {
    call: undefined as unknown as UpstreamCall,
    events: [],
    information: [],
    status: 0,
    headers: [],
    get body() {
      return Buffer.concat(chunks);
    },
    trailers: [],
    error: undefined,
    over: over.promise,
    head: head.promise,
  };
  const request: UpstreamRequest = {
    method: options.method ?? 'GET',
    target: options.target ?? '/',
    authority: options.authority ?? 'shop.example.com',
    headers: options.headers ?? [],
    body: options.body,
    timeouts: { responseHeadMs: 5_000, readIdleMs: 5_000, sendIdleMs: 5_000, ...options.timeouts },
  };
  recorded.call = upstream.send(cluster, endpoint, request, {
    onInformation(status, headers) {
      recorded.events.push('information');
      recorded.information.push({ status, headers });
    },
    onHead(status, headers) {
      recorded.events.push('head');
      recorded.status = status;
      recorded.headers = headers;
      head.resolve(recorded);
    },
    onData(chunk) {
      if (recorded.events.at(-1) !== 'data') recorded.events.push('data');
      if (options.onData === undefined) chunks.push(chunk);
      else options.onData(chunk, recorded);
    },
    onEnd(trailers) {
      recorded.events.push('end');
      recorded.trailers = trailers;
      over.resolve(recorded);
    },
    onError(error) {
      recorded.events.push('error');
      recorded.error = error;
      over.resolve(recorded);
    },
  });
  return recorded;
}

/** Waits until `condition` holds; fails after five seconds. */
export async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 5_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`never true: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
