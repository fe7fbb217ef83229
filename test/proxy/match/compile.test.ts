// The routing table: which virtual host answers, which of its routes, and what a change costs and keeps.
import test from 'ava';
import { compileTable } from '../../../proxy/match/compile.ts';
import type { RoutingTable } from '../../../proxy/match/compile.ts';
import type { FilterSpec } from '../../../proxy/table/filter.ts';
import type { Route, RouteMatch, VirtualHost } from '../../../proxy/table/route.ts';
import { exactly, host, like, path, present, request, route, sections } from './builders.ts';

function tableOf(...hosts: readonly VirtualHost[]): RoutingTable {
  const { table, errors } = compileTable(sections(hosts));
  if (errors.length > 0) throw new Error(JSON.stringify(errors));
  return table;
}

/** Name of the route that answers. */
function goes(table: RoutingTable, target: string, others: Parameters<typeof request>[1] = {}, listener = 'http'): string | undefined {
  return table.match(listener, request(target, others))?.route.name;
}

function oneHost(...matches: readonly RouteMatch[]): RoutingTable {
  return tableOf(host('shop.example.com', matches.map((match, at) => route(String(at), match))));
}

test('an exact host comes before a wildcard, and a wildcard before the host for all', (t) => {
  const table = tableOf(
    host('*', [route('any', path('PathPrefix', '/'))]),
    host('*.example.com', [route('wild', path('PathPrefix', '/'))]),
    host('shop.example.com', [route('shop', path('PathPrefix', '/'))]),
  );
  t.is(goes(table, '/', { hostname: 'shop.example.com' }), 'shop');
  t.is(goes(table, '/', { hostname: 'api.example.com' }), 'wild');
  for (const hostname of ['example.com', 'a.b.example.com', 'example.org', '', '[::1]', '.example.com', '*.example.com.']) t.is(goes(table, '/', { hostname }), 'any', hostname);
});

test('a host that answers has no way back to a wider one for the paths that it lacks', (t) => {
  const table = tableOf(
    host('*', [route('any', path('PathPrefix', '/'))]),
    host('*.example.com', [route('wild', path('PathPrefix', '/w'))]),
    host('shop.example.com', [route('shop', path('PathPrefix', '/s'))]),
  );
  t.is(goes(table, '/w', { hostname: 'shop.example.com' }), undefined);
  t.is(goes(table, '/s', { hostname: 'api.example.com' }), undefined);
});

test('listeners are apart', (t) => {
  const table = tableOf(host('a', [route('clear', path('PathPrefix', '/'))], ['http']), host('a', [route('tls', path('PathPrefix', '/'))], ['https']));
  t.is(goes(table, '/', { hostname: 'a' }, 'http'), 'clear');
  t.is(goes(table, '/', { hostname: 'a' }, 'https'), 'tls');
  t.is(goes(table, '/', { hostname: 'a' }, 'other'), undefined);
  t.is(table.virtualHost('https', 'a')?.routes[0]?.name, 'tls');
  t.is(table.virtualHost('https', 'b'), undefined);
});

test('PathPrefix compares path elements, and its trailing slash does not count', (t) => {
  const table = oneHost(path('PathPrefix', '/a/b'), path('PathPrefix', '/c/'));
  for (const hit of ['/a/b', '/a/b/', '/a/b/c', '/a/b/c/d/e']) t.is(goes(table, hit), '0', hit);
  for (const hit of ['/c', '/c/', '/c/d']) t.is(goes(table, hit), '1', hit);
  for (const miss of ['/', '/a', '/a/', '/a/bc', '/ab', '/cd', '/b/a/b']) t.is(goes(table, miss), undefined, miss);
});

test('Exact compares the whole path, trailing slash and case included', (t) => {
  const table = oneHost(path('Exact', '/a'), path('Exact', '/'));
  t.is(goes(table, '/a'), '0');
  t.is(goes(table, '/'), '1');
  for (const miss of ['/a/', '/A', '/a/b', '/ab']) t.is(goes(table, miss), undefined, miss);
});

