// Manifests for end-to-end tests of TLS: Ingresses with annotations of ingress-nginx, and Secrets of any content.

export interface IngressWords {
  /** Secret in its `tls` section. */
  readonly tls?: string;
  readonly service?: string;
  /** Without the prefix. */
  readonly annotations?: Readonly<Record<string, string>>;
}

/** An Ingress in namespace shop for all paths of one host. */
export function ingressOf(name: string, host: string, { tls, service = 'web', annotations = {} }: IngressWords = {}): string {
  const prefixed = Object.entries(annotations).map(([key, value]) => [`nginx.ingress.kubernetes.io/${key}`, value]);
  return JSON.stringify({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name, namespace: 'shop', annotations: Object.fromEntries(prefixed) },
    spec: {
      ...(tls === undefined ? {} : { tls: [{ hosts: [host], secretName: tls }] }),
      rules: [{ host, http: { paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: service, port: { number: 80 } } } }] } }],
    },
  });
}

/** A Secret in namespace shop. */
export function secretOf(name: string, data: Readonly<Record<string, string>>): string {
  const encoded = Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString('base64')]);
  return JSON.stringify({ apiVersion: 'v1', kind: 'Secret', type: 'Opaque', metadata: { name, namespace: 'shop' }, data: Object.fromEntries(encoded) });
}
