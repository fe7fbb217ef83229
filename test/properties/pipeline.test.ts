// What must hold for the pipeline whatever happens to the objects: what it remembers is only an optimisation, the order in
// which objects come does not matter, and `touched` names every key that changed.
import test from 'ava';
import fc from 'fast-check';
import { selfSigned } from '../../certs/self-signed.ts';
import type { KubeObject } from '../../controller/kube/objects.ts';
import { KubeStore } from '../../controller/kube/state.ts';
import type { Change } from '../../controller/kube/state.ts';
import type { Problem } from '../../controller/model/problem.ts';
import { Pipeline } from '../../controller/pipeline.ts';
import type { DnsAnswers, PipelineResult, PipelineSettings } from '../../controller/pipeline.ts';
import { compileTable } from '../../proxy/match/compile.ts';
import { SECTION_NAMES } from '../../proxy/table/snapshot.ts';
import { objectOf, readManifests, secretYaml } from '../support/manifests.ts';
import { ingressYaml, SETTINGS } from '../support/pipeline.ts';

// A small world, so that objects meet each other often. Every certificate covers every host: a bad one that follows a good
// one is the one thing in which history counts, and it is tested on its own.
const CERTIFICATES = [1, 2].map(() => selfSigned({ hostnames: ['a.example', 'b.example', '*.example'] }));

const from = <T>(...values: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...values);
const some = <T>(arbitrary: fc.Arbitrary<T>, maxLength: number): fc.Arbitrary<T[]> => fc.array(arbitrary, { maxLength });
const name = from('x', 'y', 'z');
const namespace = from('n', 'm');

const path = fc
  .record({ path: from('/', '/a', '/a/', '/a/b', '/A%2f'), pathType: from('Exact', 'Prefix', 'ImplementationSpecific'), service: name, port: from('{number: 80}', '{name: http}', '{number: 81}') })
  .map(({ path: text, pathType, service, port }) => `{path: "${text === '/A%2f' && pathType !== 'ImplementationSpecific' ? '/A' : text}", pathType: ${pathType}, backend: {service: {name: ${service}, port: ${port}}}}`);

const rule = fc
  .record({ host: from('a.example', 'b.example', '*.example', ''), paths: some(path, 3) })
  .map(({ host, paths }) => `{host: "${host}"${paths.length === 0 ? '' : `, http: {paths: [${paths.join()}]}`}}`);

const ingress = fc
  .record({
    name,
    namespace,
    created: from('', '2024-01-01T00:00:00Z', '2025-01-01T00:00:00Z'),
    annotations: from('', '', '', '', 'nginx.ingress.kubernetes.io/auth-url: x', 'nginx.ingress.kubernetes.io/use-regex: "true"', 'nginx.ingress.kubernetes.io/server-snippet: deny all;', 'nginx.ingress.kubernetes.io/server-alias: "b.example,c.example,*.example"', 'fairlead.dev/force-ssl-redirect: "true"', 'nginx.ingress.kubernetes.io/canary: "true"', 'fairlead.dev/unknown: x'),
    className: from('', '', '', '', 'ingressClassName: edge, ', 'ingressClassName: other, '),
    fallback: from('', 'defaultBackend: {service: {name: x, port: {number: 80}}}, '),
    tls: from('', 'tls: [{hosts: [a.example], secretName: x}], ', 'tls: [{secretName: y}, {hosts: ["*.example"], secretName: z}], '),
    rules: fc.array(rule, { minLength: 1, maxLength: 3 }),
  })
  .map((words) =>
    objectOf(
      'Ingress',
      `{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: ${words.name}, namespace: ${words.namespace}, creationTimestamp: "${words.created}", annotations: {${words.annotations}}}, spec: {${words.className}${words.fallback}${words.tls}rules: [${words.rules.join()}]}}`,
    ),
  );

const service = fc
  .record({
    name,
    namespace,
    spec: from(
      '{ports: [{port: 80}]}',
      '{ports: [{name: http, port: 80, targetPort: 8080}, {name: other, port: 81}]}',
      '{clusterIP: None, ports: [{name: http, port: 81, appProtocol: grpc}]}',
      '{type: ExternalName, externalName: one.test}',
      '{type: ExternalName, externalName: two.test}',
      '{type: ExternalName, externalName: two.test, ports: [{port: 80}]}',
      '{type: ExternalName, externalName: localhost}',
    ),
  })
  .map((words) => objectOf('Service', `{apiVersion: v1, kind: Service, metadata: {name: ${words.name}, namespace: ${words.namespace}}, spec: ${words.spec}}`));

