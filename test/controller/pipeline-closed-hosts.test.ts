// What closes more than the routes of its own Ingress, because what it asks for, and does not get, would keep people out of all of a host.
import test from 'ava';
import { settingsOf } from '../../controller/cli/options.ts';
import { explain } from '../../controller/explain.ts';
import { Pipeline } from '../../controller/pipeline.ts';
import { authoritySecretYaml } from '../support/fixed-authority.ts';
import { objectOf, storeOf } from '../support/manifests.ts';
import { answerTo, documents, ingressYaml, problemLines, runOnce, serviceYaml, SETTINGS } from '../support/pipeline.ts';

const OPEN = 'default/web:80';
const CLOSED = '503 RouteDenied';
const OLD = '2024-01-01T00:00:00Z';
const YOUNG = '2025-01-01T00:00:00Z';
const SERVER_SNIPPET = 'nginx.ingress.kubernetes.io/server-snippet';
const GUARD = `${SERVER_SNIPPET}: 'if ($http_x_secret != "s3cret") { return 403; }'`;
const SITE = ingressYaml({ name: 'site', host: 'a.example', paths: ['Prefix / web'], created: OLD, spec: 'defaultBackend: {service: {name: web, port: {number: 80}}}' });

test('a server-snippet that may keep somebody out closes all of its hosts, whoever has routes there, and no other host', (t) => {
  for (const created of [YOUNG, '2023-01-01T00:00:00Z']) {
    const guarded = ingressYaml({ name: 'guarded', host: 'a.example', paths: ['Prefix /a web'], created, annotations: GUARD });
    const other = ingressYaml({ name: 'other', host: 'b.example', paths: ['Prefix / web'] });
    const result = runOnce(documents(serviceYaml('web'), SITE, guarded, other));
    t.deepEqual(['/a', '/b', '/'].map((path) => answerTo(result.sections, 'a.example', path)), [CLOSED, CLOSED, CLOSED]);
    t.is(answerTo(result.sections, 'b.example', '/'), OPEN);
    t.deepEqual(problemLines(result), [`UnsupportedProtectiveAnnotation HostClosed Ingress guarded metadata.annotations[${SERVER_SNIPPET}]`]);
    t.regex(result.problems[0]?.message ?? '', /every route of the hosts of this Ingress, those of other Ingresses too unless the host belongs to another namespace, answers 503/);
  }
});

test('a server-snippet closes no host of another namespace, and explain still says what closed the routes of its own', (t) => {
  const guarded = ingressYaml({ name: 'guarded', namespace: 'other', host: 'a.example', paths: ['Prefix /a web'], created: YOUNG, annotations: GUARD });
  const { sections, problems } = runOnce(documents(serviceYaml('web'), SITE, guarded));
  t.deepEqual(['/a', '/b', '/'].map((path) => answerTo(sections, 'a.example', path)), [CLOSED, OPEN, OPEN]);
  const { answer } = explain(sections, { url: 'http://a.example/a', method: 'GET', headers: [], from: '192.0.2.1' }, () => undefined, settingsOf(['--manifests', '.']), problems);
  t.deepEqual(answer?.because?.map(({ problem: { effect } }) => effect), ['HostClosed']);
});

test('on a host that a server-snippet closes certificate authorities still get the answers to their challenges', (t) => {
  const guarded = ingressYaml({ name: 'guarded', host: 'a.example', paths: ['Prefix /a web'], created: YOUNG, annotations: GUARD });
  const solver = ingressYaml({ name: 'solver', host: 'a.example', paths: ['Exact /.well-known/acme-challenge/token web'], created: YOUNG });
  const { sections } = runOnce(documents(serviceYaml('web'), SITE, guarded, solver));
  t.deepEqual(['/.well-known/acme-challenge/token', '/.well-known/acme-challenge/other', '/b'].map((path) => answerTo(sections, 'a.example', path)), [OPEN, CLOSED, CLOSED]);
});

