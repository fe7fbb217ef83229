// The decoder: what every kind comes out as, what is refused and in which words, and that nothing at all makes it throw.
import test from 'ava';
import fc from 'fast-check';
import { decode, decodeAll, decodeAs } from '../../controller/kube/decode.ts';
import type { Decoded } from '../../controller/kube/decode.ts';
import type { KubeObject } from '../../controller/kube/objects.ts';
import { KINDS } from '../../controller/kube/state.ts';
import type { Problem } from '../../controller/model/problem.ts';
import { hostileObjects } from '../support/kube/hostile.ts';

type Json = Record<string, unknown>;

function objectOf(decoded: Decoded): KubeObject {
  if (typeof decoded === 'string' || !('object' in decoded)) throw new Error(`no object: ${JSON.stringify(decoded)}`);
  return decoded.object;
}

function problemsOf(decoded: Decoded): readonly Problem[] {
  if (typeof decoded === 'string' || !('problems' in decoded)) throw new Error(`no problems: ${JSON.stringify(decoded)}`);
  return decoded.problems;
}

/** `field: message` of every Problem. */
function complaints(input: unknown): readonly string[] {
  return problemsOf(decode(input)).map((problem) => `${problem.origin.field ?? ''}: ${problem.message}`);
}

const backend = { service: { name: 'web', port: { number: 80 } } };
const path = { path: '/', pathType: 'Prefix', backend };

function ingress(spec: Json, metadata: Json = {}): Json {
  return { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', metadata: { name: 'web', namespace: 'shop', ...metadata }, spec };
}
function ruled(rule: Json): Json {
  return ingress({ rules: [rule] });
}
function pathed(changes: Json): Json {
  return ruled({ host: 'shop.example.com', http: { paths: [{ ...path, ...changes }] } });
}
function service(spec: Json): Json {
  return { apiVersion: 'v1', kind: 'Service', metadata: { name: 'web' }, spec };
}
function slice(fields: Json): Json {
  return { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', metadata: { name: 'web-x', labels: { 'kubernetes.io/service-name': 'web' } }, addressType: 'IPv4', ports: [{ name: 'http', port: 8080 }], endpoints: [], ...fields };
}
function secret(fields: Json, metadata: Json = {}): Json {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'tls', ...metadata }, ...fields };
}

const PLAIN_METADATA = { namespace: 'default', name: 'web', uid: '', resourceVersion: '', creationTimestamp: '', generation: 0, labels: new Map(), annotations: new Map() };

test('an address in the tls section is taken, as the API server takes it', (t) => {
  t.like(objectOf(decode(ingress({ defaultBackend: backend, tls: [{ hosts: ['10.0.0.1', 'shop.example.com'], secretName: 'shop-tls' }] }))), { tls: [{ hosts: ['10.0.0.1', 'shop.example.com'], secretName: 'shop-tls' }] });
});

test('an Ingress comes out with all that it says', (t) => {
  const object = objectOf(
    decode(
      ingress(
        {
          ingressClassName: 'fairlead',
          defaultBackend: { resource: { apiGroup: 'k8s.example.com', kind: 'Bucket', name: 'static' } },
          tls: [{ hosts: ['shop.example.com', '*.shop.example.com'], secretName: 'shop-tls' }, {}],
          rules: [{ host: '*.example.com', http: { paths: [path, { path: '/api', pathType: 'Exact', backend: { service: { name: 'api', port: { name: 'http' } } } }, { pathType: 'ImplementationSpecific', backend }] } }, { host: 'bare.example.com' }],
        },
        { uid: 'u-1', resourceVersion: '77', creationTimestamp: '2026-01-31T12:00:00Z', generation: 3, labels: { app: 'web' }, annotations: { 'example.com/snippet': 'one\n\ttwo\n' } },
      ),
    ),
  );
  t.deepEqual(object, {
    kind: 'Ingress',
    metadata: { namespace: 'shop', name: 'web', uid: 'u-1', resourceVersion: '77', creationTimestamp: '2026-01-31T12:00:00Z', generation: 3, labels: new Map([['app', 'web']]), annotations: new Map([['example.com/snippet', 'one\n\ttwo\n']]) },
    ingressClassName: 'fairlead',
    defaultBackend: { resource: { apiGroup: 'k8s.example.com', kind: 'Bucket', name: 'static' } },
    tls: [{ hosts: ['shop.example.com', '*.shop.example.com'], secretName: 'shop-tls' }, { hosts: [], secretName: '' }],
    rules: [
      {
        host: '*.example.com',
        paths: [
          { path: '/', pathType: 'Prefix', backend: { service: 'web', port: { number: 80 } } },
          { path: '/api', pathType: 'Exact', backend: { service: 'api', port: { name: 'http' } } },
          { path: '', pathType: 'ImplementationSpecific', backend: { service: 'web', port: { number: 80 } } },
        ],
      },
      { host: 'bare.example.com', paths: [] },
    ],
  });
});

