// The flags of `run`, each with its environment variable, its default and one line of help, grouped as the help page shows
// them. The commands that only look at manifests take the same ones, so that the arguments of a Deployment can be given to them as
// they are. Nothing else in the project knows a flag's name.
import { Command } from 'commander';
import type { Option } from 'commander';
import { Failure } from './failure.ts';
import { KUBE, kubeOptions, kubeSettings } from './kube-options.ts';
import type { KubeValues } from './kube-options.ts';
import { flag } from './flag.ts';
import { clusterDefaults, clusterOptions, forwardingOptions, forwardingSettings } from './forwarding-options.ts';
import type { ClusterValues, ForwardingValues } from './forwarding-options.ts';
import { connectionSettings, tlsOptions, tlsReadingOptions, tlsReadingSettings } from './tls-options.ts';
import type { TlsReadingValues, TlsValues } from './tls-options.ts';
import { LOG_LEVELS, frozen } from '../settings.ts';
import type { LogLevel, ReadingSettings, Settings } from '../settings.ts';
import {
  defaultAddress, listOf, readAddress, readBoolean, readCidr, readCount, readCountOrNone, readDnsServer, readDuration, readHeadSize, readHops, readMemory, readName, readObjectName,
  readPath, readPort, readSize, readTimeout, readWorkers,
} from './values.ts';

/** Values of the flags as commander gives them; `undefined` where a flag has no default and was not given. */
export interface ReadingValues extends ClusterValues, TlsReadingValues {
  readonly controllerClass: string;
  readonly ingressClass: string;
  readonly watchIngressWithoutClass?: boolean;
  readonly defaultBackendService?: string;
  readonly defaultSslCertificate?: string;
  readonly dnsServers?: readonly string[];
}

export interface RunValues extends ReadingValues, KubeValues, ForwardingValues, TlsValues {
  readonly manifests?: readonly string[];
  readonly stateDir?: string;
  readonly readyWhenStale: boolean;
  readonly bind: string;
  readonly httpPort: number;
  readonly httpsPort: number;
  readonly forwardedHttpPort: number;
  readonly adminBind?: string;
  readonly adminPort: number;
  readonly workers: number;
  readonly trustedProxies?: readonly string[];
  readonly trustedHops: number;
  readonly accessLog: string;
  readonly logLevel: LogLevel;
  readonly shutdownDelay: number;
  readonly drainTimeout: number;
  readonly maxHeaderSize: number;
  readonly maxBodySize: number;
  readonly clientHeaderTimeout: number;
  readonly clientBodyTimeout: number;
  readonly keepAliveTimeout: number;
  readonly keepAliveRequests: number;
  readonly http2MaxStreams: number;
  readonly proxyResponseTimeout: number;
  readonly proxyReadTimeout: number;
  readonly proxySendTimeout: number;
  readonly proxyRequestTimeout: number;
  readonly passthroughIdleTimeout: number;
  readonly connectionsPerAddress: number;
  readonly memoryLimit: number;
}

const READING = 'What is served';
const LISTENING = 'Where it listens';
const LIMITS = 'Limits and timeouts';
const RUNNING = 'How it runs';

/** Without effect where nothing is served. So are all in the groups of how it runs and of a cluster. */
const IDLE: ReadonlySet<string> = new Set([
  'manifests', 'admin-port', 'admin-bind', 'client-header-timeout', 'client-body-timeout', 'keep-alive-timeout', 'keep-alive-requests', 'http2-max-streams',
  'passthrough-idle-timeout', 'connections-per-address', 'memory-limit', 'endpoint-requests', 'waiting-requests', 'ocsp-stapling',
]);
const IDLE_GROUPS: ReadonlySet<string | undefined> = new Set([KUBE, RUNNING].map((group) => `${group}:`));

/** Those of the commands that only look: the help page shows what changes the table or an answer. */
export function lookingOptions(): readonly Option[] {
  return runOptions().map((option) => {
    // What is printed is to depend on the files and flags alone, not on what this machine has.
    if (option.name() === 'bind') option.default('::');
    return option.hideHelp(IDLE.has(option.name()) || IDLE_GROUPS.has(option.helpGroupHeading));
  });
}

/** What `run` reads from manifests, or would with them from a cluster. */
function readingOptions(): readonly Option[] {
  return [
    flag(READING, '--ingress-class <name>', 'value of the annotation kubernetes.io/ingress.class that means Fairlead', readName, 'fairlead'),
    flag(READING, '--controller-class <name>', 'spec.controller of the IngressClasses that are Fairlead\'s', readName, 'fairlead.dev/ingress-controller'),
    flag(READING, '--watch-ingress-without-class [true|false]', 'serve Ingresses that name no class (default: true for a folder, false for a cluster)', readBoolean).preset('true'),
    flag(READING, '--default-backend-service <namespace/name>', 'Service for requests that no Ingress routes (default: answer 404)', readObjectName),
    flag(READING, '--default-ssl-certificate <namespace/name>', 'TLS Secret for hosts without a certificate (default: a self-signed one)', readObjectName),
    flag(READING, '--dns-servers <addresses>', 'DNS servers for ExternalName Services (default: the system\'s)', listOf(readDnsServer)),
    ...tlsReadingOptions(),
    ...clusterOptions(),
  ];
}

