// A raw HTTP/2 endpoint and the upstream clients before it, over clear text or TLS; both are stopped with the test.
import type { ExecutionContext } from 'ava';
import { Dispatchers } from '../../proxy/upstream/dispatchers.ts';
import type { DispatcherOptions } from '../../proxy/upstream/dispatchers.ts';
import type { Upstream } from '../../proxy/upstream/call.ts';
import { selectUpstream } from '../../proxy/upstream/select.ts';
import type { Cluster } from '../../proxy/table/cluster.ts';
import { testCluster } from './endpoint-call.ts';
import { testCa } from './endpoint-tls.ts';
import { rawHttp2Endpoint } from './http2-raw-endpoint.ts';
import type { RawHttp2Endpoint, RawHttp2Options, RawScript } from './http2-raw-endpoint.ts';

export interface Http2Transport {
  readonly name: string;
  readonly cluster: Cluster;
  readonly endpoint: Pick<RawHttp2Options, 'tls'>;
}

const ca = testCa();

export const HTTP2_TRANSPORTS: readonly Http2Transport[] = [
  { name: 'h2c', cluster: testCluster({ protocol: 'HTTP/2' }), endpoint: {} },
  {
    name: 'h2',
    cluster: testCluster({ protocol: 'HTTP/2', tls: { serverName: 'web.shop.svc', verify: true, caPem: ca.certPem } }),
    endpoint: { tls: ca.issue(['web.shop.svc']) },
  },
];

export interface Http2Setup {
  readonly raw: RawHttp2Endpoint;
  readonly upstream: Upstream;
  readonly dispatchers: Dispatchers;
}

export async function http2To(
  t: ExecutionContext,
  transport: Http2Transport,
  script: RawScript,
  endpoint: RawHttp2Options = {},
  options: Partial<DispatcherOptions> = {},
): Promise<Http2Setup> {
  const raw = await rawHttp2Endpoint(script, { ...transport.endpoint, ...endpoint });
  const dispatchers = new Dispatchers(options);
  t.teardown(async () => {
    await dispatchers.destroy();
    await raw.close();
  });
  return { raw, dispatchers, upstream: selectUpstream(dispatchers) };
}