test('a Service gets the defaults of the API: type, protocol, target port', (t) => {
  t.deepEqual(objectOf(decode(service({ ports: [{ port: 80 }, { name: 'admin', port: 81, targetPort: 'adm', protocol: 'TCP', appProtocol: 'kubernetes.io/h2c' }] }))), {
    kind: 'Service',
    metadata: PLAIN_METADATA,
    type: 'ClusterIP',
    clusterIP: '',
    externalName: '',
    ports: [
      { name: '', protocol: 'TCP', appProtocol: '', port: 80, targetPort: 80 },
      { name: 'admin', protocol: 'TCP', appProtocol: 'kubernetes.io/h2c', port: 81, targetPort: 'adm' },
    ],
    loadBalancerIngress: [],
    externalIPs: [],
  });
});

test('a Service tells where its load balancer is, and an ExternalName loses its trailing dot', (t) => {
  const balanced = objectOf(decode({ ...service({ type: 'LoadBalancer', clusterIP: '10.0.0.1', externalIPs: ['192.0.2.1'] }), status: { loadBalancer: { ingress: [{ ip: '192.0.2.9' }, { hostname: 'lb.example.com' }] } } }));
  t.like(balanced, { type: 'LoadBalancer', clusterIP: '10.0.0.1', externalIPs: ['192.0.2.1'], loadBalancerIngress: [{ ip: '192.0.2.9', hostname: '' }, { ip: '', hostname: 'lb.example.com' }] });
  t.like(objectOf(decode(service({ type: 'ExternalName', externalName: 'api.example.com.' }))), { externalName: 'api.example.com' });
});

test('unset conditions of an endpoint mean ready, serving and not terminating', (t) => {
  const object = objectOf(
    decode(slice({ endpoints: [{ addresses: ['10.0.0.1'] }, { addresses: ['10.0.0.2'], conditions: { ready: null } }, { addresses: ['10.0.0.3'], conditions: { ready: false, serving: true, terminating: true }, zone: 'a', nodeName: 'n1' }] })),
  );
  t.like(object, {
    kind: 'EndpointSlice',
    serviceName: 'web',
    addressType: 'IPv4',
    ports: [{ name: 'http', protocol: 'TCP', port: 8080, appProtocol: '' }],
    endpoints: [
      { addresses: ['10.0.0.1'], ready: true, serving: true, terminating: false, zone: '', nodeName: '' },
      { addresses: ['10.0.0.2'], ready: true, serving: true, terminating: false, zone: '', nodeName: '' },
      { addresses: ['10.0.0.3'], ready: false, serving: true, terminating: true, zone: 'a', nodeName: 'n1' },
    ],
  });
});

test('an EndpointSlice without endpoints is written by the API with null, and is empty', (t) => {
  t.like(objectOf(decode(slice({ endpoints: null, ports: null }))), { endpoints: [], ports: [] });
  t.like(objectOf(decode(slice({ ports: [{ port: null }] }))), { ports: [{ name: '', protocol: 'TCP', port: undefined, appProtocol: '' }] });
});

