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

export interface LoadBalancer {
  readonly type: 'RoundRobin';
}

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