test('StringPrefix compares characters', (t) => {
  const table = oneHost(path('StringPrefix', '/a.'));
  t.is(goes(table, '/a.b'), '0');
  t.is(goes(table, '/ab'), undefined);
});

test('a regular expression is anchored at the start and open at the end', (t) => {
  const table = oneHost(path('RegularExpression', '/v[0-9]+|/w'));
  for (const hit of ['/v1', '/v12/x', '/wx']) t.is(goes(table, hit), '0', hit);
  for (const miss of ['/x/v1', '/x/w', '/v']) t.is(goes(table, miss), undefined, miss);
});

test('case is ignored where the route says so', (t) => {
  const table = oneHost(path('Exact', '/Ab', { ignoreCase: true }), path('PathPrefix', '/Cd', { ignoreCase: true }), path('StringPrefix', '/Ef', { ignoreCase: true }), path('RegularExpression', '/Gh', { ignoreCase: true }));
  t.deepEqual(['/aB', '/cD/x', '/eFx', '/gHx', '/abc'].map((each) => goes(table, each)), ['0', '1', '2', '3', undefined]);
});

test('the first listed route that holds wins, whatever kind of path it has', (t) => {
  const first = oneHost(path('RegularExpression', '/a'), path('Exact', '/a'), path('PathPrefix', '/'));
  t.is(goes(first, '/a'), '0');
  const last = oneHost(path('Exact', '/a'), path('PathPrefix', '/a'), path('PathPrefix', '/'), path('StringPrefix', '/'), path('RegularExpression', '/'));
  t.is(goes(last, '/a'), '0');
  t.is(goes(last, '/a/b'), '1');
  t.is(goes(last, '/b'), '2');
  const wideFirst = oneHost(path('PathPrefix', '/'), path('PathPrefix', '/a/b'), path('Exact', '/a/b'));
  t.is(goes(wideFirst, '/a/b'), '0');
});

test('a route whose conditions fail leaves the request to the next one, and to shorter prefixes', (t) => {
  const table = oneHost(path('Exact', '/a/b', { method: 'POST' }), path('PathPrefix', '/a/b', { headers: [exactly('x', '1')] }), path('PathPrefix', '/a', { queryParams: [present('q')] }), path('PathPrefix', '/'));
  t.is(goes(table, '/a/b', { method: 'POST' }), '0');
  t.is(goes(table, '/a/b', { headers: ['X', '1'] }), '1');
  t.is(goes(table, '/a/b?q'), '2');
  t.is(goes(table, '/a/b'), '3');
});

test('header conditions look at every field of the name', (t) => {
  const table = oneHost(path('PathPrefix', '/', { headers: [exactly('x-a', '2'), like('x-b', '^v[0-9]$'), present('x-c')] }));
  t.is(goes(table, '/', { headers: ['X-A', '1', 'x-a', '2', 'X-B', 'v7', 'X-C', ''] }), '0');
  t.is(goes(table, '/', { headers: ['X-A', '2', 'X-B', 'v77', 'X-C', ''] }), undefined);
  t.is(goes(table, '/', { headers: ['X-A', '2', 'X-B', 'v7'] }), undefined);
});

test('query conditions decode, and look at the first parameter of the name', (t) => {
  const table = oneHost(path('PathPrefix', '/', { queryParams: [exactly('a b', 'c d')] }));
  for (const hit of ['/?a+b=c+d', '/?x&a%20b=c%20d', '/?&&a+b=c+d&a+b=z']) t.is(goes(table, hit), '0', hit);
  for (const miss of ['/', '/?a+b', '/?a+b=z&a+b=c+d', '/?A+b=c+d', '/?a%b=c+d', '/?xa+b=c+d']) t.is(goes(table, miss), undefined, miss);
  t.is(goes(oneHost(path('PathPrefix', '/', { queryParams: [exactly('p', '100%')] })), '/?p=100%'), '0', 'what cannot be decoded stays as it is');
});

