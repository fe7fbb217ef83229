// Gates whose paths are regular expressions: an Ingress with a protective annotation that is not supported, beside one that has the
// rest of the host. What the expression matches is closed, as far as ingress-nginx would have asked there; and so it is for one that
// protects nothing, lest another application answer.
import test from 'ava';
import { answerTo, documents, ingressYaml, problemLines, runOnce, serviceYaml } from '../support/pipeline.ts';

const OPEN = 'default/web:80';
const CLOSED = '503 RouteDenied';
const AUTH = 'nginx.ingress.kubernetes.io/auth-url: "https://login.example"';
const REGEX = 'nginx.ingress.kubernetes.io/use-regex: "true"';
const REWRITE = 'nginx.ingress.kubernetes.io/rewrite-target: /$2';

function answers(path: string, annotations: string, requests: readonly string[], more: readonly string[] = []): string[] {
  const gate = ingressYaml({ name: 'gate', host: 'a.example', paths: [`ImplementationSpecific ${path} admin`], created: '2025-01-01T00:00:00Z', annotations });
  const site = ingressYaml({ name: 'site', host: 'a.example', paths: ['Prefix / web', ...more], created: '2024-01-01T00:00:00Z' });
  const { sections } = runOnce(documents(serviceYaml('web', 'admin'), site, gate));
  return requests.map((request) => answerTo(sections, 'a.example', request));
}

for (const [path, closed, open] of [
  ['/admin(/|$)(.*)', ['/admin', '/admin/', '/admin/x/y', '/ADMIN/x'], ['/', '/administrators']],
  ['/(admin|internal)/.*', ['/admin/x', '/internal/', '/Internal/x'], ['/admin', '/other/admin/x']],
  ['/api(/v[0-9]+)?/admin', ['/api/admin', '/api/v2/admin', '/api/v2/administrators'], ['/api/vx/admin']],
  ['/plain', ['/plain', '/plain/x', '/Plain', '/plainer'], ['/', '/x/plain']],
  // What RE2 does not know closes all that begins alike.
  ['/api/(?!public).*', ['/api/', '/api/x', '/api/public'], ['/', '/apix']],
  ['/ab?(?!c)', ['/a', '/ab', '/ac'], ['/', '/b']],
  ['/x(?!a)|/y', ['/x', '/y', '/'], []],
  ['/caf[eé]', ['/cafe', '/caf%C3%A9'], ['/ca']],
  [`/${'(?!x)'.repeat(700)}`, ['/', '/y'], []],
] as const) {
  for (const annotation of [REGEX, REWRITE]) {
    test(`a closed ${path.slice(0, 40)} with ${annotation.slice(28)} is closed for what it matches`, (t) => {
      t.deepEqual(answers(path, `${AUTH}, ${annotation}`, closed), closed.map(() => CLOSED));
      t.deepEqual(answers(path, `${AUTH}, ${annotation}`, open), open.map(() => OPEN));
    });
  }
}

test('without use-regex and rewrite-target a path is text, and an Ingress that protects nothing takes no other paths than that', (t) => {
  t.deepEqual(answers('/a.c', AUTH, ['/a.c', '/abc', '/A.c']), [CLOSED, OPEN, OPEN]);
  t.deepEqual(answers('/a.c', `${AUTH}, nginx.ingress.kubernetes.io/use-regex: "false"`, ['/a.c', '/abc']), [CLOSED, OPEN]);
  t.deepEqual(answers('/a.c', REGEX, ['/a.c', '/abc']), ['default/admin:80', OPEN]);
});

test('a longer path of another Ingress stands before the expression, as in ingress-nginx', (t) => {
  t.deepEqual(answers('/admin/.*', `${AUTH}, ${REGEX}`, ['/admin/static/x', '/admin/x'], ['Prefix /admin/static web']), [OPEN, CLOSED]);
});

test('two paths that read alike are closed once, and nobody is told of a conflict', (t) => {
  const gate = ingressYaml({ name: 'gate', host: 'a.example', paths: ['Exact /x admin', 'Prefix /x admin'], annotations: `${AUTH}, ${REGEX}` });
  const result = runOnce(documents(serviceYaml('admin'), gate));
  t.is(answerTo(result.sections, 'a.example', '/xy'), CLOSED);
  t.deepEqual(problemLines(result).map((line) => line.split(' ')[0]), ['UnsupportedProtectiveAnnotation', 'UnsupportedAnnotation']);
});

test('an Ingress whose paths are regular expressions makes those of all gates of its host such, as in ingress-nginx', (t) => {
  const web = serviceYaml('web', 'admin');
  const site = ingressYaml({ name: 'site', host: 'a.example', paths: ['Prefix / web'], created: '2024-01-01T00:00:00Z' });
  const gate = ingressYaml({ name: 'gate', host: 'a.example', paths: ['Prefix /admin admin'], created: '2025-01-01T00:00:00Z', annotations: AUTH });
  const other = (host: string, path: string, annotations: string) => ingressYaml({ name: 'other', host, paths: [`ImplementationSpecific ${path} web`], created: '2026-01-01T00:00:00Z', annotations });
  const answered = (more: string) => {
    const { sections } = runOnce(documents(web, site, gate, more));
    return ['/admin/x', '/Admin/x', '/administrators', '/x/admin'].map((path) => answerTo(sections, 'a.example', path));
  };
  const asPattern = [CLOSED, CLOSED, CLOSED, OPEN];
  const asText = [CLOSED, OPEN, OPEN, OPEN];
  t.deepEqual(answered(other('a.example', '/api/(.*)', REGEX)), asPattern);
  t.deepEqual(answered(other('a.example', '/api(/|$)(.*)', REWRITE)), asPattern);
  t.deepEqual(answered(other('b.example', '/api/(.*)', REGEX)), asText, 'of another host');
  t.deepEqual(answered(other('a.example', '/api', 'nginx.ingress.kubernetes.io/rewrite-target: /api')), asText, 'nothing is rewritten');
  t.deepEqual(answered(other('a.example', '/api', 'nginx.ingress.kubernetes.io/use-regex: "false"')), asText);
});

