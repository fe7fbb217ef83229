import test from 'ava';
import { translateIngress } from '../../../controller/dialects/ingress/translate.ts';
import type { Ingress, IngressPath, IngressRule } from '../../../controller/kube/objects.ts';
import type { Translation } from '../../../controller/model/translation.ts';
import { objectOf } from '../../support/manifests.ts';

const BASE = objectOf('Ingress', '{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: web, namespace: shop}, spec: {rules: [{host: a.example}]}}');
const BACKEND: IngressPath['backend'] = { service: 'web', port: { number: 80 } };

function path(text: string, more: Partial<IngressPath> = {}): IngressPath {
  return { path: text, pathType: 'Prefix', backend: BACKEND, ...more };
}
function translate(rules: readonly IngressRule[], more: Partial<Ingress> = {}): Translation {
  return translateIngress({ ...BASE, rules, ...more });
}
const summary = ({ hosts }: Translation): string[] => hosts.map(({ hostname, routes }) => `${hostname}: ${routes.map(({ match }) => match.path.value).join(' ')}`);
const problemFields = ({ problems }: Translation): string[] => problems.map(({ origin, effect }) => `${origin.field} ${effect}`);

test('two rules of the same host are one host', (t) => {
  const translation = translate([
    { host: 'a.example', paths: [path('/a')] },
    { host: 'A.example', paths: [path('/b')] },
  ]);
  t.deepEqual(summary(translation), ['a.example: /a /b']);
  t.deepEqual(
    translation.hosts[0]!.routes.map(({ name }) => name),
    ['shop/web/rules[0].paths[0]', 'shop/web/rules[1].paths[0]'],
  );
  t.deepEqual(problemFields(translation), ['spec.rules[1].host None']);
});

// The decoder refuses most of these with the whole object, as the API server would; what reaches this stage all the same does no harm.
for (const host of ['a b', 'a_b', '1.2.3.4', '[::1]', '*', 'a.*.example', '*a.example', 'a..b', '.a', 'a.', '-a', 'a:80', 'x'.repeat(64), `${'a.'.repeat(130)}b`, '*.1.2.3.4.', '$(x)', '{}', "a'b", '"', ';', '__proto__']) {
  test(`a rule with the host ${JSON.stringify(host.slice(0, 20))} is refused alone`, (t) => {
    const translation = translate([
      { host, paths: [path('/a')] },
      { host: 'good.example', paths: [path('/b')] },
    ]);
    t.deepEqual(summary(translation), ['good.example: /b']);
    t.deepEqual(problemFields(translation), ['spec.rules[0].host RouteRefused']);
  });
}

test('a bad path and a resource backend are refused alone', (t) => {
  const resource = { resource: { apiGroup: 'k8s.example.com', kind: 'Bucket', name: 'icons' } };
  const translation = translate([{ host: 'a.example', paths: [path('no-slash'), path('/icons', { backend: resource }), path('/good')] }]);
  t.deepEqual(summary(translation), ['a.example: /good']);
  t.deepEqual(problemFields(translation), ['spec.rules[0].http.paths[0].path RouteRefused', 'spec.rules[0].http.paths[1].backend.resource RouteRefused']);
});

test('an Ingress without rules wants every other host, one with rules only the hosts that it names', (t) => {
  t.deepEqual(summary(translate([], { defaultBackend: BACKEND })), ['*: ']);
  const named = translate([{ host: 'a.example', paths: [] }], { defaultBackend: BACKEND });
  t.deepEqual(summary(named), ['a.example: ']);
  t.true(named.hosts[0]!.ownFallback);
  t.is(named.hosts[0]!.fallback.action.type, 'Forward');
});

test('without a default backend of its own, a host falls back to that of the controller', (t) => {
  const { hosts } = translate([{ host: 'a.example', paths: [] }]);
  t.false(hosts[0]!.ownFallback);
  t.deepEqual(hosts[0]!.fallback.action, { type: 'DefaultBackend' });
});

test('an object without creationTimestamp is the youngest', (t) => {
  t.is(translate([]).createdAt, Infinity);
  t.is(translateIngress({ ...BASE, metadata: { ...BASE.metadata, creationTimestamp: '2024-01-01T00:00:00Z' } }).createdAt, Date.UTC(2024, 0, 1));
});

test('certificates for rules that name no host are told to be without use', (t) => {
  const tls = [{ hosts: [], secretName: 'cert' }];
  t.deepEqual(problemFields(translate([{ host: '', paths: [path('/')] }], { tls })), ['spec.tls ValueIgnored']);
  t.deepEqual(problemFields(translate([{ host: 'a.example', paths: [] }], { tls })), []);
});