test('cookie conditions look at the first cookie of the name, in any cookie field', (t) => {
  const table = oneHost(path('PathPrefix', '/', { cookies: [exactly('canary', 'always')] }));
  for (const cookie of ['canary=always', 'a=b; canary=always', 'xcanary=never;canary=always ']) t.is(goes(table, '/', { headers: ['Cookie', cookie] }), '0', cookie);
  t.is(goes(table, '/', { headers: ['cookie', 'a=b', 'cookie', 'canary=always'] }), '0');
  for (const cookie of ['canary', 'canary=never; canary=always', 'Canary=always', 'xcanary=always', 'canary=alwaysx', 'a=canary=always']) t.is(goes(table, '/', { headers: ['Cookie', cookie] }), undefined, cookie);
});

test('names from Object.prototype are names like any other', (t) => {
  const hostile = ['__proto__', 'constructor', 'toString', 'hasOwnProperty'];
  const table = tableOf(...hostile.map((name) => host(name, [
    route(`${name}/exact`, path('Exact', `/${name}`)),
    route(`${name}/prefix`, path('PathPrefix', `/${name}/${name}`)),
    route(`${name}/header`, path('PathPrefix', '/h', { headers: [present(name.toLowerCase())], queryParams: [present(name)], cookies: [present(name)] })),
  ])));
  for (const name of hostile) {
    t.is(goes(table, `/${name}`, { hostname: name }), `${name}/exact`);
    t.is(goes(table, `/${name}/${name}/x`, { hostname: name }), `${name}/prefix`);
    t.is(goes(table, '/h', { hostname: name }), undefined);
    t.is(goes(table, `/h?${name}=1`, { hostname: name, headers: [name, '1', 'cookie', `${name}=1`] }), `${name}/header`);
    t.is(goes(table, '/constructor', { hostname: 'valueOf' }), undefined);
  }
});

test('a route that cannot match is left out and named, and the others stay', (t) => {
  const { table, errors } = compileTable(sections([host('shop.example.com', [
    route('regex', path('RegularExpression', '/(')),
    route('header', path('PathPrefix', '/', { headers: [like('x', '(?=a)')] })),
    route('long', path('RegularExpression', `/${'a'.repeat(1000)}`)),
    route('big', path('RegularExpression', '/.{0,400}.{0,400}')),
    route('spelling', path('PathPrefix', '/a%2fb')),
    route('dots', path('Exact', '/a/../b')),
    route('relative', path('PathPrefix', 'a')),
    route('empty', path('PathPrefix', '')),
    route('good', path('PathPrefix', '/a')),
  ])]));
  t.deepEqual(errors.map((error) => error.route), ['regex', 'header', 'long', 'big', 'spelling', 'dots', 'relative', 'empty']);
  t.true(errors.every((error) => error.virtualHost === 'http/shop.example.com' && error.message !== ''));
  t.is(goes(table, '/a'), 'good');
});

test('a route whose filters cannot be built is denied, not open', (t) => {
  const broken = [{ type: 'no-such-filter', config: {} }, { type: 'https-redirect', config: { status: 200 } }, { type: '__proto__', config: {} }] as unknown as FilterSpec[];
  const { table, errors } = compileTable(sections([host('shop.example.com', broken.map((spec, at) => route(`/${at}`, path('PathPrefix', `/${at}`), [spec])))]));
  t.is(errors.length, 3);
  for (const at of [0, 1, 2]) {
    const compiled = table.match('http', request(`/${at}`));
    t.deepEqual(compiled?.route.action, { type: 'Respond', status: 503, body: '', reason: 'RouteDenied' });
    t.is(compiled?.filters.length, 0);
  }
});

