import test from 'ava';
import type { KubeObject } from '../../controller/kube/objects.ts';
import { Pipeline } from '../../controller/pipeline.ts';
import type { DnsAnswers, PipelineResult } from '../../controller/pipeline.ts';
import { objectOf, readManifests, storeOf } from '../support/manifests.ts';
import { answerTo, documents, ingressYaml, problemLines, runOnce, serviceYaml, SETTINGS } from '../support/pipeline.ts';

const NO_ANSWERS: DnsAnswers = new Map();

/** A pipeline and its store, told of changes as a source tells them. */
function live(yaml: string, settings: Partial<typeof SETTINGS> = {}) {
  const store = storeOf(yaml);
  const pipeline = new Pipeline({ ...SETTINGS, ...settings });
  pipeline.run(store, NO_ANSWERS);
  const run = (change: { put?: string; remove?: KubeObject }, dns: DnsAnswers = NO_ANSWERS): PipelineResult => {
    const changes = readManifests(change.put ?? '').objects.map((object) => store.put(object));
    if (change.remove !== undefined) changes.push(store.remove(change.remove.kind, `${change.remove.metadata.namespace}/${change.remove.metadata.name}`)!);
    return pipeline.run(store, dns, changes);
  };
  return { store, run, touched: (result: PipelineResult) => Object.entries(result.touched).flatMap(([section, keys]) => [...keys].map((key) => `${section} ${key}`)) };
}

const THREE_HOSTS = documents(serviceYaml('web', 'api'), ...['a', 'b', 'c'].map((name) => ingressYaml({ name, host: `${name}.example`, paths: ['Prefix / web', 'Prefix /api api'] })));

test('of two Ingresses with the same host, path and type the oldest wins, and the loser is told who won', (t) => {
  const young = ingressYaml({ name: 'a-young', host: 'a.example', paths: ['Prefix /x web', 'Prefix /own web'], created: '2025-01-01T00:00:00Z' });
  const old = ingressYaml({ name: 'z-old', host: 'a.example', paths: ['Prefix /x/ api'], created: '2024-01-01T00:00:00Z' });
  const result = runOnce(documents(serviceYaml('web', 'api'), young, old));
  t.is(answerTo(result.sections, 'a.example', '/x'), 'default/api:80');
  t.is(answerTo(result.sections, 'a.example', '/own'), 'default/web:80');
  t.deepEqual(problemLines(result), ['RouteConflict RouteRefused Ingress a-young spec.rules[0].http.paths[0]']);
  t.regex(result.problems[0]!.message, /Ingress default\/z-old spec\.rules\[0\]\.http\.paths\[0\]/);
});

test('of the same age, namespace and name decide; without an age an Ingress is the youngest', (t) => {
  const at = (name: string, service: string, created?: string): string => ingressYaml({ name, host: 'a.example', paths: [`Prefix / ${service}`], ...(created !== undefined && { created }) });
  const answer = (...ingresses: string[]): string => answerTo(runOnce(documents(serviceYaml('web', 'api'), ...ingresses)).sections, 'a.example', '/');
  t.is(answer(at('b', 'web', '2024-01-01T00:00:00Z'), at('a', 'api', '2024-01-01T00:00:00Z')), 'default/api:80');
  t.is(answer(at('b', 'web'), at('a', 'api')), 'default/api:80');
  t.is(answer(at('a', 'web'), at('b', 'api', '2030-01-01T00:00:00Z')), 'default/api:80');
});

test('when the winner goes, the loser takes its place', (t) => {
  const old = ingressYaml({ name: 'old', host: 'a.example', paths: ['Prefix / api'], created: '2024-01-01T00:00:00Z' });
  const { store, run } = live(documents(serviceYaml('web', 'api'), old, ingressYaml({ name: 'young', host: 'a.example', paths: ['Prefix / web'] })));
  const result = run({ remove: store.objects.Ingress.get('default/old')! });
  t.is(answerTo(result.sections, 'a.example', '/'), 'default/web:80');
  t.deepEqual(result.problems, []);
});

