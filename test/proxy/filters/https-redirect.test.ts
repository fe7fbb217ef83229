// Plain http goes to https: same host, same path and query.
import test from 'ava';
import filter from '../../../proxy/filters/https-redirect.ts';
import type { HttpsRedirectConfig } from '../../../proxy/filters/https-redirect.ts';
import type { Client, Reply, Request } from '../../../proxy/http/exchange.ts';
import { exchange } from './exchange.ts';

function reply(config: HttpsRedirectConfig, request: Partial<Request>, client: Partial<Client> = {}): Reply | undefined {
  return filter.create(config).onRequest?.(exchange(client, request)) as Reply | undefined;
}

function location(config: HttpsRedirectConfig, request: Partial<Request>, client: Partial<Client> = {}): string | undefined {
  return reply(config, request, client)?.headers[1];
}

test('a request over http is sent to https with its path and query', (t) => {
  const answer = reply({ status: 308 }, { authority: 'shop.example.com:8080', target: '/a%2Fb?x=1' });
  t.deepEqual(answer, { status: 308, reason: 'HttpsRedirect', headers: ['location', 'https://shop.example.com/a%2Fb?x=1'], body: '308 Permanent Redirect: HttpsRedirect\n' });
});

test('a request over https goes on, also where a trusted proxy ended TLS', (t) => {
  t.is(reply({ status: 308 }, {}, { scheme: 'https' }), undefined);
});

test('one slash at the end of the request is left out, unless it is to be kept', (t) => {
  t.is(location({ status: 308 }, { target: '/' }), 'https://shop.example.com');
  t.is(location({ status: 308 }, { target: '/a/' }), 'https://shop.example.com/a');
  t.is(location({ status: 308 }, { target: '/a//' }), 'https://shop.example.com/a/');
  t.is(location({ status: 308 }, { target: '/a/?b' }), 'https://shop.example.com/a/?b');
  t.is(location({ status: 308, preserveTrailingSlash: true }, { target: '/a/' }), 'https://shop.example.com/a/');
});

test('the port is written where it is not 443, and the status is the one configured', (t) => {
  t.is(location({ status: 301, port: 8443 }, { target: '/a' }), 'https://shop.example.com:8443/a');
  t.is(location({ status: 301, port: 443 }, { target: '/a' }), 'https://shop.example.com/a');
  t.is(reply({ status: 301 }, {})?.status, 301);
});

test('a trusted proxy says for which host, and nobody else does', (t) => {
  const headers = ['X-Forwarded-Host', 'www.example.com:80, inner'];
  t.is(location({ status: 308 }, { headers, target: '/a' }, { trusted: true }), 'https://www.example.com/a');
  t.is(location({ status: 308 }, { headers, target: '/a' }), 'https://shop.example.com/a');
});

test('a request without host is refused', (t) => {
  t.is(reply({ status: 308 }, { authority: '', hostname: '' })?.status, 400);
});

test('wrong configurations are told', (t) => {
  t.is(filter.check({ status: 308, port: 8443, preserveTrailingSlash: true }), undefined);
  for (const wrong of [undefined, null, [], {}, { status: 200 }, { status: '308' }, { status: 308, port: 0 }, { status: 308, port: 1.5 }, { status: 308, preserveTrailingSlash: 'no' }, { status: 308, prot: 1 }]) {
    t.is(typeof filter.check(wrong), 'string', JSON.stringify(wrong));
  }
});
