// Text that has broken proxies, shells, templates, parsers and log files before, and the objects that it is put into: every
// string of every kind that Fairlead reads, one at a time.

export const HOSTILE: readonly string[] = [
  '"', "'", '`', '\\', '{', '}', '{}', '[]', ';', '#', '$', '%', '&', '|', '<', '>', '*', '?', '~', '=', ',', ':', '@', ' ', '\t', '\n', '\r', '\r\n', '\0',
  '${}', '${process.exit(1)}', '$(reboot)', '`reboot`', '{{7*7}}', '{{ .Values.x }}', '<%= x %>', '#{x}', '%s%n', '%00', '%2e%2e%2f', '../../../etc/passwd', '/etc/passwd', '\\\\host\\share',
  '__proto__', 'constructor', 'toString', 'hasOwnProperty', 'null', 'undefined', 'NaN', '-1', '0x10',
  'a;\n}\nlocation / { alias /; }', 'a\r\nX-Injected: 1', '(a+)+$', '[', '(?=x)', '\u202e\u2066', '\ud800', 'é', '\u0130', '😀', '<script>alert(1)</script>', "' OR '1'='1", '', 'x'.repeat(1024 * 1024),
];

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

export interface Template {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly [key: string]: Json };
  readonly [field: string]: Json;
}

const metadata = (more: { readonly [key: string]: Json } = {}): { readonly [key: string]: Json } => ({ namespace: 'shop', labels: { app: 'web' }, annotations: { 'example.com/note': 'text' }, uid: 'b2f0', creationTimestamp: '2026-01-01T00:00:00Z', ...more });

export const TEMPLATES: readonly Template[] = [
  {
    apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', metadata: metadata(),
    spec: {
      ingressClassName: 'fairlead',
      defaultBackend: { service: { name: 'good', port: { name: 'http' } } },
      tls: [{ hosts: ['hostile.example'], secretName: 'tls' }],
      rules: [
        { host: 'hostile.example', http: { paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'good', port: { name: 'http' } } } }, { path: '/exact', pathType: 'Exact', backend: { service: { name: 'good', port: { number: 80 } } } }, { path: '/any', pathType: 'ImplementationSpecific', backend: { service: { name: 'good', port: { number: 80 } } } }] } },
        { host: '*.hostile.example', http: { paths: [{ path: '/r', pathType: 'Prefix', backend: { resource: { apiGroup: 'k8s.example.com', kind: 'Bucket', name: 'b' } } }] } },
      ],
    },
    status: { loadBalancer: { ingress: [{ ip: '192.0.2.1' }, { hostname: 'lb.example' }] } },
  },
  { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', metadata: metadata({ annotations: { 'kubernetes.io/ingress.class': 'fairlead', 'nginx.ingress.kubernetes.io/app-root': '/x', 'nginx.ingress.kubernetes.io/configuration-snippet': 'x' } }), spec: { rules: [{ host: 'annotated.example', http: { paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'good', port: { number: 80 } } } }] } }] } },
  { apiVersion: 'networking.k8s.io/v1', kind: 'IngressClass', metadata: { labels: { app: 'web' }, annotations: { 'ingressclass.kubernetes.io/is-default-class': 'false' } }, spec: { controller: 'example.com/other', parameters: { apiGroup: 'k8s.example.com', kind: 'Parameters', name: 'p', namespace: 'shop', scope: 'Namespace' } } },
  { apiVersion: 'v1', kind: 'Service', metadata: metadata(), spec: { type: 'LoadBalancer', clusterIP: '10.96.0.9', externalIPs: ['192.0.2.9'], ports: [{ name: 'http', protocol: 'TCP', appProtocol: 'http', port: 80, targetPort: 'web' }] }, status: { loadBalancer: { ingress: [{ ip: '192.0.2.1', hostname: 'lb.example' }] } } },
  { apiVersion: 'v1', kind: 'Service', metadata: metadata(), spec: { type: 'ExternalName', externalName: 'external.example' } },
  { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', metadata: metadata({ labels: { 'kubernetes.io/service-name': 'hostile' } }), addressType: 'IPv4', ports: [{ name: 'http', protocol: 'TCP', appProtocol: 'http', port: 80 }], endpoints: [{ addresses: ['10.1.0.1'], zone: 'a', nodeName: 'n', hostname: 'h', targetRef: { kind: 'Pod', namespace: 'shop', name: 'p' }, hints: { forZones: [{ name: 'a' }] } }] },
  { apiVersion: 'v1', kind: 'Endpoints', metadata: metadata(), subsets: [{ addresses: [{ ip: '10.1.0.1', hostname: 'h', nodeName: 'n' }], notReadyAddresses: [{ ip: '10.1.0.2' }], ports: [{ name: 'http', protocol: 'TCP', appProtocol: 'http', port: 80 }] }] },
  { apiVersion: 'v1', kind: 'ConfigMap', metadata: metadata(), data: { key: 'text' }, binaryData: { other: 'eA==' } },
  { apiVersion: 'v1', kind: 'Namespace', metadata: { labels: { app: 'web' }, annotations: { 'example.com/note': 'text' } }, status: { phase: 'Active' } },
  { apiVersion: 'v1', kind: 'Secret', metadata: metadata(), type: 'kubernetes.io/tls', data: { 'tls.crt': 'eA==', 'tls.key': 'eA==' }, stringData: { extra: 'x' } },
];

/** The same object with the string at `path` replaced. */
function withText(value: Json, path: readonly (string | number)[], text: string): Json {
  const [step, ...rest] = path;
  if (step === undefined) return text;
  if (Array.isArray(value)) return value.map((item: Json, index) => (index === step ? withText(item, rest, text) : item));
  return Object.fromEntries(Object.entries(value as { [key: string]: Json }).map(([key, item]) => [key, key === step ? withText(item, rest, text) : item]));
}

function* stringPaths(value: Json, path: readonly (string | number)[] = []): Generator<readonly (string | number)[]> {
  if (typeof value === 'string') yield path;
  else if (Array.isArray(value)) for (const [index, item] of value.entries()) yield* stringPaths(item as Json, [...path, index]);
  else if (typeof value === 'object' && value !== null) for (const [key, item] of Object.entries(value)) yield* stringPaths(item as Json, [...path, key]);
}

/** With hosts that no other object has, so that none is refused because of another. */
function ownHosts(template: Template, count: number): Template {
  return JSON.parse(JSON.stringify(template).replaceAll(/(hostile|annotated)\.example/g, `h${count}.example`)) as Template;
}

export interface HostileObject {
  /** `spec.rules.0.host`. */
  readonly field: string;
  readonly text: string;
  readonly object: Template;
}

/** One object per string field and text, each with a name of its own; the kind and its version stay what they are. */
export function* hostileObjects(): Generator<HostileObject> {
  let count = 0;
  for (const template of TEMPLATES) {
    for (const path of stringPaths(template)) {
      if (path[0] === 'apiVersion' || path[0] === 'kind') continue;
      for (const text of HOSTILE) {
        const changed = withText(ownHosts(template, count), path, text) as Template;
        yield { field: path.join('.'), text, object: { ...changed, metadata: { ...changed.metadata, name: `hostile-${count++}` } } };
      }
    }
    for (const text of HOSTILE) yield { field: 'metadata.name', text, object: { ...template, metadata: { ...template.metadata, name: text } } };
    for (const text of HOSTILE) {
      const own = ownHosts(template, count);
      yield { field: 'a key of annotations', text, object: { ...own, metadata: { ...own.metadata, name: `hostile-${count++}`, annotations: { ...(own.metadata.annotations as object), [text]: text } } } };
    }
  }
}