test('unmatched paths of a host go to the oldest default backend of its Ingresses, else to that of the flag, else nowhere', (t) => {
  const spec = (service: string): string => `defaultBackend: {service: {name: ${service}, port: {number: 80}}}`;
  const plain = ingressYaml({ name: 'plain', host: 'a.example', paths: ['Prefix /a web'], created: '2020-01-01T00:00:00Z' });
  const first = ingressYaml({ name: 'first', host: 'a.example', paths: ['Prefix /b web'], created: '2021-01-01T00:00:00Z', spec: spec('one') });
  const second = ingressYaml({ name: 'second', host: 'a.example', paths: ['Prefix /c web'], created: '2022-01-01T00:00:00Z', spec: spec('two') });
  const services = serviceYaml('web', 'one', 'two', 'flag');
  const all = runOnce(documents(services, plain, first, second), { defaultBackendService: 'default/flag' });
  t.is(answerTo(all.sections, 'a.example', '/x'), 'default/one:80');
  t.deepEqual(problemLines(all), ['RouteConflict RouteRefused Ingress second spec.defaultBackend']);
  t.is(answerTo(all.sections, 'other.example', '/x'), 'default/flag:80');
  const flagged = runOnce(documents(services, plain), { defaultBackendService: 'default/flag' });
  t.is(answerTo(flagged.sections, 'a.example', '/x'), 'default/flag:80');
  t.is(answerTo(runOnce(documents(services, plain)).sections, 'a.example', '/x'), '404');
});

test('requests to unknown hosts get the oldest Ingress without rules, else the default backend of the flag, else 404', (t) => {
  const bare = (name: string, service: string, created: string): string => ingressYaml({ name, created, spec: `defaultBackend: {service: {name: ${service}, port: {number: 80}}}` });
  const services = serviceYaml('one', 'two', 'flag');
  const both = documents(services, bare('b', 'one', '2020-01-01T00:00:00Z'), bare('a', 'two', '2021-01-01T00:00:00Z'));
  t.is(answerTo(runOnce(both, { defaultBackendService: 'default/flag' }).sections, 'x.example', '/'), 'default/one:80');
  t.is(answerTo(runOnce(services, { defaultBackendService: 'default/flag' }).sections, 'x.example', '/'), 'default/flag:80');
  t.is(answerTo(runOnce(services).sections, 'x.example', '/'), '404');
});

test('a rule without paths still owns its host', (t) => {
  const wild = ingressYaml({ name: 'wild', host: '*.example', paths: ['Prefix / web'] });
  const { sections } = runOnce(documents(serviceYaml('web'), wild, ingressYaml({ name: 'empty', host: 'a.example' })));
  t.is(answerTo(sections, 'a.example', '/'), '404');
  t.is(answerTo(sections, 'b.example', '/'), 'default/web:80');
});

test('a flag that names no Service is told, and unmatched requests stay 404', (t) => {
  const result = runOnce(ingressYaml({ name: 'a', host: 'a.example' }), { defaultBackendService: 'default/nowhere' });
  t.is(answerTo(result.sections, 'a.example', '/'), '404');
  t.deepEqual(problemLines(result), ['BackendNotFound ValueIgnored Flag --default-backend-service']);
});

test('the default backend of a denied Ingress is denied as well', (t) => {
  const annotations = 'nginx.ingress.kubernetes.io/auth-url: "https://auth.example"';
  const denied = ingressYaml({ name: 'a', host: 'a.example', paths: ['Prefix /a web'], annotations });
  const { sections } = runOnce(documents(serviceYaml('web', 'flag'), denied), { defaultBackendService: 'default/flag' });
  t.is(answerTo(sections, 'a.example', '/a'), '503 RouteDenied');
  t.is(answerTo(sections, 'a.example', '/x'), '503 RouteDenied');
});

test('a Service or port that is not there answers 503 until it is', (t) => {
  const { run } = live(ingressYaml({ name: 'a', host: 'a.example', paths: ['Prefix / web'] }));
  const without = run({});
  t.is(answerTo(without.sections, 'a.example', '/'), '503 NoClusterFound');
  t.deepEqual(problemLines(without), ['BackendNotFound RouteDenied Ingress a spec.rules[0].http.paths[0].backend.service']);
  const wrongPort = run({ put: '{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {ports: [{port: 81}]}}' });
  t.is(answerTo(wrongPort.sections, 'a.example', '/'), '503 NoClusterFound');
  const right = run({ put: serviceYaml('web') });
  t.is(answerTo(right.sections, 'a.example', '/'), 'default/web:80');
  t.deepEqual(right.problems, []);
});

test('an EndpointSlice change touches the endpoints of its Service alone', (t) => {
  const { run, touched } = live(THREE_HOSTS);
  const slice = (address: string): string =>
    `{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: web-1, labels: {kubernetes.io/service-name: web}}, addressType: IPv4, ports: [{port: 8080}], endpoints: [{addresses: [${address}]}]}`;
  t.deepEqual(touched(run({ put: slice('10.9.9.9') })), ['endpoints default/web:80']);
  t.deepEqual(touched(run({ put: slice('10.9.9.9') })), []);
});

