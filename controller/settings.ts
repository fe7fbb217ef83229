// What Fairlead is told at its start: one frozen value, made from flags and environment by cli/options.ts and from nothing
// else. Whoever wants to know how a process was started reads the line "settings" of its log.
import type { LoadBalancer } from '../proxy/table/cluster.ts';
import type { ListenerTls } from '../proxy/table/listener.ts';
import type { WorkerForwarding, WorkerLimits, WorkerTimeouts } from '../proxy/table/messages.ts';

/** How manifests are read: the same for serving and for looking at them (check, table, explain). */
export interface ReadingSettings {
  /** `spec.controller` of the IngressClasses that are Fairlead's. */
  readonly controllerClass: string;
  /** The value of the annotation kubernetes.io/ingress.class that means Fairlead. */
  readonly ingressClass: string;
  /** True: Ingresses that name no class are served too. */
  readonly watchIngressWithoutClass: boolean;
  /** `namespace/name`; absent: what no Ingress routes is answered with 404. */
  readonly defaultBackendService?: string;
  /** `namespace/name` of a TLS Secret; absent: a self-signed certificate, made at the start. */
  readonly defaultSslCertificate?: string;
  /** Servers for the names of ExternalName Services; empty: the system's. */
  readonly dnsServers: readonly string[];
  /** How endpoints are chosen and reached where no annotation says more. */
  readonly clusterDefaults: { readonly loadBalancer: LoadBalancer; readonly connectTimeoutMs: number; readonly serviceUpstream: boolean };
  /** Value of Strict-Transport-Security for hosts with a certificate of their own; absent: it is not sent. */
  readonly hsts?: string;
  /** False: the annotation ssl-passthrough is not honoured. */
  readonly sslPassthrough: boolean;
}

/** How connections of clients begin. */
export interface ConnectionSettings {
  readonly tls: Omit<ListenerTls, 'defaultCertificate'>;
  /** True: OCSP responders are asked about certificates. */
  readonly ocspStapling: boolean;
  /** True: connections of `proxyProtocolFrom` begin with a PROXY protocol header. */
  readonly proxyProtocol: boolean;
  /** CIDRs; absent: all. */
  readonly proxyProtocolFrom?: readonly string[];
}

/** What is read from a cluster and written to it. */
export interface KubeSettings {
  /** A file; empty: the pod's ServiceAccount, or the usual places. */
  readonly kubeconfig: string;
  /** Namespaces that are watched; empty: all. */
  readonly namespaces: readonly string[];
  /** Labels of the namespaces whose Ingresses are served; empty: all. */
  readonly namespaceSelector: string;
  readonly endpointsApi: 'auto' | 'endpointslices' | 'endpoints';
  /** `namespace/name` of the Service whose addresses the status of Ingresses shows. */
  readonly publishService?: string;
  /** Addresses and hostnames to show instead. */
  readonly publishStatusAddresses: readonly string[];
  /** True: where nodes are shown, by their internal addresses. */
  readonly reportNodeInternalIp: boolean;
  readonly updateStatus: boolean;
  /** True: the last replica makes the status empty when it ends. */
  readonly updateStatusOnShutdown: boolean;
  /** False: every replica takes itself for the leader. */
  readonly leaderElection: boolean;
  /** Name of the Lease. */
  readonly electionId: string;
  readonly electionTtlMs: number;
}

export interface Settings extends ReadingSettings, ConnectionSettings {
  /** Folders of manifests; empty: objects come from a cluster. */
  readonly manifests: readonly string[];
  /** Present if objects come from a cluster. */
  readonly kube?: KubeSettings;
  /** Where the last good table is kept; absent: nowhere. */
  readonly stateDir?: string;
  /** True: ready while the table of an earlier run is all there is. */
  readonly readyWhenStale: boolean;
  /** Address of the HTTP and HTTPS listeners. */
  readonly bind: string;
  readonly httpPort: number;
  readonly httpsPort: number;
  /** What X-Forwarded-Port says of requests in clear text; absent: the port that they came to. */
  readonly forwardedHttpPort?: number;
  readonly adminBind: string;
  readonly adminPort: number;
  readonly workers: number;
  /** CIDRs of the peers whose X-Forwarded-* fields are believed. */
  readonly trustedProxies: readonly string[];
  /** How many proxies stand in front; absent: who is one, is told by address alone. */
  readonly trustedHops?: number;
  /** `stdout`, `off` or a file. */
  readonly accessLog: string;
  readonly logLevel: LogLevel;
  /** How long connections are still accepted after SIGTERM, while readiness says no. */
  readonly shutdownDelayMs: number;
  /** How long open requests and connections may take after that. */
  readonly drainTimeoutMs: number;
  readonly limits: WorkerLimits;
  readonly timeouts: WorkerTimeouts;
  readonly forwarding: WorkerForwarding;
  /** For all processes together; 0: the container's limit. */
  readonly memoryLimitBytes: number;
}

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** The same value, which nothing can change any more. */
export function frozen<T extends object>(value: T): Readonly<T> {
  for (const part of Object.values(value)) if (typeof part === 'object' && part !== null) frozen(part);
  return Object.freeze(value);
}