/** Flags of `run`. */
export function runOptions(): readonly Option[] {
  return [
    flag(READING, '--manifests <dir>', 'folder of Kubernetes YAML, read and watched with its subfolders; may be repeated (default: the objects of a cluster)', listOf(readPath)),
    ...readingOptions(),
    ...kubeOptions(),
    flag(LISTENING, '--http-port <port>', 'port for HTTP; 0: any free port', readPort, 8080),
    flag(LISTENING, '--https-port <port>', 'port for HTTPS (HTTP/1.1 and HTTP/2)', readPort, 8443),
    flag(LISTENING, '--forwarded-http-port <port>', 'what X-Forwarded-Port says of plain HTTP; 0: the port that it came to', readPort, 0),
    flag(LISTENING, '--admin-port <port>', 'port for health, metrics, table and problems', readPort, 10254),
    flag(LISTENING, '--bind <address>', 'address to listen on; :: means all, 0.0.0.0 all of IPv4', readAddress, defaultAddress()),
    flag(LISTENING, '--admin-bind <address>', 'address of the admin port (default: as --bind)', readAddress),
    flag(LISTENING, '--trusted-proxies <cidrs>', 'peers whose X-Forwarded-* fields are believed (default: nobody\'s are)', listOf(readCidr)),
    flag(LISTENING, '--trusted-hops <count>', 'proxies that every request comes through; with --trusted-proxies the peer must be one of those too; 0: not counted', readHops, 0),
    ...tlsOptions(),
    flag(LIMITS, '--max-header-size <size>', 'longest request head', readHeadSize, 32 * 1024, '32k'),
    flag(LIMITS, '--max-body-size <size>', 'largest request body, where no annotation says it; 0: no limit', readSize, 1024 ** 2, '1m'),
    flag(LIMITS, '--client-header-timeout <time>', 'for a request head to be complete', readTimeout, 10_000, '10s'),
    flag(LIMITS, '--client-body-timeout <time>', 'longest silence inside a request body', readTimeout, 60_000, '60s'),
    flag(LIMITS, '--keep-alive-timeout <time>', 'how long an idle client connection is kept', readTimeout, 75_000, '75s'),
    flag(LIMITS, '--keep-alive-requests <count>', 'requests on one client connection', readCount, 10_000),
    flag(LIMITS, '--http2-max-streams <count>', 'concurrent streams on one HTTP/2 connection', readCount, 128),
    flag(LIMITS, '--proxy-response-timeout <time>', 'for an endpoint to begin its answer', readTimeout, 60_000, '60s'),
    flag(LIMITS, '--proxy-read-timeout <time>', 'longest silence inside an answer or an upgraded connection', readTimeout, 60_000, '60s'),
    flag(LIMITS, '--proxy-send-timeout <time>', 'longest time that an endpoint takes no byte of a request body', readTimeout, 60_000, '60s'),
    flag(LIMITS, '--proxy-request-timeout <time>', 'for a request as a whole; 0: no limit', readDuration, 0, '0'),
    flag(LIMITS, '--passthrough-idle-timeout <time>', 'longest silence on a TLS connection that is passed through; 0: no limit', readDuration, 600_000, '10m'),
    flag(LIMITS, '--connections-per-address <count>', 'connections of one client address at a worker; 0: no limit', readCountOrNone, 0),
    flag(LIMITS, '--memory-limit <size>', 'memory of all processes together, near which new requests are refused; 0: that of the container', readMemory, 0),
    ...forwardingOptions(),
    flag(RUNNING, '--workers <count>', 'worker processes; auto: one per processor', readWorkers, readWorkers('auto'), 'auto'),
    flag(RUNNING, '--access-log <target>', 'stdout, off, or a file', readPath, 'stdout'),
    flag(RUNNING, '--log-level <level>', `what goes to standard error: ${LOG_LEVELS.join(', ')}`, String, 'info').choices(LOG_LEVELS),
    flag(RUNNING, '--state-dir <dir>', 'folder for the last good table, which is served until objects can be read', readPath),
    flag(RUNNING, '--ready-when-stale [true|false]', 'be ready while the table of an earlier run is served', readBoolean, true).preset('true'),
    flag(RUNNING, '--shutdown-delay <time>', 'after SIGTERM: keep accepting for this long, with readiness off', readDuration, 0, '0s'),
    flag(RUNNING, '--drain-timeout <time>', 'after that: how long open requests may take to finish', readDuration, 30_000, '30s'),
  ];
}