test('what did not change keeps its identity', (t) => {
  const { run, touched } = live(THREE_HOSTS);
  const before = run({});
  const hosts = { ...before.sections.virtualHosts };
  const result = run({ put: ingressYaml({ name: 'b', host: 'b.example', paths: ['Prefix / api'] }) });
  t.deepEqual(touched(result), ['virtualHosts http+https/b.example']);
  t.is(result.sections.virtualHosts['http+https/a.example'], hosts['http+https/a.example']);
  t.not(result.sections.virtualHosts['http+https/b.example'], hosts['http+https/b.example']);
});

test('an Ingress whose status or labels alone changed touches nothing', (t) => {
  const { store, run, touched } = live(THREE_HOSTS);
  const ingress = store.objects.Ingress.get('default/b')!;
  store.put({ ...ingress, metadata: { ...ingress.metadata, resourceVersion: '2', labels: new Map([['a', 'b']]) } });
  t.deepEqual(touched(run({ put: '' })), []);
});

test('a slice that is given to another Service leaves the first', (t) => {
  const { run } = live(THREE_HOSTS);
  const { sections } = run({
    put: '{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: web-1, labels: {kubernetes.io/service-name: api}}, addressType: IPv4, ports: [{port: 8080}], endpoints: [{addresses: [10.0.0.1]}]}',
  });
  t.deepEqual(sections.endpoints['default/web:80'], []);
  t.deepEqual(sections.endpoints['default/api:80']?.map(({ address }) => address), ['10.0.0.1', '10.0.0.2']);
});

test('clusters that nobody routes to any more leave the table', (t) => {
  const { store, run } = live(documents(serviceYaml('web'), ingressYaml({ name: 'a', host: 'a.example', paths: ['Prefix / web'] })));
  const { sections } = run({ remove: store.objects.Ingress.get('default/a')! });
  t.deepEqual([sections.virtualHosts, sections.clusters, sections.endpoints], [{}, {}, {}]);
});

test('an IngressClass that comes or goes decides about Ingresses at once', (t) => {
  const spec = 'ingressClassName: edge';
  const { store, run } = live(documents(serviceYaml('web'), ingressYaml({ name: 'a', host: 'a.example', paths: ['Prefix / web'], spec })));
  t.is(answerTo(run({}).sections, 'a.example', '/'), '404');
  const ours = run({ put: '{apiVersion: networking.k8s.io/v1, kind: IngressClass, metadata: {name: edge}, spec: {controller: fairlead.dev/ingress-controller}}' });
  t.is(answerTo(ours.sections, 'a.example', '/'), 'default/web:80');
  t.is(answerTo(run({ remove: store.objects.IngressClass.get('/edge')! }).sections, 'a.example', '/'), '404');
});

test('the name of an ExternalName Service is asked for, and its answers become endpoints', (t) => {
  const external = '{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {type: ExternalName, externalName: api.partner.example}}';
  const { store, run, touched } = live(documents(external, ingressYaml({ name: 'a', host: 'a.example', paths: ['Prefix / web'] })));
  t.deepEqual(run({}).hostnames, ['api.partner.example']);
  const answers = new Map([['api.partner.example', { addresses: ['203.0.113.1'] }]]);
  const answered = run({}, answers);
  t.deepEqual(touched(answered), ['endpoints default/web:80']);
  t.is(answered.sections.endpoints['default/web:80']?.[0]?.address, '203.0.113.1');
  answers.set('api.partner.example', { addresses: ['203.0.113.2'] });
  t.is(run({}, answers).sections.endpoints['default/web:80']?.[0]?.address, '203.0.113.2', 'a map that is changed in place is noticed');
  const gone = run({ remove: store.objects.Ingress.get('default/a')! });
  t.deepEqual(gone.hostnames, []);
});

test('a bug that one object sets off is told, and nothing else notices', (t) => {
  const good = objectOf('Ingress', ingressYaml({ name: 'good', host: 'good.example', paths: ['Prefix / web'] }));
  const store = storeOf(serviceYaml('web'));
  store.put(good);
  store.put({
    ...good,
    metadata: { ...good.metadata, name: 'bad' },
    get rules(): never {
      throw new Error('boom');
    },
  });
  const result = runOnce(store);
  t.is(answerTo(result.sections, 'good.example', '/'), 'default/web:80');
  t.deepEqual(problemLines(result), ['InternalError ObjectRefused Ingress bad']);
});

test('names that JavaScript gives a meaning are names like others', (t) => {
  const words = ['constructor', 'tostring', 'valueof', 'hasownproperty'];
  const { sections, problems } = runOnce(documents(serviceYaml(...words), ...words.map((name) => ingressYaml({ name, host: `${name}.example`, paths: [`Prefix /__proto__ ${name}`] }))));
  for (const name of words) t.is(answerTo(sections, `${name}.example`, '/__proto__'), `default/${name}:80`);
  t.deepEqual(problems, []);
});
