// A Cluster: a named set of endpoints with one connection profile (Envoy's sense of the word; the Kubernetes one is
// always called kube). Its endpoints are a section of their own, so that a pod's coming and going is a tiny delta.
import type { Origin } from './origin.ts';

export interface Cluster {
  /** `namespace/service:port`. */
  readonly name: string;
  readonly protocol: 'HTTP/1.1' | 'HTTP/2';
  /** Absent: clear text. */
  readonly tls?: UpstreamTls;
  readonly loadBalancer: LoadBalancer;
  readonly connectTimeoutMs: number;
  readonly origin: Origin;
}

export interface UpstreamTls {
  /** Name for SNI, and for verification when `verify`; absent: no SNI. */
  readonly serverName?: string;
  readonly verify: boolean;
  /** PEM trust anchors; absent: the system's. */
  readonly caPem?: string;
  /** `Certificate.name` of the client certificate to present. */
  readonly clientCertificate?: string;
}

/** How one endpoint of the cluster is chosen for a request. */
export type LoadBalancer = RoundRobin | LeastRequest | PeakEwma | ConsistentHash;

/** One after the other. */
export interface RoundRobin {
  readonly type: 'RoundRobin';
}

/** Of two random endpoints the one with fewer requests under way. */
export interface LeastRequest {
  readonly type: 'LeastRequest';
}

/** Of two random endpoints the one with the lower cost: decayed peak latency (10 s) times requests under way. */
export interface PeakEwma {
  readonly type: 'PeakEwma';
}

/** The same key goes to the same endpoint, on every worker and replica. A request whose key is empty goes to a random one. */
export interface ConsistentHash {
  readonly type: 'ConsistentHash';
  /** The values of the parts, joined in order, are the key. */
  readonly key: readonly KeyPart[];
}

/** One part of a hash key; what the request does not have is the empty string. Header names are lower-case. */
export type KeyPart =
  | { readonly type: 'Literal'; readonly value: string }
  | { readonly type: 'Header' | 'Cookie' | 'QueryParam'; readonly name: string }
  /** `RequestTarget` is path and query as sent on; `Path` is the canonical path. */
  | { readonly type: 'ClientAddress' | 'Host' | 'Path' | 'RequestTarget' };

/** One pod address and port, with the three conditions of an EndpointSlice. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
  readonly zone?: string;
  /** Takes new requests. */
  readonly ready: boolean;
  /** Still answers, though perhaps terminating. */
  readonly serving: boolean;
  /** Is being deleted: takes new requests only while no ready endpoint exists. */
  readonly terminating: boolean;
}
