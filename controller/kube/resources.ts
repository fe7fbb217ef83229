// Where each kind is found in the Kubernetes API, and what part of a kind one list and watch covers.
// https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris
import type { Kind } from './objects.ts';

interface Resource {
  readonly group: string;
  readonly plural: string;
  readonly namespaced: boolean;
}

const RESOURCES: { readonly [K in Kind]: Resource } = {
  Ingress: { group: 'networking.k8s.io', plural: 'ingresses', namespaced: true },
  IngressClass: { group: 'networking.k8s.io', plural: 'ingressclasses', namespaced: false },
  Service: { group: '', plural: 'services', namespaced: true },
  EndpointSlice: { group: 'discovery.k8s.io', plural: 'endpointslices', namespaced: true },
  Endpoints: { group: '', plural: 'endpoints', namespaced: true },
  Secret: { group: '', plural: 'secrets', namespaced: true },
  ConfigMap: { group: '', plural: 'configmaps', namespaced: true },
  Namespace: { group: '', plural: 'namespaces', namespaced: false },
};

/** Objects of one kind that are listed and watched together. */
export interface Collection {
  readonly kind: Kind;
  /** Empty: all namespaces, or a kind without. */
  readonly namespace: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

export function isNamespaced(kind: Kind): boolean {
  return RESOURCES[kind].namespaced;
}

/** `/apis/networking.k8s.io/v1/namespaces/shop/ingresses`; `namespace` empty: of all namespaces. */
export function collectionPath(kind: Kind, namespace: string): string {
  const { group, plural } = RESOURCES[kind];
  const root = group === '' ? '/api/v1' : `/apis/${group}/v1`;
  return namespace === '' ? `${root}/${plural}` : `${root}/namespaces/${encodeURIComponent(namespace)}/${plural}`;
}

export function objectPath(kind: Kind, namespace: string, name: string): string {
  return `${collectionPath(kind, namespace)}/${encodeURIComponent(name)}`;
}

/** The one object of this name. Whoever may read only certain objects by name may list and watch it like this, too. */
export function oneObject(kind: Kind, namespace: string, name: string): Collection {
  return { kind, namespace, fieldSelector: `metadata.name=${name}` };
}

/** `apiVersion` as objects of the kind write it. */
export function apiVersion(kind: Kind): string {
  const { group } = RESOURCES[kind];
  return group === '' ? 'v1' : `${group}/v1`;
}

/** `ingresses.networking.k8s.io`, and the part of it that is meant: for people. */
export function describe({ kind, namespace, labelSelector, fieldSelector }: Collection): string {
  const { group, plural } = RESOURCES[kind];
  const selectors = [labelSelector, fieldSelector].filter((selector) => selector !== undefined).join(', ');
  return `${group === '' ? plural : `${plural}.${group}`}${namespace === '' ? '' : ` in namespace ${namespace}`}${selectors === '' ? '' : ` (${selectors})`}`;
}
