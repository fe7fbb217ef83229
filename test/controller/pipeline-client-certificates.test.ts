// Two Ingresses that ask for client certificates of one host: the older one says how. What the younger one may serve then is never
// open to clients whom it would keep out.
import test from 'ava';
import { authoritySecretYaml } from '../support/fixed-authority.ts';
import { answerTo, documents, ingressYaml, problemLines, runOnce, serviceYaml } from '../support/pipeline.ts';

const KEPT = 'default/web:80';
const CLOSED = '503 RouteDenied';
const SECRET = 'auth-tls-secret: default/ca';

/** What each asks for, and what then becomes of the younger one's path. */
const ROWS: readonly (readonly [old: string, young: string, answer: string])[] = [
  [SECRET, SECRET, KEPT],
  [SECRET, `${SECRET}, auth-tls-verify-client: optional`, KEPT],
  [`${SECRET}, auth-tls-match-cn: CN=ann`, SECRET, KEPT],
  [`${SECRET}, auth-tls-match-cn: CN=ann`, `${SECRET}, auth-tls-match-cn: CN=ann, auth-tls-pass-certificate-to-upstream: "true"`, KEPT],
  [`${SECRET}, auth-tls-verify-depth: "2"`, SECRET, KEPT],
  [SECRET, 'auth-tls-secret: default/copy', KEPT],
  [SECRET, 'auth-tls-secret: default/missing, auth-tls-verify-client: off', KEPT],
  [`${SECRET}, auth-tls-verify-client: optional`, SECRET, CLOSED],
  [`${SECRET}, auth-tls-verify-client: off`, SECRET, CLOSED],
  [`${SECRET}, auth-tls-verify-client: optional_no_ca`, `${SECRET}, auth-tls-verify-client: optional`, CLOSED],
  [SECRET, `${SECRET}, auth-tls-match-cn: CN=ann`, CLOSED],
  [`${SECRET}, auth-tls-match-cn: CN=bob`, `${SECRET}, auth-tls-match-cn: CN=ann`, CLOSED],
  [SECRET, 'auth-tls-secret: default/missing', CLOSED],
];

function prefixed(annotations: string): string {
  return annotations.replaceAll('auth-tls-', 'nginx.ingress.kubernetes.io/auth-tls-').replaceAll(/: (off|optional_no_ca)/g, ': "$1"');
}

for (const [old, young, answer] of ROWS) {
  test(`(${old}) of the older Ingress and (${young}) of the younger one: the latter's routes are ${answer === KEPT ? 'served' : 'closed'}`, (t) => {
    const ingress = (name: string, path: string, created: string, annotations: string): string =>
      ingressYaml({ name, host: 'a.example', paths: [`Prefix ${path} web`], created: `${created}-01-01T00:00:00Z`, annotations: prefixed(annotations) });
    const result = runOnce(documents(
      serviceYaml('web'), authoritySecretYaml('default/ca'), authoritySecretYaml('default/copy'),
      ingress('old', '/', '2024', old), ingress('young', '/young', '2025', young),
    ));
    t.is(answerTo(result.sections, 'a.example', '/young', 'https'), answer);
    t.is(answerTo(result.sections, 'a.example', '/', 'https'), KEPT);
    const expected = old === young ? [] : [`SettingConflict ${answer === KEPT ? 'ValueIgnored' : 'RouteDenied'} Ingress young metadata.annotations[nginx.ingress.kubernetes.io/auth-tls-secret]`];
    t.deepEqual(problemLines(result), expected);
  });
}

test('a younger Ingress that is closed has no default backend either', (t) => {
  const young = ingressYaml({ name: 'young', host: 'a.example', paths: ['Prefix /young web'], created: '2025-01-01T00:00:00Z', annotations: prefixed(SECRET), spec: 'defaultBackend: {service: {name: web, port: {number: 80}}}' });
  const old = ingressYaml({ name: 'old', host: 'a.example', paths: ['Prefix /old web'], created: '2024-01-01T00:00:00Z', annotations: prefixed(`${SECRET}, auth-tls-verify-client: optional`) });
  const { sections } = runOnce(documents(serviceYaml('web'), authoritySecretYaml('default/ca'), old, young));
  t.deepEqual(['/old', '/young', '/else'].map((path) => answerTo(sections, 'a.example', path)), [KEPT, CLOSED, CLOSED]);
});

test('where the older one cannot be honoured either, the whole host is closed', (t) => {
  const young = ingressYaml({ name: 'young', host: 'a.example', paths: ['Prefix /young web'], created: '2025-01-01T00:00:00Z', annotations: prefixed(SECRET) });
  const old = ingressYaml({ name: 'old', host: 'a.example', paths: ['Prefix / web'], created: '2024-01-01T00:00:00Z', annotations: prefixed('auth-tls-secret: default/missing') });
  const result = runOnce(documents(serviceYaml('web'), authoritySecretYaml('default/ca'), old, young));
  t.is(answerTo(result.sections, 'a.example', '/young'), '403 RouteDenied');
  t.deepEqual(problemLines(result).map((line) => line.split(' ').slice(0, 4).join(' ')), ['InvalidCertificateRef HostDenied Ingress old', 'SettingConflict ValueIgnored Ingress young']);
});
