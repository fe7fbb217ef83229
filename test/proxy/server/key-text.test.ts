// Texts made of a request: what each part is.
import { hostname } from 'node:os';
import test from 'ava';
import type { Client, ClientTls, Exchange, Request } from '../../../proxy/http/exchange.ts';
import { compileKey } from '../../../proxy/server/forward/key-text.ts';
import type { KeyPart } from '../../../proxy/table/cluster.ts';
import { route, virtualHost } from '../../support/data-plane.ts';
import { exchange } from '../filters/exchange.ts';

const tls: ClientTls = { serverName: 'shop.example.com', policy: 'p', verify: 'SUCCESS', certificate: { subject: 'CN=ada,O=Analytical', issuer: 'CN=ca', escapedPem: '' } };
const basic = (pair: string): Partial<Request> => ({ headers: ['Authorization', `Basic ${Buffer.from(pair).toString('base64')}`] });

function met(client: Partial<Client> = {}, request: Partial<Request> = {}): Exchange {
  const matched = route('/cart', 'test/web:80');
  return { ...exchange(client, request), route: matched, virtualHost: virtualHost('*.example.com', [matched]) };
}

const ROWS: readonly (readonly [KeyPart['type'], Partial<Client>, Partial<Request>, string])[] = [
  ['QueryMark', {}, { query: 'a=1' }, '?'],
  ['QueryMark', {}, { query: '' }, ''],
  ['EscapedTarget', {}, { target: "/a b'(\u00e9)?x=1&y~" }, '%2Fa%20b%27%28%E9%29%3Fx%3D1%26y~'],
  ['Port', { localPort: 8443 }, {}, '8443'],
  ['Scheme', { scheme: 'https' }, {}, 'https'],
  ['ConnectionScheme', { scheme: 'https' }, {}, 'http'],
  ['ConnectionScheme', { scheme: 'http', tls }, {}, 'https'],
  ['RequestId', {}, {}, 'id-1'],
  ['BasicUser', {}, basic('ada:love:lace'), 'ada'],
  ['BasicUser', {}, basic('nobody'), ''],
  ['BasicUser', {}, { headers: ['Authorization', 'Bearer YWRhOmxvdmVsYWNl'] }, ''],
  ['BasicUser', {}, {}, ''],
  ['CertificateSubject', { tls }, {}, 'CN=ada,O=Analytical'],
  ['CertificateSubject', {}, {}, ''],
  ['VirtualHost', {}, {}, '*.example.com'],
  ['RoutePath', {}, {}, '/cart'],
  ['RouteOwner', {}, {}, 'web'],
  ['ProxyHostname', {}, {}, hostname()],
];

for (const [type, client, request, expected] of ROWS) {
  test(`${type} of ${JSON.stringify({ ...client, ...request })} is ${JSON.stringify(expected)}`, (t) => {
    t.is(compileKey([{ type } as KeyPart])(met(client, request)), expected);
  });
}