const slice = fc
  .record({ name, namespace, service: from('x', 'y', 'z', ''), port: from('{port: 8080}', '{name: http, port: 8080}', '{name: http, port: 9090}'), addresses: some(from('10.0.0.1', '10.0.0.2', '169.254.0.1'), 3), ready: fc.boolean() })
  .map((words) =>
    objectOf(
      'EndpointSlice',
      `{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: ${words.name}, namespace: ${words.namespace}, labels: {kubernetes.io/service-name: "${words.service}"}}, addressType: IPv4, ports: [${words.port}], endpoints: [${words.addresses.map((address) => `{addresses: [${address}], conditions: {ready: ${words.ready}, serving: true}}`).join()}]}`,
    ),
  );

const endpoints = fc
  .record({ name, namespace, address: from('10.1.0.1', '10.1.0.2') })
  .map((words) => objectOf('Endpoints', `{apiVersion: v1, kind: Endpoints, metadata: {name: ${words.name}, namespace: ${words.namespace}}, subsets: [{addresses: [{ip: ${words.address}}], ports: [{port: 8080}]}]}`));

const ingressClass = fc
  .record({ name: from('edge', 'other'), controller: from('fairlead.dev/ingress-controller', 'example.com/other'), byDefault: fc.boolean() })
  .map((words) =>
    objectOf(
      'IngressClass',
      `{apiVersion: networking.k8s.io/v1, kind: IngressClass, metadata: {name: ${words.name}, annotations: {ingressclass.kubernetes.io/is-default-class: "${words.byDefault}"}}, spec: {controller: ${words.controller}}}`,
    ),
  );

const secret = fc.record({ name, namespace, certificate: from(...CERTIFICATES) }).map((words) => objectOf('Secret', secretYaml(words.name, words.certificate.chainPem, words.certificate.keyPem, words.namespace)));

const object: fc.Arbitrary<KubeObject> = fc.oneof({ weight: 4, arbitrary: ingress }, { weight: 3, arbitrary: service }, { weight: 3, arbitrary: slice }, endpoints, ingressClass, secret);

type Step = { readonly put: KubeObject } | { readonly remove: number } | { readonly refuse: number; readonly why: string } | { readonly answer: string; readonly addresses: readonly string[] };
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: object.map((put) => ({ put })) },
  { weight: 2, arbitrary: fc.nat().map((remove) => ({ remove })) },
  fc.record({ refuse: fc.nat(), why: from('one thing is wrong', 'another thing is wrong') }),
  fc.record({ answer: from('one.test', 'two.test'), addresses: some(from('203.0.113.1', '203.0.113.2', '127.0.0.1'), 2) }),
);

const settings: fc.Arbitrary<PipelineSettings> = fc
  .record({ watchIngressWithoutClass: from(true, true, true, false), defaultBackendService: from(undefined, 'n/x'), defaultSslCertificate: from(undefined, 'n/x') })
  .map(({ watchIngressWithoutClass, defaultBackendService, defaultSslCertificate }) => ({
    ...SETTINGS,
    watchIngressWithoutClass,
    ...(defaultBackendService !== undefined && { defaultBackendService }),
    ...(defaultSslCertificate !== undefined && { defaultSslCertificate }),
  }));

/** Where histories begin: with something of everything, so that most steps change what is in use. */
const BEGINNING: readonly KubeObject[] = readManifests(
  [
    ingressYaml({ name: 'x', namespace: 'n', host: 'a.example', paths: ['Prefix / x', 'Prefix /a y'], spec: 'tls: [{hosts: [a.example], secretName: x}]' }),
    ingressYaml({ name: 'y', namespace: 'm', host: 'b.example', paths: ['Exact /a x', 'Prefix /a z'], spec: 'tls: [{secretName: y}, {secretName: z}]' }),
    ...['n', 'm'].flatMap((where) => [
      `{apiVersion: v1, kind: Service, metadata: {name: x, namespace: ${where}}, spec: {type: ExternalName, externalName: one.test}}`,
      `{apiVersion: v1, kind: Service, metadata: {name: y, namespace: ${where}}, spec: {ports: [{name: http, port: 80}]}}`,
      `{apiVersion: v1, kind: Service, metadata: {name: z, namespace: ${where}}, spec: {ports: [{port: 80}]}}`,
    ]),
  ].join('\n---\n'),
).objects;

function beginning(): KubeStore {
  const store = new KubeStore();
  for (const each of BEGINNING) store.put(each);
  return store;
}

/** Does a step to the store; returns what a source would tell of it. */
function apply(store: KubeStore, dns: Map<string, { readonly addresses: readonly string[] }>, one: Step): Change[] {
  if ('put' in one) return [store.put(one.put)];
  if ('answer' in one) {
    dns.set(one.answer, { addresses: one.addresses });
    return [];
  }
  const all = Object.values(store.objects).flatMap((map) => [...map.values()] as KubeObject[]);
  const victim = all[('remove' in one ? one.remove : one.refuse) % Math.max(1, all.length)];
  if (victim === undefined) return [];
  const { namespace: in_, name: called } = victim.metadata;
  const key = `${in_}/${called}`;
  const why = (message: string): Problem => ({ severity: 'error', reason: 'InvalidObject', origin: { kind: victim.kind, namespace: in_, name: called }, message, effect: 'ObjectRefused' });
  // What remains of it is never the object itself.
  const change = 'remove' in one ? store.remove(victim.kind, key) : store.refuse(victim.kind, key, [why(one.why)], victim.kind === 'Ingress' ? { ...victim } : undefined);
  return change === undefined ? [] : [change];
}