test('filters stand in the order of their phases', (t) => {
  const headers: FilterSpec = { type: 'response-headers', config: { set: [{ name: 'a', value: 'b' }] } };
  const redirect: FilterSpec = { type: 'https-redirect', config: { status: 308 } };
  const compiled = tableOf(host('shop.example.com', [route('a', path('PathPrefix', '/'), [redirect, headers])])).match('http', request('/'));
  t.deepEqual(compiled?.active.map((active) => active.spec.type), ['response-headers', 'https-redirect']);
  t.deepEqual(compiled?.filters.map((filter) => filter.onRequest !== undefined), [false, true]);
});

test('a listener that does not exist, and a hostname that is claimed twice, are errors', (t) => {
  const twice = [host('a', [route('both', path('PathPrefix', '/'))], ['http', 'https']), host('a', [route('one', path('PathPrefix', '/'))], ['http'])];
  const { table, errors } = compileTable(sections([...twice, host('b', [], ['smtp'])]));
  t.deepEqual(errors.map(({ virtualHost, route: name }) => [virtualHost, name]), [['http/a', ''], ['smtp/b', '']]);
  t.is(goes(table, '/', { hostname: 'a' }), 'both');
  const { table: without, errors: none } = table.with({ remove: ['http+https/a', 'smtp/b'] });
  t.deepEqual(none, []);
  t.is(goes(without, '/', { hostname: 'a' }), 'one', 'the other one comes into its right');
});

test('what did not change is the same compiled object afterwards', (t) => {
  const before = sections([host('a', [route('1', path('PathPrefix', '/'))]), host('b', [route('2', path('PathPrefix', '/'))])]);
  const first = compileTable(before).table;
  const changed = host('b', [route('3', path('PathPrefix', '/'))]);
  const after = { ...before, virtualHosts: { ...before.virtualHosts, 'http/b': changed } };
  for (const table of [compileTable(after, first).table, first.with({ set: { 'http/b': changed } }).table]) {
    t.is(table.match('http', request('/', { hostname: 'a' })), first.match('http', request('/', { hostname: 'a' })));
    t.is(goes(table, '/', { hostname: 'b' }), '3');
  }
  t.is(goes(first, '/', { hostname: 'b' }), '2', 'the table before is as it was');
});

test('a change can add, remove, rename and move virtual hosts', (t) => {
  const first = tableOf(host('a', [route('1', path('PathPrefix', '/'))]), host('*.a', [route('2', path('PathPrefix', '/'))]), host('*', [route('3', path('PathPrefix', '/'))]));
  const moved = host('a', [route('4', path('PathPrefix', '/'))], ['http', 'https']);
  const { table, errors } = first.with({ remove: ['http/a', 'http/*'], set: { 'http+https/a': moved, 'http/*.a': host('*.b', [route('5', path('PathPrefix', '/'))]) } });
  t.deepEqual(errors, []);
  t.deepEqual(['a', 'x.a', 'x.b', 'z'].map((hostname) => goes(table, '/', { hostname })), ['4', undefined, '5', undefined]);
  t.is(goes(table, '/', { hostname: 'a' }, 'https'), '4');
  t.deepEqual([...table.hostnames('http')].sort(), ['*.b', 'a']);
  t.deepEqual(table.hostnames('https'), ['a']);
});

test('a filter whose configuration did not change goes on with its state in a new table', (t) => {
  const headers = (value: string): FilterSpec => ({ type: 'response-headers', config: { set: [{ name: 'a', value }] } });
  const redirect = (): FilterSpec => ({ type: 'https-redirect', config: { status: 308 } });
  const at = (where: string, ...filters: readonly FilterSpec[]): Route => route('same', path('PathPrefix', where), filters);
  const first = tableOf(host('a', [at('/', headers('1'), redirect())]));
  const { table } = first.with({ set: { 'http/a': host('a', [at('/x', redirect(), headers('2'))]) } });
  const before = first.match('http', request('/', { hostname: 'a' }));
  const after = table.match('http', request('/x', { hostname: 'a' }));
  t.not(after?.filters[0], before?.filters[0]);
  t.is(after?.filters[1], before?.filters[1]);
});
