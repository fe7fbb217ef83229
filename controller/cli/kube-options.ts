// The flags of `run` that are about a cluster: where its API is, what is read there, and what is written back.
import type { Option } from 'commander';
import { InvalidArgumentError } from 'commander';
import { isIP } from 'node:net';
import type { KubeSettings } from '../settings.ts';
import { Failure } from './failure.ts';
import { flag } from './flag.ts';
import { listOf, readBoolean, readDuration, readName, readObjectName, readPath } from './values.ts';

/** Values as commander gives them. */
export interface KubeValues {
  readonly kubeconfig?: string;
  readonly watchNamespace?: readonly string[];
  readonly watchNamespaceSelector?: string;
  readonly endpointsApi?: KubeSettings['endpointsApi'];
  readonly publishService?: string;
  readonly publishStatusAddress?: readonly string[];
  readonly reportNodeInternalIpAddress?: boolean;
  readonly updateStatus?: boolean;
  readonly updateStatusOnShutdown?: boolean;
  readonly disableLeaderElection?: boolean;
  readonly electionId?: string;
  readonly electionTtl?: number;
}

export const KUBE = 'In a cluster';
const MIN_ELECTION_MS = 3_000;

export function kubeOptions(): readonly Option[] {
  return [
    flag(KUBE, '--kubeconfig <file>', 'how to reach the API (default: the pod\'s ServiceAccount, else $KUBECONFIG, else ~/.kube/config)', readPath),
    flag(KUBE, '--watch-namespace <names>', 'read objects of these namespaces alone (default: all)', listOf(readNamespace)),
    flag(KUBE, '--watch-namespace-selector <labels>', 'serve the Ingresses of namespaces with these labels alone', readSelector),
    flag(KUBE, '--endpoints-api <api>', 'auto, endpointslices or endpoints; auto: EndpointSlices where the cluster has them (default: auto)', String).choices(['auto', 'endpointslices', 'endpoints']),
    flag(KUBE, '--publish-service <namespace/name>', 'Service whose addresses the status of Ingresses shows', readObjectName),
    flag(KUBE, '--publish-status-address <addresses>', 'addresses or hostnames that it shows instead (default: those of the nodes that Fairlead runs on)', listOf(readAddressOrHostname)),
    flag(KUBE, '--report-node-internal-ip-address [true|false]', 'of those nodes, show the internal addresses (default: false)', readBoolean).preset('true'),
    flag(KUBE, '--update-status [true|false]', 'write the status of Ingresses (default: true)', readBoolean).preset('true'),
    flag(KUBE, '--update-status-on-shutdown [true|false]', 'make it empty when the last replica ends (default: false)', readBoolean).preset('true'),
    flag(KUBE, '--election-id <name>', 'Lease by which replicas agree on who writes status and Events (default: fairlead-<ingress class>)', readName),
    flag(KUBE, '--election-ttl <time>', 'how long it is good for (default: 15s)', readElectionTime),
    flag(KUBE, '--disable-leader-election [true|false]', 'every replica writes (default: false)', readBoolean).preset('true'),
  ];
}

/** Undefined: objects come from a folder. Throws a Failure if flags contradict each other. */
export function kubeSettings(values: KubeValues, fromFolder: boolean, ingressClass: string): KubeSettings | undefined {
  const given = Object.entries(FLAGS).find(([name]) => values[name as keyof KubeValues] !== undefined)?.[1];
  if (fromFolder) {
    if (given !== undefined) throw new Failure(2, `${given} is for a cluster: it cannot be combined with --manifests`);
    return undefined;
  }
  if (values.watchNamespace !== undefined && values.watchNamespaceSelector !== undefined) throw new Failure(2, '--watch-namespace and --watch-namespace-selector exclude each other');
  if (values.publishService !== undefined && values.publishStatusAddress !== undefined) throw new Failure(2, '--publish-service and --publish-status-address exclude each other');
  return {
    kubeconfig: values.kubeconfig ?? '',
    namespaces: [...new Set(values.watchNamespace ?? [])],
    namespaceSelector: values.watchNamespaceSelector ?? '',
    endpointsApi: values.endpointsApi ?? 'auto',
    ...(values.publishService === undefined ? {} : { publishService: values.publishService }),
    publishStatusAddresses: [...(values.publishStatusAddress ?? [])],
    reportNodeInternalIp: values.reportNodeInternalIpAddress ?? false,
    updateStatus: values.updateStatus ?? true,
    updateStatusOnShutdown: values.updateStatusOnShutdown ?? false,
    leaderElection: !(values.disableLeaderElection ?? false),
    electionId: values.electionId ?? `fairlead-${ingressClass}`.toLowerCase().replaceAll('/', '-'),
    electionTtlMs: values.electionTtl ?? 15_000,
  };
}

const FLAGS: { readonly [N in keyof Required<KubeValues>]: string } = {
  kubeconfig: '--kubeconfig',
  watchNamespace: '--watch-namespace',
  watchNamespaceSelector: '--watch-namespace-selector',
  endpointsApi: '--endpoints-api',
  publishService: '--publish-service',
  publishStatusAddress: '--publish-status-address',
  reportNodeInternalIpAddress: '--report-node-internal-ip-address',
  updateStatus: '--update-status',
  updateStatusOnShutdown: '--update-status-on-shutdown',
  disableLeaderElection: '--disable-leader-election',
  electionId: '--election-id',
  electionTtl: '--election-ttl',
};

export function readNamespace(text: string): string {
  if (!/^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/.test(text)) throw new InvalidArgumentError('Allowed: names of namespaces.');
  return text;
}

/** The server checks the grammar; this keeps out what no selector holds. */
export function readSelector(text: string): string {
  if (!/^[-\w./=!,() ]{1,1000}$/.test(text)) throw new InvalidArgumentError('Allowed: a label selector such as team=shop,tier!=test.');
  return text;
}

export function readAddressOrHostname(text: string): string {
  if (isIP(text) === 0 && !(text.length <= 253 && /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/.test(text))) throw new InvalidArgumentError('Allowed: IP addresses and hostnames.');
  return text;
}

export function readElectionTime(text: string): number {
  const ms = readDuration(text);
  if (ms < MIN_ELECTION_MS || ms > 3_600_000) throw new InvalidArgumentError('Allowed: a time from 3s to 1h.');
  return ms;
}
