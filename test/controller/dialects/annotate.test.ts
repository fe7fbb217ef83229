import test from 'ava';
import { annotate } from '../../../controller/dialects/ingress-nginx/annotate.ts';
import { GROUPS } from '../../../controller/dialects/ingress-nginx/groups.ts';
import { ALIASES, KNOWN_ANNOTATIONS } from '../../../controller/dialects/ingress-nginx/known.ts';
import { translateIngress } from '../../../controller/dialects/ingress/translate.ts';
import type { Ingress } from '../../../controller/kube/objects.ts';
import type { RouteIntent, Translation } from '../../../controller/model/translation.ts';
import { objectOf } from '../../support/manifests.ts';

const BASE = objectOf(
  'Ingress',
  `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: shop}
spec:
  rules:
  - host: a.example
    http:
      paths:
      - {path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}
      - {path: /.well-known/acme-challenge/token, pathType: Exact, backend: {service: {name: solver, port: {number: 80}}}}`,
);

function annotated(annotations: Readonly<Record<string, string>>): Translation {
  const ingress: Ingress = { ...BASE, metadata: { ...BASE.metadata, annotations: new Map(Object.entries(annotations)) } };
  return annotate(ingress, translateIngress(ingress));
}

const nginx = (name: string): string => `nginx.ingress.kubernetes.io/${name}`;
const first = (translation: Translation): RouteIntent => translation.hosts[0]!.routes[0]!;
const types = (filters: RouteIntent['filters']): string[] => filters.map(({ type }) => type);
const reasons = ({ problems }: Translation): string[] => problems.map(({ reason, effect }) => `${reason} ${effect}`);

test('all 136 annotations of ingress-nginx are known, rated as there, with two aliases', (t) => {
  const count = (risk: string): number => [...KNOWN_ANNOTATIONS.values()].filter((known) => known.risk === risk).length;
  t.deepEqual([KNOWN_ANNOTATIONS.size, count('Critical'), count('High'), count('Medium'), count('Low')], [136, 5, 10, 45, 76]);
  t.true([...ALIASES.values()].every((name) => KNOWN_ANNOTATIONS.has(name)));
});

/** What ingress-nginx has for all hosts alone. */
const OWN = ['ssl-protocols'];

test('no annotation is read by two groups, and few that ingress-nginx does not have', (t) => {
  const names = GROUPS.flatMap(({ reads }) => reads);
  t.is(new Set(names).size, names.length);
  t.deepEqual(names.filter((name) => !KNOWN_ANNOTATIONS.has(name)), OWN);
});

test('every route of a host with TLS is redirected to https unless ssl-redirect is false', (t) => {
  t.deepEqual(types(first(annotated({})).tlsFilters), ['https-redirect']);
  t.deepEqual(types(first(annotated({})).filters), []);
  t.deepEqual(types(annotated({}).hosts[0]!.fallback.tlsFilters), ['https-redirect']);
  t.deepEqual(types(first(annotated({ [nginx('ssl-redirect')]: 'false' })).tlsFilters), []);
});

test('force-ssl-redirect needs no TLS and beats ssl-redirect', (t) => {
  const forced = annotated({ [nginx('force-ssl-redirect')]: 'true', [nginx('ssl-redirect')]: 'false' });
  t.deepEqual(types(first(forced).filters), ['https-redirect']);
  t.deepEqual(types(first(forced).tlsFilters), []);
});

test('ACME challenges are never redirected', (t) => {
  const challenge = annotated({ [nginx('force-ssl-redirect')]: 'true' }).hosts[0]!.routes[1]!;
  t.deepEqual([...challenge.filters, ...challenge.tlsFilters], []);
});

test('a redirect is the whole of what its routes do, the temporal one before the permanent one', (t) => {
  const note = { [nginx('permanent-redirect')]: 'https://new.example.org', [nginx('force-ssl-redirect')]: 'true' };
  const { routes, fallback } = annotated(note).hosts[0]!;
  for (const { action, filters, tlsFilters } of [...routes, fallback]) {
    t.deepEqual([action, filters, tlsFilters], [{ type: 'Redirect', status: 301, location: 'https://new.example.org' }, [], []]);
  }
  const both = first(annotated({ ...note, [nginx('temporal-redirect')]: ' https://status.example.org ' }));
  t.deepEqual(both.action, { type: 'Redirect', status: 302, location: 'https://status.example.org' });
  t.deepEqual(first(annotated({ [nginx('permanent-redirect')]: '/new?x=1' })).action, { type: 'Redirect', status: 301, path: '/new?x=1' });
  t.deepEqual(first(annotated({ [nginx('permanent-redirect-code')]: '308' })).action.type, 'Forward');
});