test('on such a host challenges are answered to no client that another Ingress keeps out', (t) => {
  const asks = (verify: string): string => `nginx.ingress.kubernetes.io/auth-tls-secret: default/ca, nginx.ingress.kubernetes.io/auth-tls-verify-client: "${verify}"`;
  const challenge = '/.well-known/acme-challenge/token';
  const guarded = ingressYaml({ name: 'guarded', host: 'a.example', paths: ['Prefix /a web'], created: OLD, annotations: `${GUARD}, ${asks('optional')}` });
  for (const [young, answer] of [['optional', OPEN], ['on', CLOSED]] as const) {
    const solver = ingressYaml({ name: 'solver', host: 'a.example', paths: [`Exact ${challenge} web`], created: YOUNG, annotations: asks(young) });
    const { sections } = runOnce(documents(serviceYaml('web'), authoritySecretYaml('default/ca'), guarded, solver));
    t.is(answerTo(sections, 'a.example', challenge), answer);
    for (const { routes } of Object.values(sections.virtualHosts)) for (const { filters } of routes) t.true(filters.some(({ type }) => type === 'client-certificate'));
  }
});

test('explain says on the route of another Ingress which server-snippet closed it', (t) => {
  const guarded = ingressYaml({ name: 'guarded', host: 'a.example', paths: ['Prefix /a web'], created: YOUNG, annotations: GUARD });
  const { sections, problems } = runOnce(documents(serviceYaml('web'), SITE, guarded));
  const { answer } = explain(sections, { url: 'http://a.example/b', method: 'GET', headers: [], from: '192.0.2.1' }, () => undefined, settingsOf(['--manifests', '.']), problems);
  t.like(answer?.action, { type: 'Respond', status: 503 });
  t.deepEqual(answer?.because?.map(({ problem: { origin } }) => `${origin.name} ${origin.field}`), [`guarded metadata.annotations[${SERVER_SNIPPET}]`]);
});

test('a server-snippet that keeps nobody out closes nothing, and a host is open again when the one that closed it is gone', (t) => {
  const harmless = ingressYaml({ name: 'guarded', host: 'a.example', paths: ['Prefix /a web'], annotations: `${SERVER_SNIPPET}: gzip on;` });
  t.is(answerTo(runOnce(documents(serviceYaml('web'), SITE, harmless)).sections, 'a.example', '/b'), OPEN);
  const guarded = ingressYaml({ name: 'guarded', host: 'a.example', paths: ['Prefix /a web'], annotations: GUARD });
  const store = storeOf(documents(serviceYaml('web'), SITE, guarded));
  const pipeline = new Pipeline(SETTINGS);
  t.is(answerTo(pipeline.run(store, new Map()).sections, 'a.example', '/b'), CLOSED);
  t.is(answerTo(pipeline.run(store, new Map(), [store.remove('Ingress', 'default/guarded')!]).sections, 'a.example', '/b'), OPEN);
});

test('TLS is not passed through on a host that a server-snippet closes', (t) => {
  const guarded = ingressYaml({ name: 'guarded', host: 'a.example', paths: ['Prefix /a web'], created: YOUNG, annotations: GUARD });
  const site = ingressYaml({ name: 'site', host: 'a.example', paths: ['Prefix / web'], created: OLD, annotations: 'nginx.ingress.kubernetes.io/ssl-passthrough: "true"' });
  const result = runOnce(documents(serviceYaml('web'), site, guarded));
  t.deepEqual(Object.values(result.sections.virtualHosts).map(({ passthrough }) => passthrough), [undefined]);
  t.is(problemLines(result).filter((line) => line.startsWith('PassthroughRefused')).length, 1);
});

const ALIAS = 'nginx.ingress.kubernetes.io/server-alias';
const aliased = (value: string, more = ''): string => ingressYaml({ name: 'aliased', host: 'a.example', paths: ['Prefix / web'], created: OLD, annotations: `${ALIAS}: "${value}"${more}` });
const other = (host?: string): string => ingressYaml({ name: 'other', ...(host === undefined ? {} : { host }), paths: ['Prefix / web'], created: YOUNG });

test('a host of server-alias is closed, and does not fall to a wildcard or to every other host, whether its Ingress is closed or not', (t) => {
  for (const [own, more] of [[OPEN, ''], [CLOSED, ', nginx.ingress.kubernetes.io/whitelist-source-range: 10.0.0.0/8']] as const) {
    for (const host of ['*.corp.example', undefined]) {
      const { sections } = runOnce(documents(serviceYaml('web'), aliased('b.corp.example, C.corp.example,', more), other(host)));
      t.deepEqual(['a.example', 'b.corp.example', 'c.corp.example', 'd.corp.example'].map((each) => answerTo(sections, each, '/')), [own, CLOSED, CLOSED, OPEN]);
    }
  }
});

