// The Kubernetes objects that Fairlead reads, narrowed to the fields that it reads. Values of these types have passed
// decode.ts: strings are strings, lists are lists, and no string holds CR, LF or NUL (Secret and ConfigMap data aside).
// Objects are immutable and replaced on change, so that results can be remembered by object identity.

export interface Metadata {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  /** RFC 3339; empty in files that do not give one. */
  readonly creationTimestamp: string;
  readonly generation: number;
  readonly labels: ReadonlyMap<string, string>;
  readonly annotations: ReadonlyMap<string, string>;
}

/** networking.k8s.io/v1 */
export interface Ingress {
  readonly kind: 'Ingress';
  readonly metadata: Metadata;
  readonly ingressClassName?: string;
  readonly defaultBackend?: IngressBackend;
  readonly tls: readonly IngressTls[];
  readonly rules: readonly IngressRule[];
}
export interface IngressTls {
  readonly hosts: readonly string[];
  readonly secretName: string;
}
export interface IngressRule {
  /** Empty: every host. */
  readonly host: string;
  readonly paths: readonly IngressPath[];
}
export interface IngressPath {
  /** As written; may be empty where pathType allows it. */
  readonly path: string;
  readonly pathType: 'Exact' | 'Prefix' | 'ImplementationSpecific';
  readonly backend: IngressBackend;
}
/** A Service with a port by number or name; or a resource of another kind, which Fairlead does not serve. */
export type IngressBackend =
  | { readonly service: string; readonly port: { readonly number: number } | { readonly name: string } }
  | { readonly resource: { readonly apiGroup: string; readonly kind: string; readonly name: string } };

/** networking.k8s.io/v1 */
export interface IngressClass {
  readonly kind: 'IngressClass';
  readonly metadata: Metadata;
  readonly controller: string;
}

/** v1 */
export interface Service {
  readonly kind: 'Service';
  readonly metadata: Metadata;
  readonly type: 'ClusterIP' | 'NodePort' | 'LoadBalancer' | 'ExternalName';
  /** `None` for a headless one; empty if it has none. */
  readonly clusterIP: string;
  readonly externalName: string;
  readonly ports: readonly ServicePort[];
  /** `status.loadBalancer.ingress` and `spec.externalIPs`: for status publishing. */
  readonly loadBalancerIngress: readonly { readonly ip: string; readonly hostname: string }[];
  readonly externalIPs: readonly string[];
}
export interface ServicePort {
  readonly name: string;
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
  readonly appProtocol: string;
  readonly port: number;
  /** A number, or the name of a container port; the port's own number if it was not given. */
  readonly targetPort: number | string;
}

/** discovery.k8s.io/v1 */
export interface EndpointSlice {
  readonly kind: 'EndpointSlice';
  readonly metadata: Metadata;
  /** Label `kubernetes.io/service-name`; empty: it belongs to no Service. */
  readonly serviceName: string;
  readonly addressType: 'IPv4' | 'IPv6' | 'FQDN';
  readonly ports: readonly SlicePort[];
  readonly endpoints: readonly SliceEndpoint[];
}
export interface SlicePort {
  readonly name: string;
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
  /** Undefined: all ports. */
  readonly port: number | undefined;
  readonly appProtocol: string;
}
export interface SliceEndpoint {
  readonly addresses: readonly string[];
  /** Unset conditions have their documented meaning already: ready and serving true, terminating false. */
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
  readonly zone: string;
  readonly nodeName: string;
}

/** v1; turned into the same endpoints as slices where a Service has no EndpointSlice. */
export interface Endpoints {
  readonly kind: 'Endpoints';
  readonly metadata: Metadata;
  readonly subsets: readonly {
    readonly addresses: readonly string[];
    readonly notReadyAddresses: readonly string[];
    readonly ports: readonly SlicePort[];
  }[];
}

/** v1; `data` is decoded from base64 (and `stringData` merged in). */
export interface Secret {
  readonly kind: 'Secret';
  readonly metadata: Metadata;
  readonly type: string;
  readonly data: ReadonlyMap<string, Buffer>;
}

/** v1 */
export interface ConfigMap {
  readonly kind: 'ConfigMap';
  readonly metadata: Metadata;
  readonly data: ReadonlyMap<string, string>;
}

/** v1 */
export interface Namespace {
  readonly kind: 'Namespace';
  readonly metadata: Metadata;
}

export type KubeObject = Ingress | IngressClass | Service | EndpointSlice | Endpoints | Secret | ConfigMap | Namespace;
export type Kind = KubeObject['kind'];
export type ObjectOf<K extends Kind> = Extract<KubeObject, { readonly kind: K }>;

/** An object that is there and of which no version could be taken. `refused`: why, as the first of its Problems says it. */
export interface Refused {
  readonly refused: string;
  /** Of an Ingress, what can be read of it, for whom it must not leave open what it was to protect. Texts in it need not be what their types say. */
  readonly remains?: Ingress;
}

/** `namespace/name`, or the name with a leading slash for objects without namespace: never a bare user's word. */
export function objectKey(metadata: Pick<Metadata, 'namespace' | 'name'>): string {
  return `${metadata.namespace}/${metadata.name}`;
}
