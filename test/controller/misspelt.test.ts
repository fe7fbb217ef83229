// Words of manifests that Kubernetes does not have: told with their place and what was probably meant, and nothing else changes.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { FileSource } from '../../controller/files.ts';
import { decodeAll } from '../../controller/kube/decode.ts';
import { near } from '../../controller/model/near.ts';

test('a word is near another one by few edits, in any case, and short words by fewer', (t) => {
  const words = ['tls', 'host', 'rules', 'ingressClassName', 'auth-url', 'whitelist-source-range'];
  for (const [written, meant] of [
    ['tsl', 'tls'], ['TLS', 'tls'], ['tl', 'tls'], ['hosts', 'host'], ['hots', 'host'], ['rlues', 'rules'], ['ingressClasName', 'ingressClassName'], ['ingressclassname', 'ingressClassName'],
    ['auht-ulr', 'auth-url'], ['whitelist-sorce-rang', 'whitelist-source-range'], ['wihtelist-source-rnage', 'whitelist-source-range'],
    ['t', undefined], ['lst', undefined], ['rewls', undefined], ['', undefined], ['whitelist-range', undefined], ['whitelst-sorce-rang', undefined], ['x'.repeat(100_000), undefined],
  ] as const) t.is(near(written, words), meant, written.slice(0, 40));
});

/** `file:line field: message` of each. */
async function told(t: ExecutionContext, name: string, text: string): Promise<{ lines: string[]; source: FileSource }> {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-misspelt-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, name), text);
  const source = new FileSource([folder], { watch: false });
  await source.start(() => {});
  const lines = source.problems().map(({ severity, origin, message }) => {
    const place = source.locate(origin);
    return `${place?.file.slice(folder.length + 1)}:${place?.line} ${severity} ${origin.kind} ${origin.name} ${origin.field ?? ''}: ${message}`;
  });
  return { lines, source };
}

const BACKEND = '{service: {name: web, port: {number: 80}}}';

test('unknown fields of an Ingress are told at their lines, and it is served without them', async (t) => {
  const { lines, source } = await told(t, 'a.yaml', `# first
apiVersion: v1
kind: List
items:
- apiVersion: networking.k8s.io/v1
  kind: Ingress
  metadata:
    name: web
    anotations: {a: b}
  spec:
    ingressClasName: nginx
    tsl: [{hosts: [a.example], secretName: s}]
    tls:
    - {host: a.example, secretName: s}
    rules:
    - host: a.example
      http:
        paths:
        - path: /
          pathtype: Prefix
          pathType: Prefix
          backend: ${BACKEND}
        - {path: /x, pathType: Prefix, backend: {service: {name: web, port: {number: 80, protocol: TCP}}}}
    unheardOf: true
`);
  t.deepEqual(lines, [
    'a.yaml:9 warning Ingress web metadata.anotations: an Ingress has no field "anotations" here; did you mean annotations?',
    'a.yaml:11 warning Ingress web spec.ingressClasName: an Ingress has no field "ingressClasName" here; did you mean ingressClassName?',
    'a.yaml:12 warning Ingress web spec.tsl: an Ingress has no field "tsl" here; did you mean tls?',
    'a.yaml:14 warning Ingress web spec.tls[0].host: an Ingress has no field "host" here; did you mean hosts?',
    'a.yaml:20 warning Ingress web spec.rules[0].http.paths[0].pathtype: an Ingress has no field "pathtype" here; did you mean pathType?',
    'a.yaml:23 warning Ingress web spec.rules[0].http.paths[1].backend.service.port.protocol: an Ingress has no field "protocol" here',
    'a.yaml:24 warning Ingress web spec.unheardOf: an Ingress has no field "unheardOf" here',
  ]);
  t.is(source.state.objects.Ingress.get('default/web')?.rules[0]?.paths.length, 2);
});

test('a field that makes its object unfit is told beside what is missing', async (t) => {
  const { lines } = await told(t, 'a.yaml', `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec:
  rules: [{http: {paths: [{path: /, pathType: Prefix, backend: {servce: {name: web}}}]}}]
`);
  t.deepEqual(lines.map((line) => line.split(':').at(-1)), [' an Ingress has no field "servce" here; did you mean service?', ' needs exactly one of service and resource']);
});

test('kinds that a group of Kubernetes does not have are told; those that it has, and other groups, are not', async (t) => {
  const kinds = [
    ['networking.k8s.io/v1', 'Ingresss'], ['networking.k8s.io/v1', 'HTTPRoute'], ['networking.k8s.io/v1', 'NetworkPolicy'], ['networking.k8s.io/v1', 'ServiceCIDR'],
    ['discovery.k8s.io/v1', 'EndpointSlices'], ['v1', 'Sercvice'], ['v1', 'configmap'], ['v1', 'Pod'], ['v1', 'Node'], ['v1', 'ServiceAccount'], ['v1', 'Config'], ['v1', '__proto__'],
    ['example.com/v1', 'Ingresss'], ['networking.internal.knative.dev/v1alpha1', 'Ingress'],
  ];
  const { lines } = await told(t, 'kinds.yaml', kinds.map(([apiVersion, kind]) => `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: x}\n`).join('---\n'));
  t.deepEqual(lines, [
    'kinds.yaml:2 warning Ingresss x kind: networking.k8s.io/v1 has no kind "Ingresss"; did you mean Ingress?',
    'kinds.yaml:6 warning HTTPRoute x kind: networking.k8s.io/v1 has no kind "HTTPRoute"',
    'kinds.yaml:18 warning EndpointSlices x kind: discovery.k8s.io/v1 has no kind "EndpointSlices"; did you mean EndpointSlice?',
    'kinds.yaml:22 warning Sercvice x kind: v1 has no kind "Sercvice"; did you mean Service?',
    'kinds.yaml:26 warning configmap x kind: v1 has no kind "configmap"; did you mean ConfigMap?',
  ]);
});

test('what was written is shown short and without what moves a cursor, and a hostile object is told of in few words', (t) => {
  const names = Array.from({ length: 1_000 }, (_, index) => `\u001b[31m${index}${'x'.repeat(500)}`);
  const spec = { ...Object.fromEntries(names.map((name) => [name, 1])), __proto__: null, rules: [[[]], null, 7] };
  const [item] = decodeAll({ apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', metadata: { name: 'web' }, spec });
  t.is(item?.misspelt.length, 50);
  for (const { message, origin } of item?.misspelt ?? []) {
    t.false(`${message}${origin.field}`.includes('\u001b'));
    t.true(message.length < 250 && (origin.field ?? '').length < 150);
  }
});
