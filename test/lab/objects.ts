// The Kubernetes objects of a cluster in the lab: its Services with their EndpointSlices, and Ingresses. They are written to
// a folder, from which the real controller reads them.
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { nodeName } from './links.ts';
import { PORT_NAME } from './spec.ts';
import type { Service } from './spec.ts';

export interface IngressSpec {
  readonly name: string;
  readonly host?: string;
  /** Services by path prefix. */
  readonly paths: Readonly<Record<string, string>>;
  /** Certificate and key, PEM: the host is served over TLS with them. */
  readonly certificate?: { readonly chainPem: string; readonly keyPem: string };
  readonly annotations?: Readonly<Record<string, string>>;
}

type KubeObject = Readonly<Record<string, unknown>>;

/** A folder of manifests that a controller watches. */
export class Manifests {
  readonly folder: string;
  readonly #files = new Set<string>();

  constructor(folder: string) {
    this.folder = folder;
    mkdirSync(folder, { recursive: true });
  }

  /** Writes all objects and takes away those that are gone. Files are replaced whole. */
  write(services: readonly Service[], ingresses: readonly IngressSpec[]): void {
    const written = new Set<string>();
    const put = (name: string, objects: readonly KubeObject[]): void => {
      const file = join(this.folder, `${name}.yaml`);
      writeFileSync(`${file}.new`, objects.map((object) => stringify(object)).join('---\n'));
      renameSync(`${file}.new`, file);
      written.add(file);
    };
    for (const service of services) {
      put(`service-${service.namespace}-${service.name}`, [serviceObject(service)]);
      put(`endpointslice-${service.namespace}-${service.name}`, [sliceObject(service)]);
    }
    for (const ingress of ingresses) put(`ingress-${ingress.name}`, ingressObjects(ingress, services));
    put('ingressclass', [{ apiVersion: 'networking.k8s.io/v1', kind: 'IngressClass', metadata: { name: 'fairlead' }, spec: { controller: 'fairlead.dev/ingress-controller' } }]);
    for (const file of this.#files) if (!written.has(file)) rmSync(file);
    this.#files.clear();
    for (const file of written) this.#files.add(file);
  }
}

function serviceObject(service: Service): KubeObject {
  const { namespace, name, protocol, port, targetPort, nodePort } = service;
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace, name },
    spec: {
      type: nodePort === undefined ? 'ClusterIP' : 'NodePort',
      clusterIP: service.clusterIP,
      ipFamilies: [service.family],
      ...(nodePort === undefined ? {} : { externalTrafficPolicy: service.externalTrafficPolicy }),
      ports: [{ name: PORT_NAME, protocol, port, targetPort, ...(nodePort === undefined ? {} : { nodePort }) }],
    },
  };
}

function sliceObject(service: Service): KubeObject {
  const { namespace, name, family, protocol, targetPort } = service;
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { namespace, name: `${name}-lab`, labels: { 'kubernetes.io/service-name': name } },
    addressType: family,
    ports: [{ name: PORT_NAME, protocol, port: targetPort }],
    endpoints: service.endpoints.map(({ pod, node, address }) => ({
      addresses: [address],
      conditions: { ready: true, serving: true, terminating: false },
      nodeName: nodeName(node),
      targetRef: { kind: 'Pod', namespace, name: pod },
    })),
  };
}

function ingressObjects(ingress: IngressSpec, services: readonly Service[]): KubeObject[] {
  const secretName = `${ingress.name}-tls`;
  const paths = Object.entries(ingress.paths).map(([path, name]) => {
    const service = services.find((candidate) => candidate.name === name);
    if (service === undefined) throw new Error(`Ingress ${ingress.name}: there is no Service ${name}`);
    return { path, pathType: 'Prefix', backend: { service: { name, port: { number: service.port } } } };
  });
  const { host, certificate } = ingress;
  const object: KubeObject = {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { namespace: 'default', name: ingress.name, ...(ingress.annotations === undefined ? {} : { annotations: ingress.annotations }) },
    spec: {
      ingressClassName: 'fairlead',
      ...(certificate === undefined || host === undefined ? {} : { tls: [{ hosts: [host], secretName }] }),
      rules: [{ ...(host === undefined ? {} : { host }), http: { paths } }],
    },
  };
  if (certificate === undefined) return [object];
  const data = { 'tls.crt': base64(certificate.chainPem), 'tls.key': base64(certificate.keyPem) };
  return [object, { apiVersion: 'v1', kind: 'Secret', type: 'kubernetes.io/tls', metadata: { namespace: 'default', name: secretName }, data }];
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}