test('codes of redirects that lead nowhere are the usual ones, and told', (t) => {
  for (const [name, value, good, bad, usual] of [
    ['permanent-redirect', '/new', ['300', '301', '302', '303', '307', '308'], ['200', '304', '305', '309', '-1'], 301],
    ['temporal-redirect', 'http://b.example', ['300', '307'], ['299', '308', '404'], 302],
  ] as const) {
    const coded = (code: string): Translation => annotated({ [nginx(name)]: value, [nginx(`${name}-code`)]: code });
    const statusOf = (translation: Translation): unknown => 'status' in first(translation).action && first(translation).action;
    for (const code of good) {
      t.like(statusOf(coded(code)), { type: 'Redirect', status: Number(code) });
      t.deepEqual(coded(code).problems, []);
    }
    for (const code of bad) {
      t.like(statusOf(coded(code)), { type: 'Redirect', status: usual });
      t.deepEqual(reasons(coded(code)), ['InvalidAnnotation DefaultUsed']);
    }
  }
});

test('a path that begins with two slashes is no place on the same host, and closes the routes', (t) => {
  const translation = annotated({ [nginx('permanent-redirect')]: '//evil.example/x' });
  t.like(first(translation).action, { type: 'Respond', reason: 'RouteDenied' });
  t.deepEqual(reasons(translation), ['InvalidAnnotation RouteDenied']);
});

test('a redirect opens nothing that a protective annotation closes', (t) => {
  for (const [name, value] of [['whitelist-source-range', '10.0.0.0/8'], ['auth-url', 'https://login.example'], ['auth-tls-secret', 'nowhere']] as const) {
    t.like(first(annotated({ [nginx('temporal-redirect')]: 'https://b.example', [nginx(name)]: value })).action, { type: 'Respond', reason: 'RouteDenied' }, name);
  }
});

test('our own prefix wins over that of ingress-nginx', (t) => {
  t.deepEqual(types(first(annotated({ [nginx('ssl-redirect')]: 'true', 'fairlead.dev/ssl-redirect': 'false' })).tlsFilters), []);
  t.deepEqual(types(first(annotated({ [nginx('ssl-redirect')]: 'false', 'fairlead.dev/ssl-redirect': '' })).tlsFilters), []);
});

test('a value that is not what it should be leaves the default, and is told', (t) => {
  const translation = annotated({ [nginx('ssl-redirect')]: 'no' });
  t.deepEqual(types(first(translation).tlsFilters), ['https-redirect']);
  t.deepEqual(reasons(translation), ['InvalidAnnotation DefaultUsed']);
  t.is(translation.problems[0]!.origin.field, 'metadata.annotations[nginx.ingress.kubernetes.io/ssl-redirect]');
});

