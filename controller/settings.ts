// What Fairlead is told at its start: one frozen value, made from flags and environment by cli/options.ts and from nothing
// else. Whoever wants to know how a process was started reads the line "settings" of its log.
import type { WorkerLimits, WorkerTimeouts } from '../proxy/table/messages.ts';

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
}

export interface Settings extends ReadingSettings {
  /** Folders of manifests. */
  readonly manifests: readonly string[];
  /** Address of the HTTP and HTTPS listeners. */
  readonly bind: string;
  readonly httpPort: number;
  readonly httpsPort: number;
  readonly adminBind: string;
  readonly adminPort: number;
  readonly workers: number;
  /** CIDRs of the peers whose X-Forwarded-* fields are believed. */
  readonly trustedProxies: readonly string[];
  /** `stdout`, `off` or a file. */
  readonly accessLog: string;
  readonly logLevel: LogLevel;
  /** How long connections are still accepted after SIGTERM, while readiness says no. */
  readonly shutdownDelayMs: number;
  /** How long open requests and connections may take after that. */
  readonly drainTimeoutMs: number;
  readonly limits: WorkerLimits;
  readonly timeouts: WorkerTimeouts;
}

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** The same value, which nothing can change any more. */
export function frozen<T extends object>(value: T): Readonly<T> {
  for (const part of Object.values(value)) if (typeof part === 'object' && part !== null) frozen(part);
  return Object.freeze(value);
}