test('Endpoints, IngressClass and Namespace come out with what is read of them', (t) => {
  const endpoints = { apiVersion: 'v1', kind: 'Endpoints', metadata: { name: 'web' }, subsets: [{ addresses: [{ ip: '10.0.0.1', nodeName: 'n' }], notReadyAddresses: [{ ip: '2001:db8::1' }], ports: [{ port: 8080 }] }] };
  t.like(objectOf(decode(endpoints)), { subsets: [{ addresses: ['10.0.0.1'], notReadyAddresses: ['2001:db8::1'], ports: [{ name: '', port: 8080, protocol: 'TCP', appProtocol: '' }] }] });
  t.like(objectOf(decode({ apiVersion: 'networking.k8s.io/v1', kind: 'IngressClass', metadata: { name: 'fairlead', namespace: 'ignored' }, spec: { controller: 'fairlead.dev/ingress-controller' } })), { metadata: { namespace: '', name: 'fairlead' }, controller: 'fairlead.dev/ingress-controller' });
  t.like(objectOf(decode({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop', labels: { a: 'b' } } })), { kind: 'Namespace', metadata: { namespace: '', labels: new Map([['a', 'b']]) } });
});

test('Secret data is decoded, and stringData wins over it', (t) => {
  const object = objectOf(decode(secret({ data: { a: 'AAEC', b: 'b2xk', broken: 'AA\nEC\n', none: '' }, stringData: { b: 'new\r\n' } })));
  t.deepEqual(object.kind === 'Secret' && object.data, new Map([['a', Buffer.from([0, 1, 2])], ['b', Buffer.from('new\r\n')], ['broken', Buffer.from([0, 1, 2])], ['none', Buffer.alloc(0)]]));
  t.like(object, { type: 'Opaque' });
});

test('creation times are brought into the one form that can be compared as text', (t) => {
  const created = (creationTimestamp: unknown): unknown => objectOf(decode(ingress({ defaultBackend: backend }, { creationTimestamp }))).metadata.creationTimestamp;
  t.is(created('2026-01-31T12:00:00Z'), '2026-01-31T12:00:00Z');
  t.is(created('2026-01-31T13:00:00.250+01:00'), '2026-01-31T12:00:00Z');
  t.is(created(null), '');
});

test('keys such as __proto__ are nothing special', (t) => {
  const input: unknown = JSON.parse('{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c","labels":{"__proto__":"l"},"annotations":{"__proto__":"a","constructor":"b"}},"data":{"__proto__":"d"}}');
  const object = objectOf(decode(input));
  t.deepEqual([...object.metadata.annotations], [['__proto__', 'a'], ['constructor', 'b']]);
  t.deepEqual([...object.metadata.labels], [['__proto__', 'l']]);
  t.deepEqual(object.kind === 'ConfigMap' && [...object.data], [['__proto__', 'd']]);
  t.is(Object.keys(Object.prototype).length, 0);
});

test('the copy of the object that kubectl leaves in an annotation is not kept', (t) => {
  const object = objectOf(decode(secret({}, { annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '{"data":{}}', a: 'b' } })));
  t.deepEqual([...object.metadata.annotations], [['a', 'b']]);
});

/** What is wrong, where it is said to stand, and a part of what is said. */
const REFUSED: readonly (readonly [what: string, input: unknown, field: string, message: string])[] = [
  ['null rules', ingress({ rules: null }), 'spec.rules', 'found null; it must be a list'],
  ['a rule that is null', ingress({ rules: [null] }), 'spec.rules[0]', 'found null; it must be a mapping'],
  ['rules that are a mapping', ingress({ rules: {} }), 'spec.rules', 'found a mapping; it must be a list'],
  ['an Ingress without anything', ingress({}), 'spec', 'neither rules nor a defaultBackend'],
  ['an Ingress without spec', { ...ingress({}), spec: undefined }, 'spec', 'missing'],
  ['http that is null', ruled({ http: null }), 'spec.rules[0].http', 'found null'],
  ['paths that are null', ruled({ http: { paths: null } }), 'spec.rules[0].http.paths', 'found null; it must be a list'],
  ['no paths', ruled({ http: { paths: [] } }), 'spec.rules[0].http', 'has no paths'],
  ['a path without leading slash', pathed({ path: 'api' }), 'spec.rules[0].http.paths[0].path', 'found "api"; it must be a path that begins with "/"'],
  ['the same where the controller decides', pathed({ path: 'api', pathType: 'ImplementationSpecific' }), 'spec.rules[0].http.paths[0].path', 'begins with "/"'],
  ['an Exact path that is missing', pathed({ path: undefined, pathType: 'Exact' }), 'spec.rules[0].http.paths[0].path', 'missing'],
  ['dot segments', pathed({ path: '/a/../b' }), 'spec.rules[0].http.paths[0].path', '/../'],
  ['an encoded slash', pathed({ path: '/a%2Fb' }), 'spec.rules[0].http.paths[0].path', '%2f'],
  ['a line feed in a path', pathed({ path: '/a\nb' }), 'spec.rules[0].http.paths[0].path', 'found "/a\\nb"'],
  ['no pathType', pathed({ pathType: undefined }), 'spec.rules[0].http.paths[0].pathType', 'missing; it must be one of ImplementationSpecific, Exact, Prefix'],
  ['a pathType that is none', pathed({ pathType: 'prefix' }), 'spec.rules[0].http.paths[0].pathType', 'found "prefix"'],
  ['no backend', pathed({ backend: undefined }), 'spec.rules[0].http.paths[0].backend', 'missing'],
  ['a backend of nothing', pathed({ backend: {} }), 'spec.rules[0].http.paths[0].backend', 'exactly one of service and resource'],
  ['a port number out of range', pathed({ backend: { service: { name: 'web', port: { number: 70000 } } } }), 'spec.rules[0].http.paths[0].backend.service.port.number', 'found 70000; it must be a whole number from 1 to 65535'],
  ['a port number in quotes', pathed({ backend: { service: { name: 'web', port: { number: '80' } } } }), 'spec.rules[0].http.paths[0].backend.service.port.number', 'found "80"'],
  ['a port with both', pathed({ backend: { service: { name: 'web', port: { number: 80, name: 'http' } } } }), 'spec.rules[0].http.paths[0].backend.service.port', 'exactly one of name and number'],
  ['no port', pathed({ backend: { service: { name: 'web' } } }), 'spec.rules[0].http.paths[0].backend.service.port', 'missing'],
  ['a service that is __proto__', pathed({ backend: { service: { name: '__proto__', port: { number: 80 } } } }), 'spec.rules[0].http.paths[0].backend.service.name', 'found "__proto__"'],
  ['a host with a port', ruled({ host: 'shop.example.com:80' }), 'spec.rules[0].host', 'no port, no scheme'],
  ['a host in upper case', ruled({ host: 'Shop.example.com' }), 'spec.rules[0].host', 'lower case'],
  ['an address for a host', ruled({ host: '10.0.0.1' }), 'spec.rules[0].host', 'no IP address'],
  ['a star within a host', ruled({ host: 'a.*.example.com' }), 'spec.rules[0].host', 'found "a.*.example.com"'],
  ['a host of all hosts', ruled({ host: '*' }), 'spec.rules[0].host', 'found "*"'],
  ['a tls host that is none', ingress({ defaultBackend: backend, tls: [{ hosts: ['a b'] }] }), 'spec.tls[0].hosts[0]', 'found "a b"'],
  ['a secret name that is a path', ingress({ defaultBackend: backend, tls: [{ secretName: '../tls' }] }), 'spec.tls[0].secretName', 'found "../tls"'],
  ['a name with a slash', ingress({ defaultBackend: backend }, { name: 'a/b' }), 'metadata.name', 'found "a/b"; it must be a DNS-1123 subdomain'],
  ['no name', ingress({ defaultBackend: backend }, { name: undefined }), 'metadata.name', 'missing'],
  ['a long name', ingress({ defaultBackend: backend }, { name: 'a'.repeat(254) }), 'metadata.name', 'at most 253'],
  ['a namespace with a dot', ingress({ defaultBackend: backend }, { namespace: 'a.b' }), 'metadata.namespace', 'DNS-1123 label'],
  ['no metadata', { ...ingress({ defaultBackend: backend }), metadata: null }, 'metadata', 'found null'],
  ['a label with CR', ingress({ defaultBackend: backend }, { labels: { a: 'b\rc' } }), 'metadata.labels[a]', 'without CR, LF and NUL'],
  ['a label key with LF', ingress({ defaultBackend: backend }, { labels: { 'a\nb': 'c' } }), 'metadata.labels[a\\nb]', 'without CR, LF and NUL'],
  ['an annotation with CR', ingress({ defaultBackend: backend }, { annotations: { 'a.b/c': 'x\r\ny' } }), 'metadata.annotations[a.b/c]', 'without CR and NUL'],
  ['an annotation with NUL', ingress({ defaultBackend: backend }, { annotations: { a: '\0' } }), 'metadata.annotations[a]', 'found "\\u0000"'],
  ['an annotation that is no text', ingress({ defaultBackend: backend }, { annotations: { a: true } }), 'metadata.annotations[a]', 'in quotes'],
  ['an annotation of 1 MB', ingress({ defaultBackend: backend }, { annotations: { a: 'x'.repeat(1_000_000) } }), 'metadata.annotations', 'have 1000001 bytes; at most 262144 are allowed'],
  ['a time that is none', ingress({ defaultBackend: backend }, { creationTimestamp: 'yesterday' }), 'metadata.creationTimestamp', 'RFC 3339'],
  ['a Service name with a dot', { ...service({}), metadata: { name: 'a.b' } }, 'metadata.name', 'DNS-1123 label'],
  ['a Service type that is none', service({ type: 'External' }), 'spec.type', 'found "External"; it must be one of ClusterIP, NodePort, LoadBalancer, ExternalName'],
  ['a target port of digits in quotes', service({ ports: [{ port: 80, targetPort: '8080' }] }), 'spec.ports[0].targetPort', 'at least one letter'],
  ['a port of zero', service({ ports: [{ port: 0 }] }), 'spec.ports[0].port', 'found 0'],
  ['half a port', service({ ports: [{ port: 80.5 }] }), 'spec.ports[0].port', 'found 80.5'],
  ['a cluster IP that is none', service({ clusterIP: 'none' }), 'spec.clusterIP', 'an IP address or None'],
  ['an ExternalName without name', service({ type: 'ExternalName' }), 'spec.externalName', 'missing'],
  ['an ExternalName that is a URL', service({ type: 'ExternalName', externalName: 'http://a/' }), 'spec.externalName', 'found "http://a/"'],
  ['an IPv6 address in a slice of IPv4', slice({ endpoints: [{ addresses: ['::1'] }] }), 'endpoints[0].addresses[0]', 'found "::1"; it must be an IPv4 address'],
  ['an address with a zone', slice({ addressType: 'IPv6', endpoints: [{ addresses: ['fe80::1%eth0'] }] }), 'endpoints[0].addresses[0]', 'without zone'],
  ['a condition in quotes', slice({ endpoints: [{ addresses: ['10.0.0.1'], conditions: { ready: 'true' } }] }), 'endpoints[0].conditions.ready', 'true or false'],
  ['an empty port number', slice({ ports: [{ port: '' }] }), 'ports[0].port', 'found ""'],
  ['no address type', slice({ addressType: undefined }), 'addressType', 'missing'],
  ['data that is no base64', secret({ data: { 'tls.key': 'not base64' } }), 'data[tls.key]', 'found a string of 10 characters; it must be base64'],
  ['base64 without padding', secret({ data: { a: 'AA' } }), 'data[a]', 'with padding'],
  ['data beyond the size limit', secret({ stringData: { a: 'x'.repeat(1024 * 1024 + 1) } }), '', 'at most 1048576'],
  ['a data key with a slash', { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c' }, data: { 'a/b': '' } }, 'data[a/b]', 'found "a/b"'],
  ['an Ingress of a version that is gone', { ...ingress({}), apiVersion: 'extensions/v1beta1' }, 'apiVersion', 'which Kubernetes has removed; it must be networking.k8s.io/v1'],
  ['no apiVersion', { ...ingress({}), apiVersion: undefined }, 'apiVersion', 'missing; it must be networking.k8s.io/v1'],
  ['no kind', { apiVersion: 'v1' }, '', 'it has no kind'],
  ['no object at all', 'Ingress', '', 'it is no mapping'],
  ['nothing', null, '', 'it is no mapping'],
];

for (const [what, input, field, message] of REFUSED) {
  test(`${what} is refused, with its field and what is allowed`, (t) => {
    const all = complaints(input);
    t.true(all.some((complaint) => complaint.startsWith(`${field}: `) && complaint.includes(message)), all.join('\n'));
  });
}

test('all that is wrong with an object is told at once, as errors that refuse the object', (t) => {
  const input = ingress({ ingressClassName: 7, rules: [{ host: 'A' }, { host: 'ok.example.com', http: { paths: [{ ...path, path: 'x' }, { ...path, pathType: 'no' }] } }] }, { name: 'WEB' });
  const problems = problemsOf(decode(input));
  t.deepEqual(problems.map(({ origin }) => origin.field), ['metadata.name', 'spec.ingressClassName', 'spec.rules[0].host', 'spec.rules[1].http.paths[0].path', 'spec.rules[1].http.paths[1].pathType']);
  for (const problem of problems) t.like(problem, { severity: 'error', reason: 'InvalidObject', effect: 'ObjectRefused', origin: { kind: 'Ingress', namespace: 'shop', name: 'WEB' } });
});

test('an object with very many faults names the first fifty and counts the others', (t) => {
  const problems = problemsOf(decode(slice({ endpoints: Array.from({ length: 1000 }, () => null) })));
  // A null endpoint is no mapping; nothing more is asked of it.
  t.is(problems.length, 51);
  t.regex(problems.at(-1)?.message ?? '', /^\d+ more problems/);
});

test('what was seen is cut, and shown without characters that move the cursor or the writing direction', (t) => {
  const [problem] = problemsOf(decode(ruled({ host: `\u001b[31m\u202e\u0085${'x'.repeat(500)}` })));
  t.regex(problem?.message ?? '', /^found "\\u001b\[31m\\u202e\\u0085x{50,}…"; it must/);
  t.true((problem?.message.length ?? 0) < 300);
  const named = problemsOf(decode(ingress({}, { name: `a\n${'b'.repeat(500)}` })))[0];
  t.is(named?.origin.name, `a\\n${'b'.repeat(97)}…`);
});

test('other kinds, and kinds of the same name in other groups, are passed over', (t) => {
  t.is(decode({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: null }), 'passed over');
  t.is(decode({ apiVersion: 'serving.knative.dev/v1', kind: 'Service' }), 'passed over');
  t.is(decode({ apiVersion: 'v1', kind: '__proto__' }), 'passed over');
  t.deepEqual(decodeAll({ apiVersion: 'example.com/v1', kind: 'AllowList', spec: {}, items: 'none' }), [{ path: [], decoded: 'passed over', misspelt: [] }]);
});

test('lists are flattened, typed lists give their items the kind, and a bad item harms no other', (t) => {
  const item = { metadata: { name: 'web' }, spec: { defaultBackend: backend } };
  const typed = decodeAll({ apiVersion: 'networking.k8s.io/v1', kind: 'IngressList', items: [item, null, item] });
  t.deepEqual(typed.map(({ path, decoded }) => [path, typeof decoded === 'object' && 'object' in decoded]), [[['items', 0], true], [['items', 1], false], [['items', 2], true]]);
  const nested = decodeAll({ apiVersion: 'v1', kind: 'List', items: [{ apiVersion: 'v1', kind: 'List', items: [ingress({ defaultBackend: backend })] }, { apiVersion: 'v1', kind: 'Pod' }] });
  t.deepEqual(nested.map(({ path }) => path.join('.')), ['items.0.items.0', 'items.1']);
  t.deepEqual(decodeAll({ apiVersion: 'v1', kind: 'List', items: null }), []);
  t.regex(JSON.stringify(decodeAll({ apiVersion: 'v1', kind: 'List', items: 7 })), /must be a list/);
});

test('a list that holds itself comes to an end', (t) => {
  const list: { apiVersion: string; kind: string; items: unknown[] } = { apiVersion: 'v1', kind: 'List', items: [] };
  list.items.push(list);
  t.regex(JSON.stringify(decodeAll(list)), /more than 5 deep/);
});

/** JSON as hostile as it comes, with the names that the decoder looks for. */
const names = fc.constantFrom('metadata', 'name', 'namespace', 'spec', 'rules', 'http', 'paths', 'host', 'data', 'stringData', 'items', 'endpoints', 'ports', 'port', 'subsets', 'labels', 'annotations', '__proto__', 'constructor', 'toString');
const hostile = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof({ maxDepth: 5 }, fc.constantFrom(null, undefined, true, Number.NaN, -1, 1e300, '', '__proto__', 'a\r\nb', '\0', 'x'.repeat(300)), fc.string(), fc.dictionary(fc.oneof(names, fc.string()), tie('value'), { maxKeys: 5 }), fc.array(tie('value'), { maxLength: 4 })),
})).value;

test('nothing makes the decoder throw, and whatever it takes is sound', (t) => {
  fc.assert(
    fc.property(fc.oneof(hostile, fc.jsonValue()), fc.constantFrom(...KINDS), (value, kind) => {
      for (const input of [value, { ...(typeof value === 'object' ? value : {}), kind, apiVersion: 'v1' }, { kind: `${kind}List`, items: [value] }]) {
        t.true(decodeAll(input).every(({ decoded }) => typeof decoded === 'object' || decoded === 'passed over'));
      }
      const decoded = decodeAs(kind, value);
      if ('problems' in decoded) t.true(decoded.problems.length > 0);
    }),
    { numRuns: 500 },
  );
});

test('a sound object with anything put anywhere is taken without control characters, or refused', (t) => {
  const sound: readonly Json[] = [
    ingress({ ingressClassName: 'c', tls: [{ hosts: ['a.example.com'], secretName: 's' }], rules: [{ host: 'a.example.com', http: { paths: [path] } }] }, { uid: 'u', labels: { a: 'b' }, annotations: { c: 'd' } }),
    service({ type: 'ClusterIP', clusterIP: 'None', externalIPs: ['10.0.0.1'], ports: [{ name: 'a', port: 80, targetPort: 'b', appProtocol: 'http' }] }),
    slice({ endpoints: [{ addresses: ['10.0.0.1'], conditions: { ready: true }, zone: 'z', nodeName: 'n' }] }),
    secret({ type: 'kubernetes.io/tls', data: { a: 'AAEC' } }),
  ];
  fc.assert(
    fc.property(fc.constantFrom(...sound), fc.infiniteStream(fc.nat()), hostile, (object, choices, value) => {
      const input = structuredClone(object);
      let at: Json = input;
      for (;;) {
        const keys = Object.keys(at);
        const key = keys[(choices.next().value ?? 0) % keys.length] ?? '';
        const child = at[key];
        if (typeof child === 'object' && child !== null && Object.keys(child).length > 0 && (choices.next().value ?? 0) % 4 !== 0) at = child as Json;
        else {
          at[key] = value;
          break;
        }
      }
      const decoded = decode(input);
      if (typeof decoded === 'string') return;
      for (const text of textsOf('object' in decoded ? decoded.object : decoded.remains)) t.notRegex(text, /[\r\n\0]/);
    }),
    { numRuns: 3000 },
  );
});

/** Every string of a value, annotation values and data aside. */
function* textsOf(value: unknown, key = ''): Iterable<string> {
  if (typeof value === 'string') yield value;
  else if (value instanceof Map) {
    for (const [name, entry] of value) {
      yield String(name);
      if (key !== 'annotations' && key !== 'data') yield* textsOf(entry);
    }
  } else if (typeof value === 'object' && value !== null) {
    for (const [name, entry] of Object.entries(value)) yield* textsOf(entry, name);
  }
}

test('no Problem of a Secret shows anything that it holds', (t) => {
  const MARK = 'MARKOFASECRET';
  const leaky = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof({ maxDepth: 4 }, fc.constantFrom<unknown>(MARK, `${MARK}\n`, `-----BEGIN PRIVATE KEY-----\n${MARK}`, [MARK], 7), fc.dictionary(fc.constantFrom('a', 'data', 'tls.key', `x/${MARK} y`, 'annotations', 'labels', 'uid', 'type', 'generation', 'creationTimestamp'), tie('value')), fc.array(tie('value'), { maxLength: 2 })),
  })).value;
  fc.assert(
    fc.property(leaky, leaky, leaky, leaky, (data, stringData, type, metadata) => {
      const decoded = decode(secret({ data, stringData, type }, typeof metadata === 'object' ? { ...metadata, name: 'tls' } : { annotations: metadata }));
      if (typeof decoded === 'object' && 'problems' in decoded) t.notRegex(JSON.stringify(decoded.problems), new RegExp(MARK));
    }),
    { numRuns: 1000 },
  );
});

test('an object of any kind with any hostile text in any string is decoded or refused in plain, short words', (t) => {
  const seen = new Set<string>();
  for (const { field, text, object } of hostileObjects()) {
    const decoded = decode(object);
    if (decoded === 'passed over') continue;
    seen.add(object.kind);
    if ('object' in decoded) continue;
    const shown = `${object.kind} ${field} ${JSON.stringify(text.slice(0, 30))}`;
    t.true(decoded.problems.length > 0, shown);
    for (const { message } of decoded.problems) if (message.length >= 1000 || /[\0\r\n]/.test(message)) t.fail(shown);
  }
  t.deepEqual([...seen].sort(), [...KINDS].sort());
});
