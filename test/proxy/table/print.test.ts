// The table as people see it: in matching order, compact, and without a key.
import test from 'ava';
import { printTable, printable } from '../../../proxy/table/print.ts';
import type { FilterSpec } from '../../../proxy/table/filter.ts';
import type { Route, VirtualHost } from '../../../proxy/table/route.ts';
import { EMPTY_SNAPSHOT } from '../../../proxy/table/snapshot.ts';
import type { Sections } from '../../../proxy/table/snapshot.ts';
import { exactly, host, listener, path, present, route } from '../match/builders.ts';

const origin = { kind: 'Ingress', namespace: 'shop', name: 'web' };
const forward: Route = {
  ...route('api', path('PathPrefix', '/api', { method: 'GET', headers: [exactly('x-a', 'b c')], queryParams: [present('q')] }), [{ type: 'https-redirect', config: { status: 308 } }]),
  action: { type: 'Forward', clusters: [{ cluster: 'shop/web:80', weight: 9 }, { cluster: 'shop/canary:80', weight: 1 }], timeouts: { readIdleMs: 5000 } },
};
const one: Route = { ...route('root', path('PathPrefix', '/')), action: { type: 'Forward', clusters: [{ cluster: 'shop/web:80', weight: 1 }] }, origin: { ...origin, field: 'spec.rules[0]' } };
const shop: VirtualHost = { ...host('shop.example.com', [forward, one], ['http', 'https']), certificate: 'sha256/ab' };
const redirect: Route = { ...route('old', path('Exact', '/old')), action: { type: 'Redirect', status: 301, scheme: 'https', hostname: 'www.example.com' } };
const table: Sections = {
  listeners: {
    'listener/http': { ...listener('http'), address: '::', port: 80 },
    'listener/https': { ...listener('https'), port: 443, protocol: 'HTTPS', trustedProxies: ['10.0.0.0/8'], tls: { defaultCertificate: 'sha256/gone', minVersion: 'TLSv1.2' } },
  },
  virtualHosts: {
    'http/*': host('*', [{ ...route('none', path('PathPrefix', '/')), action: { type: 'Respond', status: 404, body: '', reason: 'NoRouteFound' } }]),
    'http/*.example.com': host('*.example.com', [redirect]),
    'http+https/shop.example.com': shop,
  },
  clusters: {
    'shop/web:80': { name: 'shop/web:80', protocol: 'HTTP/1.1', loadBalancer: { type: 'RoundRobin' }, connectTimeoutMs: 5000, origin },
    'shop/canary:80': { name: 'shop/canary:80', protocol: 'HTTP/2', tls: { verify: true, caPem: 'CA-TEXT' }, loadBalancer: { type: 'RoundRobin' }, connectTimeoutMs: 5000, origin },
  },
  endpoints: {
    'shop/web:80': [
      { address: '10.0.0.1', port: 8080, ready: true, serving: true, terminating: false },
      { address: 'fd00::2', port: 8080, ready: false, serving: true, terminating: true },
    ],
  },
  certificates: { 'sha256/ab': { name: 'sha256/ab', hostnames: ['shop.example.com', '*.shop.example.com'], notAfter: Date.UTC(2027, 0, 15), chainPem: 'CHAIN-TEXT', keyPem: 'KEY-TEXT' } },
};

test('the table reads in the order in which it is matched', (t) => {
  t.is(printTable(table), `\
listener http  HTTP [::]:80
listener https  HTTPS 127.0.0.1:443 trustedProxies=10.0.0.0/8  default certificate sha256/gone (missing)

shop.example.com  on http+https  certificate shop.example.com,*.shop.example.com until 2027-01-15
  PathPrefix /api GET header x-a="b c" query q  [https-redirect status=308] → shop/web:80 (9), shop/canary:80 (1) timeouts.readIdleMs=5000  Ingress shop/web
  PathPrefix /                                  → shop/web:80  Ingress shop/web spec.rules[0]

*.example.com  on http
  Exact /old  redirect 301 scheme=https hostname=www.example.com  Ingress shop/web

*  on http
  PathPrefix /  respond 404 NoRouteFound  Ingress shop/web

cluster shop/canary:80  HTTP/2 RoundRobin tls.verify=true tls.caPem=[not shown] connectTimeoutMs=5000
  no endpoints
cluster shop/web:80  HTTP/1.1 RoundRobin connectTimeoutMs=5000
  10.0.0.1:8080, [fd00::2]:8080 (not ready, terminating)
`);
});

test('an empty table prints as nothing', (t) => {
  t.is(printTable(EMPTY_SNAPSHOT), '');
});

test('no value can break out of its line', (t) => {
  const hostile = ['a\nb', 'a\u001b[31m', 'a b', '\u202egnp', 'a\u2028b', ''];
  const routes = hostile.map((value, at) => ({ ...route(String(at), path('PathPrefix', '/', { headers: [exactly('x', value)] })) }));
  const text = printTable({ ...EMPTY_SNAPSHOT, virtualHosts: { 'http/a': host('a', routes) } });
  t.is(text.trimEnd().split('\n').length, hostile.length + 1);
  t.regex(text, /^[\p{L}\p{N}\p{P}\p{S} \n]*$/u);
});

test('as data it holds everything but keys, chains, and what filters keep secret', (t) => {
  const secret = { type: 'basic-auth', config: { realm: 'shop', htpasswd: 'ann:HASH', nested: [{ clientSecret: 'HASH' }] } } as unknown as FilterSpec;
  const withSecret: Sections = { ...table, virtualHosts: { ...table.virtualHosts, 'http/b': host('b', [route('auth', path('PathPrefix', '/'), [secret])]) } };
  const json = JSON.stringify(printable(withSecret));
  for (const hidden of ['KEY-TEXT', 'CHAIN-TEXT', 'HASH']) {
    t.false(json.includes(hidden), hidden);
    t.false(printTable(withSecret).includes(hidden), hidden);
  }
  const data = printable(table) as Sections;
  t.deepEqual(data.certificates['sha256/ab'] as unknown, { name: 'sha256/ab', hostnames: ['shop.example.com', '*.shop.example.com'], notAfter: '2027-01-15T00:00:00.000Z' });
  t.deepEqual(data.virtualHosts, table.virtualHosts);
  t.deepEqual(data.endpoints, table.endpoints);
});