test('every host of the Ingress is closed alike, rules without a host among them', (t) => {
  const gate = ingressYaml({ name: 'gate', paths: ['ImplementationSpecific /ad.in admin'], created: '2025-01-01T00:00:00Z', annotations: `${AUTH}, ${REGEX}` });
  const { sections } = runOnce(documents(serviceYaml('web', 'admin'), ingressYaml({ name: 'site', paths: ['Prefix / web'], created: '2024-01-01T00:00:00Z' }), gate));
  t.deepEqual(['/admin', '/'].map((path) => answerTo(sections, 'b.example', path)), [CLOSED, OPEN]);
});

const UNSUPPORTED = 'UnsupportedPath RouteDenied Ingress gate spec.rules[0].http.paths[0].path';

for (const [path, closed, open] of [
  ['/api(/|$)(.*)', ['/api', '/api/x', '/API/x'], ['/', '/apix', '/other']],
  ['/(.*)', ['/', '/x'], []],
  ['/index\\\\.html', ['/index.html'], ['/index-html', '/']],
  ['/api/?(.*)', ['/api', '/apix', '/api/x'], ['/', '/ap']],
  ['/v[0-9]{1,2}$', ['/v1', '/v12'], ['/v123', '/v1/x']],
] as const) {
  for (const annotation of [REGEX, REWRITE]) {
    test(`what ${path} matches with ${annotation.slice(28)} is no other application's, and one error`, (t) => {
      t.deepEqual(answers(path, annotation, closed), closed.map(() => CLOSED));
      t.deepEqual(answers(path, annotation, open), open.map(() => OPEN));
      const result = runOnce(documents(serviceYaml('admin'), ingressYaml({ name: 'gate', host: 'a.example', paths: [`ImplementationSpecific ${path} admin`], annotations: annotation })));
      t.deepEqual(problemLines(result).filter((line) => !line.startsWith('UnsupportedAnnotation')), [UNSUPPORTED]);
      t.is(result.problems.find(({ reason }) => reason === 'UnsupportedPath')?.severity, 'error');
    });
  }
}

test('a path that is plain text goes to its own Service, beside one that is an expression', (t) => {
  const gate = ingressYaml({ name: 'gate', host: 'a.example', paths: ['ImplementationSpecific /api(/|$)(.*) admin', 'Prefix /plain admin', 'Exact /v1.0/index.html admin'], annotations: REWRITE });
  const result = runOnce(documents(serviceYaml('admin'), gate));
  t.deepEqual(['/plain/x', '/v1.0/index.html', '/api/x'].map((path) => answerTo(result.sections, 'a.example', path)), ['default/admin:80', 'default/admin:80', CLOSED]);
  t.deepEqual(problemLines(result).filter((line) => !line.startsWith('UnsupportedAnnotation')), [UNSUPPORTED]);
});

for (const path of ['/(?!api).*', '/(?!api|static).*']) {
  test(`beside ${path}, which no text can stand for, longer paths of others are theirs`, (t) => {
    const front = ingressYaml({ name: 'front', host: 'a.example', paths: [`ImplementationSpecific ${path} web`], annotations: REGEX });
    const others = ingressYaml({ name: 'others', host: 'a.example', paths: ['Prefix /api admin', 'Prefix /c++ admin', 'Prefix /cats admin'] });
    const { sections } = runOnce(documents(serviceYaml('web', 'admin'), front, others));
    t.deepEqual(['/api', '/api/x', '/c++', '/cats', '/', '/other'].map((each) => answerTo(sections, 'a.example', each)), [...Array<string>(4).fill('default/admin:80'), CLOSED, CLOSED]);
  });
}

test('an expression without annotations is one where another Ingress of its host says so, and else text without a Problem', (t) => {
  const site = ingressYaml({ name: 'site', host: 'a.example', paths: ['Prefix / web'], created: '2024-01-01T00:00:00Z' });
  const gate = ingressYaml({ name: 'gate', host: 'a.example', paths: ['ImplementationSpecific /api(/|$)(.*) admin'] });
  const answered = (more: string) => {
    const result = runOnce(documents(serviceYaml('web', 'admin'), site, gate, more));
    return [answerTo(result.sections, 'a.example', '/api/x'), problemLines(result).filter((line) => !line.startsWith('UnsupportedAnnotation'))];
  };
  t.deepEqual(answered(ingressYaml({ name: 'other', host: 'a.example', paths: ['Prefix /other web'], annotations: REGEX })), [CLOSED, [UNSUPPORTED]]);
  t.deepEqual(answered(ingressYaml({ name: 'other', host: 'b.example', paths: ['Prefix /other web'], annotations: REGEX })), [OPEN, []]);
});
