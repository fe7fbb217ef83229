// From a Service and a port, as a user names them, to the one port that is meant and the cluster that stands for it.
import { createHash } from 'node:crypto';
import type { Cluster, LoadBalancer, UpstreamTls } from '../../proxy/table/cluster.ts';
import type { Refused, Service, ServicePort } from '../kube/objects.ts';
import { missingText } from './missing.ts';
import { seen } from './seen.ts';
import type { BackendRef, ConnectionProfile, UpstreamSettings } from './translation.ts';

/** A Service's port that exists, and the cluster that it becomes. */
export interface ClusterRef {
  readonly name: string;
  /** `namespace/name` of the Service. */
  readonly service: string;
  readonly port: ServicePort;
  readonly profile: ConnectionProfile | undefined;
  readonly upstream: UpstreamSettings;
}

/** Where neither the object nor the Service says anything. */
export interface ClusterDefaults {
  readonly loadBalancer: LoadBalancer;
  readonly connectTimeoutMs: number;
  readonly serviceUpstream: boolean;
}

export const CLUSTER_DEFAULTS: ClusterDefaults = { loadBalancer: { type: 'RoundRobin' }, connectTimeoutMs: 5_000, serviceUpstream: false };

export type Resolution = { readonly cluster: ClusterRef } | { readonly missing: string; readonly hint?: string };

/** Finds what a backend means. `service` is undefined when there is no such Service, and says why where it was refused; `upstream` is what holds for the backend, whoever said it. */
export function resolveBackend(backend: BackendRef, service: Service | Refused | undefined, upstream: UpstreamSettings): Resolution {
  const key = `${backend.namespace}/${backend.service}`;
  if (service === undefined || 'refused' in service) return { missing: missingText('Service', key, service) };
  const port = findPort(service, backend.port);
  if (port !== undefined) return { cluster: { name: clusterName(key, port.port, backend.profile, upstream), service: key, port, profile: backend.profile, upstream } };
  const ports = service.ports.filter(isTcp);
  const target = ports.find(({ targetPort }) => targetPort === backend.port);
  return {
    missing: `Service ${key} has no TCP port ${portText(backend.port)}; it has ${ports.map(describePort).join(', ') || 'none'}`,
    ...(target !== undefined && { hint: `that is the targetPort of its port ${target.port}: name the Service's own port` }),
  };
}

/** By number or by name, as the Ingress API has it. An ExternalName Service may declare no ports: then any number is its port. */
function findPort(service: Service, wanted: number | string | undefined): ServicePort | undefined {
  const ports = service.ports.filter(isTcp);
  if (wanted === undefined) return ports[0];
  if (service.type === 'ExternalName' && ports.length === 0 && typeof wanted === 'number') {
    return { name: '', protocol: 'TCP', appProtocol: '', port: wanted, targetPort: wanted };
  }
  return ports.find((port) => (typeof wanted === 'number' ? port.port === wanted : port.name !== '' && port.name === wanted));
}

/** Two routes share a cluster, and with it connections and balancing, unless they talk to the Service in different ways. */
function clusterName(service: string, port: number, profile: ConnectionProfile | undefined, upstream: UpstreamSettings): string {
  const said = Object.entries({ ...profile, ...upstream }).filter(([, value]) => value !== undefined);
  if (said.length === 0) return `${service}:${port}`;
  const canonical = JSON.stringify(said.toSorted(([a], [b]) => (a < b ? -1 : 1)));
  return `${service}:${port}#${createHash('sha256').update(canonical).digest('hex').slice(0, 8)}`;
}

/** The Service's own `appProtocol` first, what the route says over it. */
export function clusterOf(ref: ClusterRef, defaults: ClusterDefaults): Cluster {
  const [namespace = '', name = ''] = ref.service.split('/');
  const { affinity } = ref.upstream;
  return {
    name: ref.name,
    ...withTls(ref.profile?.transport ?? APP_PROTOCOLS.get(ref.port.appProtocol.toLowerCase()) ?? { protocol: 'HTTP/1.1' }, ref.profile?.tls),
    loadBalancer: balancing(ref.upstream) ?? defaults.loadBalancer,
    connectTimeoutMs: ref.profile?.connectTimeoutMs ?? defaults.connectTimeoutMs,
    ...(affinity !== undefined && { affinity }),
    origin: { kind: 'Service', namespace, name, field: 'spec.ports' },
  };
}

/** Settings of TLS do not turn it on. */
function withTls(transport: Pick<Cluster, 'protocol' | 'tls'>, tls: UpstreamTls | undefined): Pick<Cluster, 'protocol' | 'tls'> {
  return transport.tls === undefined || tls === undefined ? transport : { ...transport, tls };
}

/** Sessions go before everything else: then the load balancer is the one that they need. */
function balancing({ affinity, loadBalancer }: UpstreamSettings): LoadBalancer | undefined {
  if (affinity === undefined) return loadBalancer;
  return affinity.mode === 'Balanced' ? { type: 'ConsistentHash', key: [] } : { type: 'LeastRequest' };
}

// Pods' certificates are made for the pod's own use and seldom name anything that the proxy knows: TLS that nobody
// configured encrypts and does not verify, as the ingress controllers before this one had it.
export const UNVERIFIED: UpstreamTls = { verify: false };

/** https://kubernetes.io/docs/concepts/services-networking/service/#application-protocol, and the names of gRPC that are in use. */
const APP_PROTOCOLS: ReadonlyMap<string, Pick<Cluster, 'protocol' | 'tls'>> = new Map([
  ['https', { protocol: 'HTTP/1.1', tls: UNVERIFIED }],
  ['kubernetes.io/wss', { protocol: 'HTTP/1.1', tls: UNVERIFIED }],
  ['kubernetes.io/h2c', { protocol: 'HTTP/2' }],
  ['grpc', { protocol: 'HTTP/2' }],
  ['grpcs', { protocol: 'HTTP/2', tls: UNVERIFIED }],
]);

/** True: nothing that `resolveBackend` reads differs, so that hosts which use the Service need not be built again. Its clusters always are. */
export function sameForRouting(a: Service | Refused, b: Service | Refused): boolean {
  if ('refused' in a || 'refused' in b) return false;
  return a.type === b.type && JSON.stringify(a.ports) === JSON.stringify(b.ports);
}

function isTcp(port: ServicePort): boolean {
  return port.protocol === 'TCP';
}

function portText(port: number | string | undefined): string {
  return typeof port === 'string' ? `named ${seen(port)}` : `${port}`;
}

function describePort(port: ServicePort): string {
  return port.name === '' ? `${port.port}` : `${port.port} (${seen(port.name)})`;
}