for (const [name, value] of [
  ['auth-url', 'https://auth.example'],
  ['auth-type', 'basic'],
  ['auth-secret', ''],
  ['whitelist-source-range', '10.0.0.0/8'],
  ['allowlist-source-range', ''],
  ['denylist-source-range', '10.0.0.0/8'],
  ['satisfy', 'any'],
  ['limit-rps', '10'],
  ['limit-connections', 'many'],
  ['enable-modsecurity', 'true'],
  ['modsecurity-snippet', 'SecRule ARGS:x "@rx y" "deny"'],
  ['configuration-snippet', 'deny all;'],
  ['server-snippet', 'if ($http_x_token = "") { return 403; }'],
  ['configuration-snippet', 'more_set_headers "a: b"; deny all;'],
  ['configuration-snippet', 'add_header a "b; deny all;"'],
  ['configuration-snippet', 'add_header a b;\n# no more\nreturn 403;'],
  ['configuration-snippet', 'proxy_set_header x-user "";'],
  ['configuration-snippet', 'proxy_set_header X-Forwarded-User "";'],
  ['configuration-snippet', 'proxy_set_header l5d-dst-override $service_name.$namespace.svc.cluster.local:$service_port;'],
  ['configuration-snippet', 'client_max_body_size 10m;'],
  ['server-snippet', 'underscores_in_headers off;'],
  ['server-snippet', 'ignore_invalid_headers on;'],
  ['configuration-snippet', 'proxy_ssl_server_name on; proxy_ssl_verify on;'],
  ['configuration-snippet', 'proxy_set_header Host internal.example;'],
  ['configuration-snippet', 'add_header a "b \\"; deny all; add_header c "d";'],
  ['configuration-snippet', 'add_header a b"; deny all; add_header c "d";'],
  ['configuration-snippet', 'add_header a "b"c; deny all; add_header d "e";'],
  ['configuration-snippet', 'add_header a b;\n}\nlocation / { deny all; }\nlocation /x {\nadd_header c d;'],
  ['configuration-snippet', 'add_header a b#; deny all;'],
  ['server-snippet', 'add_header a ${b} { deny all; }'],
  ['configuration-snippet', 'add_header a b\u00a0#; deny all;\n;'],
  ['server-snippet', ';'],
  ['enable-global-auth', 'true'],
  ['whitelist-source-range', '0.0.0.0/0'],
  ['allowlist-source-range', '0.0.0.0/0,::/0,all'],
  ['global-rate-limit', '100'],
  ['global-rate-limit', ' '],
  ['lua-resty-waf', 'active'],
  ['lua-resty-waf', 'true'],
  ['secure-verify-ca-secret', 'ca'],
] as const) {
  for (const prefix of ['nginx.ingress.kubernetes.io/', 'fairlead.dev/']) {
    test(`${prefix}${name}: "${value}" denies every route while nothing enforces it`, (t) => {
      const translation = annotated({ [prefix + name]: value });
      const { routes, fallback } = translation.hosts[0]!;
      for (const { action, filters, tlsFilters } of [...routes, fallback]) {
        t.deepEqual(action, { type: 'Respond', status: 503, body: '', reason: 'RouteDenied' });
        t.deepEqual([...filters, ...tlsFilters], []);
      }
      t.deepEqual(reasons(translation), [`UnsupportedProtectiveAnnotation ${name === 'server-snippet' ? 'HostClosed' : 'RouteDenied'}`]);
      t.true(translation.problems[0]!.message.startsWith(`${name} is not supported`), 'under the name that was written');
    });
  }
}

for (const [name, value] of [
  ['auth-url', ''],
  ['limit-rps', '0'],
  ['enable-modsecurity', 'false'],
  ['satisfy', 'all'],
  ['mirror-target', 'https://x'],
  ['configuration-snippet', ' \n'],
  ['configuration-snippet', '# for browsers\nadd_header X-Frame-Options DENY always;\nmore_set_headers "a: b";\n\nproxy_read_timeout 300;'],
  ['server-snippet', 'gzip on;'],
  ['configuration-snippet', 'more_set_headers "Strict-Transport-Security: max-age=15552000; includeSubDomains"; # for browsers; all of them'],
  ['configuration-snippet', 'add_header Content-Security-Policy\n  "default-src \'self\'; frame-ancestors \\"none\\";" always;'],
  ['configuration-snippet', "sub_filter '</head>' '<script>go({ now: true });</script></head>';\nadd_header a ${request_id};"],
  ['configuration-snippet', 'proxy_cookie_path / "/; HttpOnly; SameSite=Lax";'],
  ['server-snippet', 'grpc_read_timeout 3600s;\r\ngrpc_send_timeout 3600s;\r\nclient_body_timeout 3600s;\r\n'],
  ['configuration-snippet', 'proxy_set_header Upgrade $http_upgrade;\nproxy_set_header Connection "upgrade";\nproxy_set_header X-Forwarded-Proto https;'],
  ['server-snippet', '# Special characters in fields.\nignore_invalid_headers off;\n# Files of any size.\nclient_max_body_size 0;\nproxy_buffering off;'],
  ['server-snippet', 'underscores_in_headers on;'],
  ['configuration-snippet', 'proxy_ssl_name api.example; proxy_ssl_server_name on;'],
  ['server-snippet', 'large_client_header_buffers 4 32k;'],
  ['enable-global-auth', 'false'],
  // As cert-manager has it on the Ingresses of its challenges.
  ['whitelist-source-range', '0.0.0.0/0,::/0'],
  ['allowlist-source-range', ' ::/0 , 0.0.0.0/0 '],
] as const) {
  test(`${name}: "${value}" protects nothing, so that leaving it out is only told`, (t) => {
    const translation = annotated({ [nginx(name)]: value });
    t.is(first(translation).action.type, 'Forward');
    t.deepEqual(reasons(translation), ['UnsupportedAnnotation ValueIgnored']);
  });
}

