// The two ways in which HTTP/1.1 endpoints are reached. They are served by different clients behind the same seam, so what
// holds for one is tested on both.
import type { Cluster } from '../../proxy/table/cluster.ts';
import { testCluster } from './endpoint-call.ts';
import type { RawEndpointOptions } from './endpoint-raw.ts';
import { testCa } from './endpoint-tls.ts';

export interface Transport {
  readonly name: string;
  readonly cluster: Cluster;
  readonly endpoint: Pick<RawEndpointOptions, 'tls'>;
}

const ca = testCa();

export const TRANSPORTS: readonly Transport[] = [
  { name: 'clear text', cluster: testCluster(), endpoint: {} },
  {
    name: 'TLS',
    cluster: testCluster({ tls: { serverName: 'web.shop.svc', verify: true, caPem: ca.certPem } }),
    endpoint: { tls: ca.issue(['web.shop.svc']) },
  },
];
