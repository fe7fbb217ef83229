// A Cluster: a named set of endpoints with one connection profile (Envoy's sense of the word; the Kubernetes one is
// always called kube). Its endpoints are a section of their own, so that a pod's coming and going is a tiny delta.
import type { TlsVersion } from './listener.ts';
import type { Origin } from './origin.ts';

export interface Cluster {
  /** `namespace/service:port`. */
  readonly name: string;
  readonly protocol: 'HTTP/1.1' | 'HTTP/2';
  /** Absent: clear text. */
  readonly tls?: UpstreamTls;
  readonly loadBalancer: LoadBalancer;
  readonly connectTimeoutMs: number;
  /** Sessions stay with their endpoint; `loadBalancer` decides about new ones. Absent: there are no sessions. */
  readonly affinity?: CookieAffinity;
  readonly origin: Origin;
}

export interface UpstreamTls {
  /** Name for SNI, and for verification when `verify`; absent: no SNI. */
  readonly serverName?: string;
  /** False: `serverName` is for verification alone. */
  readonly sendServerName?: boolean;
  readonly verify: boolean;
  /** PEM trust anchors; absent: the system's. */
  readonly caPem?: string;
  /** PEM revocation lists, one for each authority that a chain may hold; absent: revocation is not looked at. */
  readonly crlPem?: string;
  /** Intermediate authorities between the endpoint's certificate and a trust anchor, at most; absent: any number. */
  readonly depth?: number;
  readonly minVersion?: TlsVersion;
  readonly maxVersion?: TlsVersion;
  /** OpenSSL cipher list for TLS 1.2; absent: Node's. */
  readonly ciphers?: string;
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
  /** The values of the parts, joined in order, are the key. With `Cluster.affinity` the key is the session's, and this is empty. */
  readonly key: readonly KeyPart[];
  /** The key goes to any of this many endpoints, which are the same for the same key. Absent: to one. */
  readonly subsetSize?: number;
}

/** One part of a text that is made for each request; what the request does not have is the empty string. Header names are lower-case. */
export type KeyPart =
  | { readonly type: 'Literal'; readonly value: string }
  | { readonly type: 'Header' | 'Cookie' | 'QueryParam'; readonly name: string }
  /**
   * `Host` is the hostname, lower-case and without port, `Authority` what the client wrote; `RequestTarget` is path and query as sent on,
   * `Path` the canonical path, `Query` what follows its `?` (`QueryMark`: the `?` itself, if something follows), `EscapedTarget` the
   * target with every octet but unreserved ones percent-encoded. `Port` is the one that the client connected to.
   */
  | { readonly type: 'ClientAddress' | 'Host' | 'Authority' | 'Path' | 'Query' | 'QueryMark' | 'RequestTarget' | 'EscapedTarget' | 'Method' | 'Port' | 'RequestId' }
  /** `Scheme` is the one that the client used: the forwarded one where trusted. `ConnectionScheme` is that of the connection to this proxy, whatever is forwarded. */
  | { readonly type: 'Scheme' | 'ConnectionScheme' }
  /** Who the client says it is: the user of Basic authentication (RFC 7617), the subject of its certificate (RFC 2253). Neither is checked here. */
  | { readonly type: 'BasicUser' | 'CertificateSubject' }
  /** What the request met: the hostname of its virtual host, the path and the origin's name of its route, the name of this machine. */
  | { readonly type: 'VirtualHost' | 'RoutePath' | 'RouteOwner' | 'ProxyHostname' };

/**
 * Session affinity by a cookie, with the values of ingress-nginx's (proxy/balance/affinity.ts). `Persistent`: the cookie names the endpoint,
 * and a session moves only when that one is gone. `Balanced`: it holds a random key for the load balancer, which is a consistent hash then.
 */
export interface CookieAffinity {
  readonly mode: 'Balanced' | 'Persistent';
  /** Distinguishes the sessions of one upstream from those of another: `namespace-service-port`, the port as written. */
  readonly upstream: string;
  /**
   * True: a request that failed at its session's endpoint is tried at another one, and the session moves there. False: it is tried there again, and where
   * another one has to answer nevertheless, the session stays.
   */
  readonly changeOnFailure: boolean;
  readonly cookie: SessionCookie;
}

/** Attributes of RFC 6265 §5.2; HttpOnly is always set. */
export interface SessionCookie {
  readonly name: string;
  /** Absent: `Forward.sessionPath`. */
  readonly path?: string;
  readonly domain?: string;
  /** Seconds from now, for `Expires`. */
  readonly expiresSeconds?: number;
  /** For `Max-Age`. */
  readonly maxAgeSeconds?: number;
  readonly sameSite?: 'None' | 'Lax' | 'Strict';
  /** True: browsers that take `SameSite=None` for `Strict` get no SameSite. */
  readonly omitNoneWhereMisread?: true;
  /** True: always `Secure`; absent: on requests over https. */
  readonly secure?: true;
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
