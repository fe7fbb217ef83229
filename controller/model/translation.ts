// What a dialect makes of one object: intents, not yet settled against other objects, not yet resolved to endpoints.
// A Translation depends on its object (and the flags) alone, so it can be remembered for as long as the object stands.
import type { Cluster, CookieAffinity, LoadBalancer, UpstreamTls } from '../../proxy/table/cluster.ts';
import type { FilterSpec } from '../../proxy/table/filter.ts';
import type { TlsVersion } from '../../proxy/table/listener.ts';
import type { Origin } from '../../proxy/table/origin.ts';
import type { Forward, Redirect, Respond, RouteMatch } from '../../proxy/table/route.ts';
import type { Problem } from './problem.ts';

export interface Translation {
  /** The object. */
  readonly origin: Origin;
  /** When it was created, in milliseconds since the epoch; Infinity if it does not say. See `byAge`. */
  readonly createdAt: number;
  /** At most one per hostname. */
  readonly hosts: readonly HostIntent[];
  /** Certificates for its hostnames; empty: it asks for no TLS. */
  readonly tls: readonly TlsIntent[];
  /** What it wants of TLS connections to its hostnames; absent: nothing. */
  readonly connection?: ConnectionIntent;
  readonly problems: readonly Problem[];
}

/** Settings of TLS connections to the hostnames of one object, or to one hostname when all are settled (connections.ts). */
export interface ConnectionIntent {
  readonly protocols?: Said<{ readonly minVersion: TlsVersion; readonly maxVersion: TlsVersion }>;
  /** OpenSSL cipher list for TLS 1.2. */
  readonly ciphers?: Said<string>;
  readonly preferServerCiphers?: Said<boolean>;
  readonly clientCertificates?: Said<ClientCertificatesIntent>;
  /** True: TLS is passed on to the endpoints as it is. */
  readonly passthrough?: Said<boolean>;
}

/** A value, and where it was written. */
export interface Said<T> {
  readonly value: T;
  readonly origin: Origin;
}

/** `wrong`: what of it cannot be honoured, at least one; then the host is closed. */
export type ClientCertificatesIntent =
  | { readonly wrong: readonly Wrong[] }
  | {
      /** `namespace/name` of the Secret with the authorities. */
      readonly secret: string;
      readonly verify: 'on' | 'optional' | 'report' | 'off';
      readonly depth: number;
      /** RE2 syntax. */
      readonly subject?: string;
      readonly errorPage?: string;
      readonly passCertificate?: true;
    };

/** A sentence, and what it is about. */
export interface Wrong {
  readonly message: string;
  readonly origin: Origin;
}

/** How TLS to endpoints is done, where TLS is spoken. */
export interface EncryptionIntent {
  /** `namespace/name` of the Secret with authorities and client certificate. */
  readonly secret: string;
  readonly settings: Pick<UpstreamTls, 'serverName' | 'sendServerName' | 'verify' | 'depth' | 'minVersion' | 'maxVersion' | 'ciphers'>;
  readonly origin: Origin;
}

/** What one object wants of one hostname. */
export interface HostIntent {
  /** Canonical: lower-case; `*` for requests to hostnames that nobody names. */
  readonly hostname: string;
  readonly routes: readonly RouteIntent[];
  /** The route for what nothing else on this hostname matches. */
  readonly fallback: RouteIntent;
  /** True: `fallback` is the object's own; false: it stands for the controller's default backend, with this object's filters. */
  readonly ownFallback: boolean;
  /** It means the paths of this hostname, those of other objects among them, as regular expressions. That is not supported, but what is closed has to be closed for all that they match. */
  readonly meansPatterns?: true;
  /** What its closed routes, and its paths that no text can stand for, are as regular expressions: they stand where some object means paths as such. */
  readonly closedPatterns?: readonly ClosedPattern[];
  /** Where it says what may keep somebody out of all of the hostname and cannot be honoured: then the routes of other objects are closed as well. */
  readonly closed?: Origin;
  /** No rule of it names the hostname: it counts only where no other object's does either. */
  readonly alias?: true;
}

export interface ClosedPattern {
  readonly route: RouteIntent;
  /** Told where the pattern stands; absent: the whole object is closed, which has been told. */
  readonly problem?: Problem;
}

/** A Route whose backends are still Services, and some of whose filters depend on the hostname's having TLS. */
export interface RouteIntent {
  readonly name: string;
  readonly match: RouteMatch;
  /** The path as it was written, such as `/docs/` where `/docs` is matched; absent: nobody wrote one. */
  readonly writtenPath?: string;
  readonly filters: readonly FilterSpec[];
  /** Added where some object gives the hostname a `tls` section. */
  readonly tlsFilters: readonly FilterSpec[];
  readonly action: ActionIntent;
  readonly origin: Origin;
}

export type ActionIntent = ForwardIntent | DefaultBackendIntent | Redirect | Respond;

export interface ForwardIntent {
  readonly type: 'Forward';
  readonly backends: readonly BackendRef[];
  /** In place of `backends` for requests on connections over TLS. */
  readonly encryptedBackends?: readonly BackendRef[];
  /** All of a Forward but its clusters. */
  readonly settings: Omit<Forward, 'type' | 'clusters' | 'encryptedClusters'>;
}

/** The controller's default backend: --default-backend-service, or 404 where there is none. */
export interface DefaultBackendIntent {
  readonly type: 'DefaultBackend';
}

/** A Service's port, as a user named it. */
export interface BackendRef {
  readonly namespace: string;
  readonly service: string;
  /** Number or name; undefined: the first one. */
  readonly port: number | string | undefined;
  readonly weight: number;
  /** How to talk to it, where the route says so; the rest is the Service's own (`appProtocol`) or the default. */
  readonly profile?: ConnectionProfile;
  /** How its requests are shared out, where the object says so. Not the route's alone: see upstreams.ts. */
  readonly upstream?: UpstreamSettings;
  readonly origin: Origin;
}

/** Two routes may talk to one Service in different ways: each way is a cluster of its own. */
export interface ConnectionProfile {
  /** In place of what the Service's `appProtocol` says; without `tls` it is clear text. */
  readonly transport?: Pick<Cluster, 'protocol' | 'tls'>;
  /** In place of the TLS settings of the transport, where it has any. */
  readonly encryption?: EncryptionIntent;
  /** `encryption` when its Secret has been read. */
  readonly tls?: UpstreamTls;
  readonly connectTimeoutMs?: number;
}

/** What belongs to Service and port, whichever route leads there. */
export interface UpstreamSettings {
  /** For requests without a session. */
  readonly loadBalancer?: LoadBalancer;
  readonly affinity?: CookieAffinity;
  /** True: its one endpoint is the Service's own address. */
  readonly serviceUpstream?: boolean;
}

/** One entry of a `tls` section. */
export interface TlsIntent {
  /** Canonical hostnames. */
  readonly hosts: readonly string[];
  /** `namespace/name`; undefined: the default certificate is wanted. */
  readonly secret: string | undefined;
  readonly origin: Origin;
}

/**
 * The order in which objects win conflicts: oldest first, then by namespace and name. An object without (or with an unreadable) creationTimestamp counts
 * as the youngest: it has not been created yet as far as anyone can tell, and a draft must not take routes from what is in service.
 */
export function byAge(a: Translation, b: Translation): number {
  if (a.createdAt !== b.createdAt) return a.createdAt < b.createdAt ? -1 : 1;
  return compareText(a.origin.namespace, b.origin.namespace) || compareText(a.origin.name, b.origin.name) || compareText(a.origin.kind, b.origin.kind);
}

/** By UTF-16 code units, the same on every machine. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
