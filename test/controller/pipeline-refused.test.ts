// Ingresses that are refused as a whole, beside one that has the rest of their host: what was there to keep somebody out stays closed,
// whatever the mistake is, and what was not is as if it were not there.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { load } from '../../controller/cli/load.ts';
import type { Loaded } from '../../controller/cli/load.ts';
import { settingsOf } from '../../controller/cli/options.ts';
import { explain } from '../../controller/explain.ts';
import { FileSource } from '../../controller/files.ts';
import { Pipeline } from '../../controller/pipeline.ts';
import { authoritySecretYaml } from '../support/fixed-authority.ts';
import { until } from '../support/kube/until.ts';
import { answerTo, documents, ingressYaml, serviceYaml, SETTINGS } from '../support/pipeline.ts';

const OPEN = 'default/web:80';
const CLOSED = '503 RouteDenied';
const FLAGS = settingsOf(['--manifests', '.']);
const ALLOW = 'nginx.ingress.kubernetes.io/whitelist-source-range: 10.0.0.0/8';
const UNQUOTED = 'nginx.ingress.kubernetes.io/proxy-body-size: 0';
const SITE = documents(serviceYaml('web'), ingressYaml({ name: 'site', host: 'a.example', paths: ['Prefix / web'], created: '2024-01-01T00:00:00Z' }));
const ADMIN = ingressYaml({ name: 'admin', host: 'a.example', paths: ['Prefix /admin web'], annotations: ALLOW });
const annotated = (annotations: string): string => ingressYaml({ name: 'admin', host: 'a.example', paths: ['Prefix /admin web'], annotations: annotations.replaceAll('@', 'nginx.ingress.kubernetes.io/') });

function folder(t: ExecutionContext, ...yaml: readonly string[]): string {
  const path = mkdtempSync(join(tmpdir(), 'fairlead-refused-'));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  writeFileSync(join(path, 'all.yaml'), documents(...yaml));
  return path;
}

const read = (t: ExecutionContext, ...yaml: readonly string[]): Promise<Loaded> => load([folder(t, ...yaml)], FLAGS, false);
const answers = ({ sections }: Pick<Loaded, 'sections'>, ...paths: readonly string[]): string[] => paths.map((path) => answerTo(sections, 'a.example', path));
const told = ({ problems }: Loaded): string[] => problems.map(({ reason, effect, origin }) => `${reason} ${effect} ${origin.field?.replace(/.*\/(.*)\]$/, '$1')}`).toSorted();

const edited = (from: string, to: string): string => {
  if (!ADMIN.includes(from)) throw new Error(from);
  return ADMIN.replace(from, to);
};

for (const [mistake, yaml] of [
  ['another annotation is a number', annotated(`@whitelist-source-range: 10.0.0.0/8, ${UNQUOTED}`)],
  ['another annotation holds a CR', annotated('@whitelist-source-range: 10.0.0.0/8, @x: "a\\rb"')],
  ['the protective annotation is a number', annotated('@limit-rps: 5')],
  ['the protective annotation is a boolean', annotated('@enable-modsecurity: true')],
  ['the protective annotation is a list', annotated('@whitelist-source-range: [10.0.0.0/8]')],
  ['the protective annotation is a mapping', annotated('@auth-url: {url: https://login.example}')],
  ['the protective annotation holds a CR', annotated('@auth-url: "https://login.example\\r"')],
  ['a label is a number', edited('metadata: {', 'metadata: {labels: {a: 1}, ')],
  ['the name is a number', edited('name: admin', 'name: 12')],
  ['the name is in upper case', edited('name: admin', 'name: Admin')],
  ['the creation time is none', edited('metadata: {', 'metadata: {creationTimestamp: soon, ')],
  ['the version is an old one', edited('networking.k8s.io/v1', 'networking.k8s.io/v1beta1')],
  ['the version is missing', edited('networking.k8s.io/v1', '""')],
  ['the host is in upper case', edited('a.example', 'A.Example')],
  ['a path type is unknown', edited('pathType: Prefix', 'pathType: prefix')],
  ['a path type is missing', edited('pathType: Prefix, ', '')],
  ['a backend has no port', edited(', port: {number: 80}', '')],
  ['a backend is missing', edited(', backend: {service: {name: web, port: {number: 80}}}', '')],
  ['another path has no slash in front', edited('paths: [', 'paths: [{path: x, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}, ')],
  ['another path is none', edited('paths: [', 'paths: [null, ')],
  ['another host is none', edited('rules: [', 'rules: [{host: "a b"}, {host: [a.example]}, ')],
  ['another rule is none', edited('rules: [', 'rules: [null, a.example, ')],
  ['a tls entry is none', edited('spec: {', 'spec: {tls: [a.example], ')],
] as const) {
  test(`where ${mistake}, the routes of a protective Ingress are closed, and no others`, async (t) => {
    const loaded = await read(t, SITE, yaml, ingressYaml({ name: 'any', paths: ['Prefix / web'] }));
    t.deepEqual(answers(loaded, '/admin', '/admin/x', '/', '/other'), [CLOSED, CLOSED, OPEN, OPEN]);
    t.is(answerTo(loaded.sections, 'b.example', '/'), OPEN);
    t.is(loaded.problems.filter(({ reason, effect }) => reason === 'ProtectiveIngressRefused' && effect === 'RouteDenied').length, 1);
    t.true(loaded.problems.some(({ effect }) => effect === 'ObjectRefused'));
  });
}

