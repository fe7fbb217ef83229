// The resources that the test API server stores, and what is particular about each. Everything else that it knows of a
// resource follows from this table: paths, discovery, what a write may change.

export interface ResourceType {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly shortNames: readonly string[];
  /** `status` is written through its own subresource and nowhere else. */
  readonly hasStatus: boolean;
  /** A PUT without resourceVersion overwrites what is there (`AllowUnconditionalUpdate`). */
  readonly unconditionalUpdate: boolean;
  /** Fields besides metadata.name and metadata.namespace that a field selector may name. */
  readonly selectable: readonly string[];
}

const NETWORKING = 'networking.k8s.io';
const RBAC = 'rbac.authorization.k8s.io';
const INVOLVED = ['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'].map((field) => `involvedObject.${field}`);

function resource(group: string, plural: string, kind: string, more: Partial<ResourceType> = {}): ResourceType {
  return { group, version: 'v1', plural, kind, namespaced: true, shortNames: [], hasStatus: false, unconditionalUpdate: true, selectable: [], ...more };
}

export const RESOURCES: readonly ResourceType[] = [
  resource('', 'namespaces', 'Namespace', { namespaced: false, shortNames: ['ns'], hasStatus: true, selectable: ['status.phase'] }),
  resource('', 'nodes', 'Node', { namespaced: false, shortNames: ['no'], hasStatus: true, selectable: ['spec.unschedulable'] }),
  resource('', 'pods', 'Pod', { shortNames: ['po'], hasStatus: true, selectable: ['spec.nodeName', 'status.phase', 'status.podIP'] }),
  resource('', 'services', 'Service', { shortNames: ['svc'], hasStatus: true, selectable: ['spec.clusterIP', 'spec.type'] }),
  resource('', 'endpoints', 'Endpoints', { shortNames: ['ep'] }),
  resource('', 'secrets', 'Secret', { selectable: ['type'] }),
  resource('', 'configmaps', 'ConfigMap', { shortNames: ['cm'] }),
  resource('', 'serviceaccounts', 'ServiceAccount', { shortNames: ['sa'] }),
  resource('', 'events', 'Event', { shortNames: ['ev'], selectable: [...INVOLVED, 'reason', 'reportingComponent', 'source', 'type'] }),
  resource(NETWORKING, 'ingresses', 'Ingress', { shortNames: ['ing'], hasStatus: true }),
  resource(NETWORKING, 'ingressclasses', 'IngressClass', { namespaced: false }),
  resource(NETWORKING, 'networkpolicies', 'NetworkPolicy', { shortNames: ['netpol'] }),
  resource('discovery.k8s.io', 'endpointslices', 'EndpointSlice'),
  resource('coordination.k8s.io', 'leases', 'Lease', { unconditionalUpdate: false }),
  resource('apps', 'deployments', 'Deployment', { shortNames: ['deploy'], hasStatus: true }),
  resource('apps', 'daemonsets', 'DaemonSet', { shortNames: ['ds'], hasStatus: true }),
  resource('policy', 'poddisruptionbudgets', 'PodDisruptionBudget', { shortNames: ['pdb'], hasStatus: true }),
  resource(RBAC, 'roles', 'Role'),
  resource(RBAC, 'rolebindings', 'RoleBinding'),
  resource(RBAC, 'clusterroles', 'ClusterRole', { namespaced: false }),
  resource(RBAC, 'clusterrolebindings', 'ClusterRoleBinding', { namespaced: false }),
];

/** `v1` or `networking.k8s.io/v1`. */
export function apiVersionOf(type: ResourceType): string {
  return type.group === '' ? type.version : `${type.group}/${type.version}`;
}

/** `ingresses.networking.k8s.io`: how errors and access rules name it; unique. */
export function resourceKey(type: ResourceType): string {
  return type.group === '' ? type.plural : `${type.plural}.${type.group}`;
}

export function typeOfKind(kind: string): ResourceType {
  const type = RESOURCES.find((candidate) => candidate.kind === kind);
  if (type === undefined) throw new Error(`the test API server has no kind ${kind}`);
  return type;
}