test('what is left out and changes what a path means says what it means without', (t) => {
  for (const [name, value] of [['use-regex', 'true'], ['rewrite-target', '/$2']] as const) {
    const translation = annotated({ [nginx(name)]: value });
    t.is(first(translation).action.type, 'Forward');
    t.regex(translation.problems[0]?.message ?? '', new RegExp(`^${name} is not supported: .*taken as text`));
  }
});

test('a canary never takes the traffic of the Ingress that it stands behind', (t) => {
  const translation = annotated({ [nginx('canary')]: 'true', [nginx('canary-weight')]: '10' });
  t.deepEqual(translation.hosts, []);
  t.deepEqual(reasons(translation), ['UnsupportedAnnotation ObjectRefused', 'UnsupportedAnnotation ValueIgnored']);
  t.deepEqual(annotated({ [nginx('canary')]: 'yes' }).hosts, []);
  for (const no of ['false', 'False', 'FALSE', 'f', 'F', '0', '']) t.is(annotated({ [nginx('canary')]: no }).hosts.length, 1, no);
});

test('what once protected, and said that it does not, is only told', (t) => {
  for (const [name, value] of [['global-rate-limit', '0'], ['lua-resty-waf', 'inactive'], ['lua-resty-waf', 'false'], ['session-cookie-hash', 'sha1']] as const) {
    const translation = annotated({ [nginx(name)]: value });
    t.is(first(translation).action.type, 'Forward');
    t.deepEqual(reasons(translation), ['UnknownAnnotation ValueIgnored']);
  }
});

test('names that do not exist are told; other prefixes are nobody\'s business here', (t) => {
  t.deepEqual(reasons(annotated({ [nginx('ssl-redirct')]: 'true', 'fairlead.dev/': 'x', 'example.com/auth-url': 'x', 'nginx.org/x': 'y' })), [
    'UnknownAnnotation ValueIgnored',
    'UnknownAnnotation ValueIgnored',
  ]);
});

test('a name that is nearly one is asked about, and where that one keeps somebody out it is an error', (t) => {
  const told = (name: string, value: string): string[] => annotated({ [nginx(name)]: value }).problems.map(({ severity, effect, message }) => `${severity} ${effect} ${message.replace(/^there is no annotation "[^"]*"/, '')}`);
  t.deepEqual(told('ssl-redirct', 'true'), ['warning ValueIgnored ; did you mean ssl-redirect?']);
  t.deepEqual(told('Proxy-Body-Size', '8m'), ['warning ValueIgnored ; did you mean proxy-body-size?']);
  t.deepEqual(told('ssl-protocol', 'TLSv1.3'), ['warning ValueIgnored ; did you mean ssl-protocols?']);
  t.deepEqual(told('nothing-like-it', 'x'), ['warning ValueIgnored ']);
  const open = '? That one restricts access; this one does not, and the routes are open unless something else closes them';
  for (const [name, value, meant] of [
    ['whitelist-source-rang', '10.0.0.0/8', 'whitelist-source-range'],
    ['auht-url', 'https://login.example', 'auth-url'],
    ['auth-tls-secert', 'shop/ca', 'auth-tls-secret'],
    ['limit-rp', '5', 'limit-rpm'],
    ['configuration-snipet', 'deny all;', 'configuration-snippet'],
  ] as const) {
    t.deepEqual(told(name, value), [`error ValueIgnored ; did you mean ${meant}${open}`]);
    t.is(first(annotated({ [nginx(name)]: value })).action.type, 'Forward', 'as in ingress-nginx');
  }
  t.deepEqual(told('configuration-snipet', 'gzip on;'), ['warning ValueIgnored ; did you mean configuration-snippet?']);
  t.deepEqual(told('auth-tls-verify-clinet', 'off'), ['warning ValueIgnored ; did you mean auth-tls-verify-client?']);
});
