// Routes: one match, its filters, one action. Names and meaning follow the Gateway API where it has a word.
import type { KeyPart } from './cluster.ts';
import type { FilterSpec } from './filter.ts';
import type { TlsVersion } from './listener.ts';
import type { Origin } from './origin.ts';

/** All that one hostname answers on some listeners. `routes` stand in matching order: the first that matches wins. */
export interface VirtualHost {
  /** Names of the listeners that serve it. */
  readonly listeners: readonly string[];
  /** Lower-case: `shop.example.com`, `*.example.com` (the star stands for exactly one label), or `*` for every other host. */
  readonly hostname: string;
  /** `Certificate.name` for TLS connections to this hostname; absent: the listener's default certificate. */
  readonly certificate?: string;
  /** Where connections to this hostname are not what the listener's settings say. */
  readonly tls?: HostTls;
  /** Present: TLS connections to this hostname are passed on as they are, unread; on listeners without TLS, `routes` serve. */
  readonly passthrough?: HostPassthrough;
  readonly routes: readonly Route[];
}

export interface HostPassthrough {
  /** Key into `Snapshot.clusters`. */
  readonly cluster: string;
  /** Who wants it so. */
  readonly origin: Origin;
}

/** TLS settings of one hostname; what is absent is as on its listener. */
export interface HostTls {
  readonly minVersion?: TlsVersion;
  readonly maxVersion?: TlsVersion;
  /** OpenSSL cipher list for TLS 1.2. */
  readonly ciphers?: string;
  readonly preferClientCiphers?: boolean;
  readonly clientCertificates?: ClientCertificates;
}

/**
 * Clients are asked for a certificate, and this is whom they are believed from. What follows for a request is decided by the filter
 * `client-certificate` of its route; a connection counts for the virtual host that it was made to, and for no other.
 */
export interface ClientCertificates {
  /** `sha256/<hex>` of all that is below: connections and sessions of one policy are never used under another. */
  readonly name: string;
  /** PEM certificates of the authorities. */
  readonly caPem: string;
  /** PEM revocation lists, one for each authority that a chain may hold. */
  readonly crlPem?: string;
  /** Intermediate authorities between the client's certificate and one that is trusted of itself, at most. */
  readonly depth: number;
}

/** One match, the filters of the matched request in order, and exactly one action. */
export interface Route {
  /** Unique in its virtual host, readable: `shop/web/rules[0].paths[1]`. */
  readonly name: string;
  readonly match: RouteMatch;
  readonly filters: readonly FilterSpec[];
  readonly action: Action;
  readonly origin: Origin;
}

/** Every condition must hold. Empty lists hold always. */
export interface RouteMatch {
  readonly path: PathMatch;
  /** Upper-case method name; absent: any. */
  readonly method?: string;
  /** Header names are lower-case. */
  readonly headers: readonly ValueMatch[];
  readonly queryParams: readonly ValueMatch[];
  readonly cookies: readonly ValueMatch[];
}

/**
 * `PathPrefix` compares path elements (Ingress *Prefix*: `/a` matches `/a` and `/a/b`, not `/ab`; a trailing slash of the value is ignored);
 * `StringPrefix` compares characters; `RegularExpression` is RE2 syntax, anchored at the start.
 * The path that is compared is the canonical one of proxy/http/target.ts.
 */
export interface PathMatch {
  readonly type: 'Exact' | 'PathPrefix' | 'StringPrefix' | 'RegularExpression';
  readonly value: string;
  readonly ignoreCase?: true;
}

/** One named value. `Exact` compares the whole value; `RegularExpression` is RE2 syntax, unanchored; `Present` ignores `value`. */
export interface ValueMatch {
  readonly name: string;
  readonly type: 'Exact' | 'RegularExpression' | 'Present';
  readonly value: string;
}

export type Action = Forward | Redirect | Respond;

/** Send the request to one endpoint of one of the clusters, chosen by weight. */
export interface Forward {
  readonly type: 'Forward';
  readonly clusters: readonly WeightedCluster[];
  /** In place of `clusters` for requests on connections over TLS, whatever a proxy in front says of the client. */
  readonly encryptedClusters?: readonly WeightedCluster[];
  readonly timeouts?: Timeouts;
  /** What is absent in it is the worker's default. */
  readonly retry?: Partial<RetryPolicy>;
  /** Largest request body in bytes; absent: the server's own limit. 0: no limit. */
  readonly maxBodyBytes?: number;
  /** True: request bodies that are small are sent on when they are complete, and can then be sent again. Absent: the worker's default. */
  readonly requestBuffering?: boolean;
  /** The Host that endpoints get; absent, or if what comes out is none: the one that the client asked for. */
  readonly upstreamHost?: readonly KeyPart[];
  /** Present: requests of this route may begin a session (`Cluster.affinity`); the Path of its cookie. */
  readonly sessionPath?: string;
}

/** What of a Forward holds where its requests are sent, whether the route says it or the worker. */
export interface ForwardSettings extends Required<Pick<Forward, 'maxBodyBytes' | 'requestBuffering'>> {
  readonly timeouts: Required<Timeouts>;
  readonly retry: RetryPolicy;
}

export interface WeightedCluster {
  /** Key into `Snapshot.clusters`. */
  readonly cluster: string;
  /** Relative share, a whole number; 0 takes none. */
  readonly weight: number;
}

/** Milliseconds; absent: the worker's default. */
export interface Timeouts {
  /** From the request's last byte to the response head. */
  readonly responseHeadMs?: number;
  /** Longest gap between two reads of the response body, and the idle time of an upgraded connection. */
  readonly readIdleMs?: number;
  /** Longest gap between two writes of the request body. */
  readonly sendIdleMs?: number;
  /** The whole request, from its head to the last byte of the response. */
  readonly requestMs?: number;
}

/** When another endpoint may be tried. `attempts` counts the first one too; 1: no retry, 0: as many as there are endpoints. */
export interface RetryPolicy {
  readonly attempts: number;
  /** No try begins later than this after the first one, in milliseconds; 0: no limit. */
  readonly totalMs: number | AtLeast;
  /** Which failures count: `error`, `timeout`, `invalid-response` or a status such as `503`. */
  readonly on: readonly string[];
  /** True: also methods that are not idempotent once bytes have been sent. */
  readonly nonIdempotent: boolean;
}

/** Twice the connect timeout of the cluster, and no less than this: an endpoint that cannot be connected to is always followed by another. */
export interface AtLeast {
  readonly atLeastMs: number;
}

/** Answer with a redirect. Absent parts are taken from the request. */
export interface Redirect {
  readonly type: 'Redirect';
  readonly status: 300 | 301 | 302 | 303 | 307 | 308;
  readonly scheme?: string;
  readonly hostname?: string;
  readonly port?: number;
  readonly path?: string;
  /** In place of all parts: the whole Location, as it is. */
  readonly location?: string;
}

/** Answer without an endpoint. `reason` is the stable word in access log and metrics. */
export interface Respond {
  readonly type: 'Respond';
  readonly status: number;
  readonly body: string;
  readonly reason: string;
}