test('a path that is missing means all of the host, as it once did', async (t) => {
  t.deepEqual(answers(await read(t, documents(serviceYaml('web')), edited('path: "/admin", ', '')), '/', '/admin'), [CLOSED, CLOSED]);
});

test('an Ingress that protects nothing, is of another class or stands behind another one is as if it were not there when it is refused', async (t) => {
  for (const [yaml, problem] of [
    [annotated(UNQUOTED), 'InvalidObject ObjectRefused proxy-body-size'],
    [annotated('@limit-rps: 0, @auth-url: ""'), 'InvalidObject ObjectRefused limit-rps'],
    [annotated(`@whitelist-source-range: "0.0.0.0/0,::/0", ${UNQUOTED}`), 'InvalidObject ObjectRefused proxy-body-size'],
    [annotated('@whitelist-source-range: 10.0.0.0/8, @canary: true'), 'InvalidObject ObjectRefused canary'],
    [annotated(`@whitelist-source-range: 10.0.0.0/8, ${UNQUOTED}`).replace('spec: {', 'spec: {ingressClassName: other, '), 'InvalidObject ObjectRefused proxy-body-size'],
    [edited('rules: [{host: "a.example", ', 'rules: [{host: "a_b", '), 'InvalidObject ObjectRefused spec.rules[0].host'],
  ] as const) {
    const loaded = await read(t, SITE, yaml);
    t.deepEqual(answers(loaded, '/admin', '/'), [OPEN, OPEN]);
    t.deepEqual(told(loaded), [problem]);
  }
});

test('check and explain say why, and where', async (t) => {
  const loaded = await read(t, SITE, annotated(`@whitelist-source-range: 10.0.0.0/8, ${UNQUOTED}`));
  t.deepEqual(told(loaded), ['InvalidObject ObjectRefused proxy-body-size', 'ProtectiveIngressRefused RouteDenied whitelist-source-range']);
  const { answer } = explain(loaded.sections, { url: 'http://a.example/admin', method: 'GET', headers: [], from: '192.0.2.1' }, loaded.locate, FLAGS, loaded.problems);
  t.regex(answer?.because?.[0]?.problem.message ?? '', /is refused \(metadata.annotations\[.*proxy-body-size\]: found 0; .*\), and whitelist-source-range restricts access: .* answers 503/);
  t.truthy(answer?.because?.[0]?.place);
});

