// Manifests for end-to-end tests: an Ingress for one host, and a Service whose one EndpointSlice names ports of 127.0.0.1.

export interface SiteOptions {
  readonly host?: string;
  /** Path → Service; `/` → `web` if it is left out. */
  readonly paths?: Readonly<Record<string, string>>;
  /** Secret for TLS. */
  readonly tls?: string;
}

/** An Ingress in namespace shop. */
export function ingress(name: string, { host = 'shop.example.com', paths = { '/': 'web' }, tls }: SiteOptions = {}): string {
  const rules = Object.entries(paths).map(([path, service]) => ({ path, pathType: 'Prefix', backend: { service: { name: service, port: { number: 80 } } } }));
  return JSON.stringify({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name, namespace: 'shop' },
    spec: { ...(tls === undefined ? {} : { tls: [{ hosts: [host], secretName: tls }] }), rules: [{ host, http: { paths: rules } }] },
  });
}

/** Annotations without prefix. */
export type Notes = Readonly<Record<string, string>>;

/** An Ingress in namespace shop with annotations of ingress-nginx, or of our own where the name has a slash. */
export function annotated(name: string, notes: Notes, backend = 'web'): string {
  const annotations = Object.fromEntries(Object.entries(notes).map(([key, value]) => [key.includes('/') ? key : `nginx.ingress.kubernetes.io/${key}`, value]));
  const path = { path: '/', pathType: 'Prefix', backend: { service: { name: backend, port: { number: 80 } } } };
  return JSON.stringify({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name, namespace: 'shop', creationTimestamp: '2026-01-01T00:00:00Z', annotations },
    spec: { rules: [{ host: `${name}.example.com`, http: { paths: [path] } }] },
  });
}

/** A Service in namespace shop with port 80. */
export function service(name: string): string {
  return JSON.stringify({ apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: 'shop' }, spec: { ports: [{ port: 80 }] } });
}

/** The endpoints of a Service: a slice per port, because a slice has one port for all of its addresses. */
export function endpoints(name: string, ...ports: readonly number[]): string {
  const slices = ports.map((port) => ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `${name}-${port}`, namespace: 'shop', labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    ports: [{ port }],
    endpoints: [{ addresses: ['127.0.0.1'] }],
  }));
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items: slices });
}

/** Several objects in one file. */
export function documents(...texts: readonly string[]): string {
  return texts.join('\n---\n');
}