function readingSettings(values: ReadingValues): ReadingSettings {
  return frozen({
    controllerClass: values.controllerClass,
    ingressClass: values.ingressClass,
    watchIngressWithoutClass: values.watchIngressWithoutClass ?? true,
    ...(values.defaultBackendService === undefined ? {} : { defaultBackendService: values.defaultBackendService }),
    ...(values.defaultSslCertificate === undefined ? {} : { defaultSslCertificate: values.defaultSslCertificate }),
    dnsServers: [...(values.dnsServers ?? [])],
    clusterDefaults: clusterDefaults(values),
    ...tlsReadingSettings(values),
  });
}

/** Settings as `run` would have them, with the manifests of a folder in place of whatever it reads. Throws a Failure as `runSettings` does. */
export function lookingSettings(values: RunValues): Settings {
  return runSettings({ ...values, manifests: [], watchIngressWithoutClass: values.watchIngressWithoutClass ?? true });
}

/** Settings as `run` would have them with these arguments. */
export function settingsOf(args: readonly string[]): Settings {
  const command = new Command().exitOverride();
  for (const option of runOptions()) command.addOption(option);
  command.parse([...args], { from: 'user' });
  return runSettings(command.opts<RunValues>());
}

/** Throws a Failure if flags contradict each other. */
export function runSettings(values: RunValues): Settings {
  checkPortsDiffer(values);
  checkProxiesAreNamed(values);
  const manifests = values.manifests ?? [];
  const kube = kubeSettings(values, manifests.length > 0, values.ingressClass);
  return frozen({
    ...readingSettings({ ...values, watchIngressWithoutClass: values.watchIngressWithoutClass ?? kube === undefined }),
    manifests: [...manifests],
    ...(kube === undefined ? {} : { kube }),
    ...(values.stateDir === undefined ? {} : { stateDir: values.stateDir }),
    readyWhenStale: values.readyWhenStale,
    bind: values.bind,
    httpPort: values.httpPort,
    httpsPort: values.httpsPort,
    ...(values.forwardedHttpPort > 0 && { forwardedHttpPort: values.forwardedHttpPort }),
    adminBind: values.adminBind ?? values.bind,
    adminPort: values.adminPort,
    workers: values.workers,
    trustedProxies: [...(values.trustedProxies ?? [])],
    ...(values.trustedHops > 0 && { trustedHops: values.trustedHops }),
    accessLog: values.accessLog,
    logLevel: values.logLevel,
    shutdownDelayMs: values.shutdownDelay,
    drainTimeoutMs: values.drainTimeout,
    limits: {
      headBytes: values.maxHeaderSize,
      bodyBytes: values.maxBodySize,
      headTimeoutMs: values.clientHeaderTimeout,
      bodyTimeoutMs: values.clientBodyTimeout,
      keepAliveTimeoutMs: values.keepAliveTimeout,
      keepAliveRequests: values.keepAliveRequests,
      maxConcurrentStreams: values.http2MaxStreams,
      connectionsPerAddress: values.connectionsPerAddress,
      passthroughIdleMs: values.passthroughIdleTimeout,
    },
    timeouts: {
      responseHeadMs: values.proxyResponseTimeout,
      readIdleMs: values.proxyReadTimeout,
      sendIdleMs: values.proxySendTimeout,
      requestMs: values.proxyRequestTimeout,
    },
    ...connectionSettings(values),
    forwarding: forwardingSettings(values),
    memoryLimitBytes: values.memoryLimit,
  });
}

/** Workers share their ports with each other, so the system would not refuse two listeners on one: each connection would go to either. */
function checkPortsDiffer({ httpPort, httpsPort, adminPort }: RunValues): void {
  const flags = new Map<number, string>();
  for (const [name, port] of [['--http-port', httpPort], ['--https-port', httpsPort], ['--admin-port', adminPort]] as const) {
    const other = flags.get(port);
    if (port !== 0 && other !== undefined) throw new Failure(2, `${other} and ${name} are both ${port}: each needs a port of its own`);
    flags.set(port, name);
  }
}

/** Proxies that are only counted look like clients, and a handful of them would soon have as many connections as one client may. */
function checkProxiesAreNamed({ trustedHops, trustedProxies, connectionsPerAddress }: RunValues): void {
  if (trustedHops === 0 || connectionsPerAddress === 0 || (trustedProxies ?? []).length > 0) return;
  throw new Failure(2, '--connections-per-address with --trusted-hops needs --trusted-proxies: without their addresses the proxies in front would be limited like one client');
}
