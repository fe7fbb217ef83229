// Manifests as tests write them: an application with a Service, its endpoints and an Ingress.
import type { Manifest } from './admin.ts';

const NETWORKING = 'networking.k8s.io/v1';

export function ingressClass(name = 'fairlead', controller = 'fairlead.dev/ingress-controller'): Manifest {
  return { apiVersion: NETWORKING, kind: 'IngressClass', metadata: { name }, spec: { controller } };
}

export interface IngressOptions {
  readonly namespace?: string;
  readonly className?: string;
  readonly secretName?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Sends everything of `host` to port 80 of `service`. */
export function ingress(name: string, host: string, service: string, { namespace = 'shop', className = 'fairlead', secretName, annotations = {} }: IngressOptions = {}): Manifest {
  return {
    apiVersion: NETWORKING,
    kind: 'Ingress',
    metadata: { name, namespace, annotations },
    spec: {
      ingressClassName: className,
      ...(secretName === undefined ? {} : { tls: [{ hosts: [host], secretName }] }),
      rules: [{ host, http: { paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: service, port: { number: 80 } } } }] } }],
    },
  };
}

export function service(name: string, namespace = 'shop', spec: object = {}): Manifest {
  return { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace }, spec: { ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 8080 }], ...spec } };
}

export interface PodAddress {
  readonly address: string;
  readonly ready?: boolean;
}

/** One slice of a Service; all its pods listen on `port`. */
export function endpointSlice(serviceName: string, port: number, pods: readonly PodAddress[], { namespace = 'shop', suffix = '1' } = {}): Manifest {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `${serviceName}-${suffix}`, namespace, labels: { 'kubernetes.io/service-name': serviceName } },
    addressType: 'IPv4',
    ports: [{ name: 'http', port, protocol: 'TCP' }],
    endpoints: pods.map(({ address, ready = true }) => ({ addresses: [address], conditions: { ready, serving: ready, terminating: false } })),
  };
}

export function tlsSecret(name: string, certificate: { readonly chainPem: string; readonly keyPem: string }, namespace = 'shop'): Manifest {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'kubernetes.io/tls',
    metadata: { name, namespace },
    data: { 'tls.crt': Buffer.from(certificate.chainPem).toString('base64'), 'tls.key': Buffer.from(certificate.keyPem).toString('base64') },
  };
}

export function namespace(name: string, labels: Readonly<Record<string, string>> = {}): Manifest {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } };
}