test('an alias that a rule of its own Ingress names is served by that rule, and nothing is told', (t) => {
  const result = runOnce(documents(serviceYaml('web'), aliased('A.example')));
  t.is(answerTo(result.sections, 'a.example', '/'), OPEN);
  t.deepEqual(problemLines(result), []);
});

test('a wildcard of server-alias is closed, but for the hosts below it that a rule names', (t) => {
  const { sections } = runOnce(documents(serviceYaml('web'), aliased('*.corp.example'), other(), ingressYaml({ name: 'named', host: 'd.corp.example', paths: ['Prefix / web'] })));
  t.deepEqual(['b.corp.example', 'd.corp.example'].map((each) => answerTo(sections, each, '/')), [CLOSED, OPEN]);
});

test('a rule that names the host beats an alias, also a younger one, and as long as it is there', (t) => {
  const store = storeOf(documents(serviceYaml('web'), aliased('b.corp.example,*.corp.example,a.example', `, ${GUARD}`), other('b.corp.example')));
  store.put(objectOf('Ingress', ingressYaml({ name: 'wild', host: '*.corp.example', paths: ['Prefix /x web'], created: YOUNG })));
  const pipeline = new Pipeline(SETTINGS);
  const { sections } = pipeline.run(store, new Map());
  t.deepEqual(['b.corp.example', 'c.corp.example'].map((each) => answerTo(sections, each, '/x')), [OPEN, OPEN], 'a server-snippet of the Ingress with the alias does not close them either');
  pipeline.run(store, new Map(), [store.remove('Ingress', 'default/other')!]);
  t.is(answerTo(sections, 'b.corp.example', '/x'), CLOSED);
  pipeline.run(store, new Map(), [store.put(objectOf('Ingress', other('b.corp.example')))]);
  t.is(answerTo(sections, 'b.corp.example', '/x'), OPEN);
});

test('what is wrong with an alias is told once for each, and what cannot be closed is', (t) => {
  const result = runOnce(documents(serviceYaml('web'), aliased('b.corp.example,b.corp.example,*.corp.example,~^c\\\\d+$,www.*,10.0.0.1')));
  const at = `Ingress aliased metadata.annotations[${ALIAS}]`;
  t.deepEqual(problemLines(result).toSorted(), [...Array(2).fill(`UnsupportedAnnotation HostClosed ${at}`), ...Array(3).fill(`UnsupportedAnnotation ValueIgnored ${at}`)]);
  t.true(result.problems.every(({ severity, message }) => severity === 'error' && /answered 503|cannot be closed/.test(message)));
  t.regex(result.problems.find(({ hostname }) => hostname === '*.corp.example')?.message ?? '', /more labels in place of the star/);
});

test('a host of server-alias asks for no certificate of its own or of its clients, and gives none to the hosts below it', (t) => {
  const tls = 'tls: [{hosts: [a.example], secretName: none}]';
  const annotations = `${ALIAS}: "*.corp.example", nginx.ingress.kubernetes.io/auth-tls-secret: default/none, nginx.ingress.kubernetes.io/ssl-passthrough: "true"`;
  const result = runOnce(documents(serviceYaml('web'), ingressYaml({ name: 'aliased', host: 'a.example', paths: ['Prefix / web'], annotations, spec: tls }), other('b.corp.example')));
  t.is(answerTo(result.sections, 'b.corp.example', '/'), OPEN);
  t.is(Object.values(result.sections.virtualHosts).find(({ hostname }) => hostname === 'b.corp.example')?.routes[0]?.filters.length, 0, 'no redirect to https');
  t.is(result.problems.filter(({ message }) => message.includes('*.corp.example')).length, 1);
});

test('explain says which server-alias closed a host', (t) => {
  const { sections, problems } = runOnce(documents(serviceYaml('web'), aliased('b.example,c.example'), other()));
  const { answer } = explain(sections, { url: 'http://b.example/b', method: 'GET', headers: [], from: '192.0.2.1' }, () => undefined, settingsOf(['--manifests', '.']), problems);
  t.deepEqual(answer?.because?.map(({ problem: { origin, hostname } }) => `${origin.name} ${origin.field} ${hostname}`), [`aliased metadata.annotations[${ALIAS}] b.example`]);
});