test('a server-snippet of a refused Ingress closes all of its hosts, an alias of one does not fall to others, and its expressions close what they match', async (t) => {
  const snippet = await read(t, SITE, annotated(`@server-snippet: "deny all;", ${UNQUOTED}`));
  t.deepEqual(answers(snippet, '/admin', '/'), [CLOSED, CLOSED]);
  const alias = await read(t, SITE, annotated(`@whitelist-source-range: 10.0.0.0/8, @server-alias: b.example, ${UNQUOTED}`), ingressYaml({ name: 'any', paths: ['Prefix / web'] }));
  t.deepEqual(['b.example', 'c.example'].map((host) => answerTo(alias.sections, host, '/')), [CLOSED, OPEN]);
  const regex = await read(t, SITE, annotated(`@whitelist-source-range: 10.0.0.0/8, @use-regex: true`).replace('Prefix', 'ImplementationSpecific').replace('"/admin"', '"/(admin|intern)/.*"'));
  t.deepEqual(answers(regex, '/Admin/x', '/intern/', '/'), [CLOSED, CLOSED, OPEN]);
});

test('client certificates that a refused Ingress asks for close its hosts, unless an older one says who may come', async (t) => {
  const authority = authoritySecretYaml('default/ca');
  const refused = annotated(`@auth-tls-secret: default/ca, ${UNQUOTED}, @ssl-passthrough: "true"`).replace('metadata: {', 'metadata: {creationTimestamp: "2025-01-01T00:00:00Z", ');
  const alone = await read(t, SITE, refused, authority);
  t.deepEqual(answers(alone, '/admin', '/'), ['403 RouteDenied', '403 RouteDenied']);
  t.deepEqual(told(alone), ['InvalidAnnotation HostDenied auth-tls-secret', 'InvalidObject ObjectRefused proxy-body-size']);
  const older = ingressYaml({ name: 'older', host: 'a.example', paths: ['Prefix /older web'], created: '2023-01-01T00:00:00Z', annotations: 'nginx.ingress.kubernetes.io/auth-tls-secret: default/ca' });
  const beside = await read(t, SITE, refused, authority, older);
  t.deepEqual(answers(beside, '/admin', '/', '/older'), [CLOSED, OPEN, OPEN]);
  t.deepEqual(told(beside), ['InvalidAnnotation RouteDenied auth-tls-secret', 'InvalidObject ObjectRefused proxy-body-size']);
});

test('while it runs: a refused Ingress is closed from its first version on, also when its host changes, until it is repaired or gone', async (t) => {
  const path = folder(t, SITE);
  const source = new FileSource([path]);
  t.teardown(() => source.stop());
  const pipeline = new Pipeline(SETTINGS);
  await source.start((changes) => void pipeline.run(source.state, new Map(), changes));
  const { sections } = pipeline.run(source.state, new Map());
  const expect = (what: string, ...expected: readonly string[]) => until(what, () => answers({ sections }, '/admin', '/x').join() === expected.join());
  await expect('nothing is closed', OPEN, OPEN);
  const write = (yaml: string): void => writeFileSync(join(path, 'admin.yaml'), `${yaml}\n`);
  const refused = annotated(`@whitelist-source-range: 10.0.0.0/8, ${UNQUOTED}`);
  write(refused);
  await expect('it is closed', CLOSED, OPEN);
  write(refused.replace('/admin', '/x'));
  await expect('the other path is closed, for the same reason', OPEN, CLOSED);
  write(annotated(UNQUOTED));
  await expect('what protects nothing closes nothing', OPEN, OPEN);
  write(refused);
  await expect('it is closed again', CLOSED, OPEN);
  write(annotated('@proxy-body-size: "0"'));
  await expect('it is repaired', OPEN, OPEN);
  write(refused);
  await until('it is told', () => source.problems().length > 0);
  t.deepEqual(answers({ sections }, '/admin', '/x'), [OPEN, OPEN], 'a last good version goes on');
  rmSync(join(path, 'admin.yaml'));
  await until('it is gone', () => source.problems().length === 0);
  write(refused);
  await expect('it is as new', CLOSED, OPEN);
});

test('rules that cannot be read are not taken for those of every host', async (t) => {
  const site = documents(serviceYaml('web'), ingressYaml({ name: 'all', paths: ['Prefix / web'] }));
  const broken = `{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: broken, annotations: {${ALLOW}}, creationTimestamp: "2020-01-01T00:00:00Z"}, spec: {rules: {host: a.example}, defaultBackend: {service: {name: web, port: {number: 80}}}}}`;
  t.deepEqual(answers(await read(t, site, broken), '/'), [OPEN]);
});
