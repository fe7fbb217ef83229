// What closes more than the routes of its own Ingress, because what it asks for, and does not get, would keep people out of all of a host.
import test from 'ava';
import { settingsOf } from '../../controller/cli/options.ts';
import { explain } from '../../controller/explain.ts';
import { Pipeline } from '../../controller/pipeline.ts';
import { storeOf } from '../support/manifests.ts';
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
    t.deepEqual(problemLines(result), [`UnsupportedProtectiveAnnotation HostDenied Ingress guarded metadata.annotations[${SERVER_SNIPPET}]`]);
    t.regex(result.problems[0]?.message ?? '', /every route of the hosts of this Ingress, whichever Ingress it belongs to, answers 503/);
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