/** All of a result that a fresh pipeline must give as well; a copy, for the pipeline changes its sections in place. */
function outcome({ sections, problems, hostnames }: PipelineResult): unknown {
  return structuredClone({ sections, problems, hostnames });
}

function fresh(from_: PipelineSettings, store: KubeStore, dns: DnsAnswers): unknown {
  return outcome(new Pipeline(from_).run(store, dns));
}

test('a pipeline that saw every change gives what a fresh one gives', (t) => {
  fc.assert(
    fc.property(settings, some(some(step, 3), 12), (with_, batches) => {
      const store = beginning();
      const dns = new Map<string, { readonly addresses: readonly string[] }>();
      const pipeline = new Pipeline(with_);
      pipeline.run(store, dns);
      for (const batch of batches) {
        const result = pipeline.run(store, dns, batch.flatMap((one) => apply(store, dns, one)));
        t.deepEqual(outcome(result), fresh(with_, store, dns));
      }
    }),
    { numRuns: 200 },
  );
  t.pass();
});

test('told of nothing in particular, it finds every change by itself', (t) => {
  fc.assert(
    fc.property(settings, some(some(step, 4), 5), (with_, batches) => {
      const store = beginning();
      const dns = new Map<string, { readonly addresses: readonly string[] }>();
      const pipeline = new Pipeline(with_);
      for (const batch of batches) {
        for (const one of batch) apply(store, dns, one);
        t.deepEqual(outcome(pipeline.run(store, dns)), fresh(with_, store, dns));
      }
    }),
    { numRuns: 80 },
  );
  t.pass();
});

test('touched names every key that changed, and nothing else loses its identity', (t) => {
  fc.assert(
    fc.property(settings, some(some(step, 3), 10), (with_, batches) => {
      const store = beginning();
      const dns = new Map<string, { readonly addresses: readonly string[] }>();
      const pipeline = new Pipeline(with_);
      const copy: Record<string, Record<string, unknown>> = Object.fromEntries(SECTION_NAMES.map((section) => [section, {}]));
      for (const batch of [[], ...batches]) {
        const { sections, touched } = pipeline.run(store, dns, batch.flatMap((one) => apply(store, dns, one)));
        for (const section of SECTION_NAMES) {
          for (const key of touched[section]) {
            if (Object.hasOwn(sections[section], key)) copy[section]![key] = sections[section][key];
            else delete copy[section]![key];
          }
          t.deepEqual(Object.keys(copy[section]!).sort(), Object.keys(sections[section]).sort());
          for (const [key, entry] of Object.entries(sections[section])) t.is(copy[section]![key], entry);
        }
      }
    }),
    { numRuns: 100 },
  );
  t.pass();
});

test('objects in any order give the same table', (t) => {
  fc.assert(
    fc.property(settings, fc.oneof(some(object, 20), some(ingress, 6)).chain((objects) => fc.tuple(fc.constant(objects), fc.shuffledSubarray(objects, { minLength: objects.length }))), (with_, [objects, shuffled]) => {
      // Of two objects with the same name the later one counts, in both orders the same one.
      const last = new Map(objects.map((each) => [`${each.kind} ${each.metadata.namespace}/${each.metadata.name}`, each]));
      const kept = new Set(last.values());
      const [one, other] = [objects, shuffled].map((list) => {
        const store = new KubeStore();
        for (const each of list) if (kept.has(each)) store.put(each);
        return fresh(with_, store, new Map());
      });
      t.deepEqual(one, other);
    }),
    { numRuns: 300 },
  );
  t.pass();
});

test('every table compiles, and every reference in it leads somewhere', (t) => {
  fc.assert(
    fc.property(settings, some(object, 20), (with_, objects) => {
      const store = new KubeStore();
      for (const each of objects) store.put(each);
      const { sections } = new Pipeline(with_).run(store, new Map());
      t.deepEqual(compileTable(sections).errors, []);
      for (const host of Object.values(sections.virtualHosts)) {
        if (host.certificate !== undefined) t.truthy(sections.certificates[host.certificate]);
        for (const { action } of host.routes) {
          if (action.type === 'Forward') for (const { cluster } of action.clusters) t.true(Object.hasOwn(sections.clusters, cluster) && Object.hasOwn(sections.endpoints, cluster));
        }
      }
      for (const listener of Object.values(sections.listeners)) if (listener.tls !== undefined) t.truthy(sections.certificates[listener.tls.defaultCertificate]);
    }),
    { numRuns: 150 },
  );
  t.pass();
});
