// Annotations of nothing but blanks. ingress-nginx trims texts, and what is empty then counts as absent; booleans and numbers it
// reads as they are, so that blanks are a bad value. What keeps somebody out is never absent because of blanks.
import test from 'ava';
import { annotate } from '../../../controller/dialects/ingress-nginx/annotate.ts';
import { PREFIXES } from '../../../controller/dialects/ingress-nginx/annotations.ts';
import { translateIngress } from '../../../controller/dialects/ingress/translate.ts';
import type { Ingress } from '../../../controller/kube/objects.ts';
import type { Translation } from '../../../controller/model/translation.ts';
import { objectOf } from '../../support/manifests.ts';

const BASE = objectOf(
  'Ingress',
  '{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: web, namespace: shop}, spec: {rules: [{host: a.example, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}]}}',
);
const BLANKS = [' ', '   ', '\n', ' \t\r\n '];
const [OURS, THEIRS] = PREFIXES;

/** Names without prefix are ingress-nginx's. */
function annotated(values: Readonly<Record<string, string>>): Translation {
  const annotations = new Map(Object.entries(values).map(([name, value]) => [name.includes('/') ? name : THEIRS + name, value]));
  const ingress: Ingress = { ...BASE, metadata: { ...BASE.metadata, annotations } };
  return annotate(ingress, translateIngress(ingress));
}

function upstreamOf(translation: Translation): unknown {
  const { action } = translation.hosts[0]!.routes[0]!;
  return action.type === 'Forward' ? action.backends[0]?.upstream : action;
}

/** Without which they would do nothing. */
const SESSION = { affinity: 'cookie' };
const TEXTS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'backend-protocol': {}, 'proxy-body-size': {}, 'proxy-next-upstream': {}, 'proxy-request-buffering': {}, 'proxy-buffering': {}, 'load-balance': {}, 'upstream-hash-by': {}, 'upstream-vhost': {}, 'ssl-ciphers': {},
  'ssl-protocols': {}, affinity: {}, 'affinity-mode': SESSION, 'session-cookie-name': SESSION, 'session-cookie-path': SESSION, 'session-cookie-domain': SESSION, 'session-cookie-expires': SESSION,
  'session-cookie-max-age': SESSION, 'session-cookie-samesite': SESSION, 'proxy-ssl-name': { 'proxy-ssl-secret': 'shop/ca' },
};

for (const [name, beside] of Object.entries(TEXTS)) {
  test(`${name} of blanks is absent: the default counts, as with an empty one`, (t) => {
    const without = annotated(beside);
    for (const blank of ['', ...BLANKS]) t.deepEqual(annotated({ ...beside, [name]: blank }), without, JSON.stringify(blank));
  });
}

test('a session cookie always has a name, and neither Path nor Domain without a value', (t) => {
  const { affinity } = upstreamOf(annotated({ affinity: 'cookie', 'session-cookie-name': ' ', 'session-cookie-path': ' ', 'session-cookie-domain': ' ' })) as { affinity: { cookie: unknown } };
  t.deepEqual(affinity.cookie, { name: 'INGRESSCOOKIE' });
});

test('a hash by blanks does not beat load-balance', (t) => {
  const translation = annotated({ 'upstream-hash-by': ' ', 'load-balance': 'ewma' });
  t.deepEqual([upstreamOf(translation), translation.problems], [{ loadBalancer: { type: 'PeakEwma' } }, []]);
});

test('blanks under our own prefix leave the word to the other one', (t) => {
  t.deepEqual(upstreamOf(annotated({ [`${OURS}load-balance`]: ' ', 'load-balance': 'ewma' })), { loadBalancer: { type: 'PeakEwma' } });
});

for (const [name, effect] of [
  ['ssl-redirect', 'DefaultUsed'],
  ['proxy-read-timeout', 'DefaultUsed'],
  ['service-upstream', 'DefaultUsed'],
  ['upstream-hash-by-subset', 'RouteDenied'],
  ['ssl-passthrough', 'RouteDenied'],
] as const) {
  test(`${name} of blanks is a bad value, for booleans and numbers are read as they are`, (t) => {
    for (const blank of BLANKS) t.deepEqual(annotated({ [name]: blank }).problems.map(({ reason, effect: done, origin }) => [reason, done, origin.field]), [['InvalidAnnotation', effect, `metadata.annotations[${THEIRS}${name}]`]]);
  });
}

for (const name of ['limit-rps', 'limit-rpm', 'limit-connections', 'allowlist-source-range', 'denylist-source-range', 'auth-secret', 'proxy-ssl-secret', 'proxy-ssl-verify']) {
  test(`${name} of blanks closes its routes`, (t) => {
    for (const blank of BLANKS) t.deepEqual(upstreamOf(annotated({ 'proxy-ssl-secret': 'shop/ca', [name]: blank })), { type: 'Respond', status: 503, body: '', reason: 'RouteDenied' });
  });
}

for (const name of ['auth-tls-secret', 'auth-tls-match-cn', 'auth-tls-pass-certificate-to-upstream']) {
  test(`${name} of blanks closes the host`, (t) => {
    for (const blank of BLANKS) {
      const { connection } = annotated({ 'auth-tls-secret': 'shop/ca', [name]: blank });
      t.true('wrong' in connection!.clientCertificates!.value, JSON.stringify(blank));
    }
  });
}
