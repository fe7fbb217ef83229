// Explanations: what matched, what each candidate failed at, and what came nearest.
import test from 'ava';
import { compileTable } from '../../../proxy/match/compile.ts';
import { explainMatch } from '../../../proxy/match/explain.ts';
import { exactly, host, path, request, route, sections } from './builders.ts';

const { table } = compileTable(sections([
  host('shop.example.com', [
    route('exact', path('Exact', '/api/v1', { method: 'POST' })),
    route('canary', path('PathPrefix', '/api', { headers: [exactly('x-canary', 'always')], queryParams: [exactly('v', '2')] })),
    route('api', path('PathPrefix', '/api')),
    route('late', path('RegularExpression', '/a')),
  ]),
  host('*.example.org', [route('wild', path('PathPrefix', '/only/here', { method: 'GET' })), route('other', path('Exact', '/only'))]),
]));

test('every candidate is listed in order with the first condition that it fails', (t) => {
  const { host: answering, candidates, winner, nearest } = explainMatch(table, 'http', request('/api/v1', { headers: ['X-Canary', 'never'] }));
  t.is(answering?.virtualHost.hostname, 'shop.example.com');
  t.deepEqual(candidates.map(({ compiled, failed }) => [compiled.route.name, failed]), [
    ['exact', { kind: 'method', expected: 'POST', seen: 'GET' }],
    ['canary', { kind: 'header', expected: 'x-canary: always', seen: 'never' }],
    ['api', undefined],
    ['late', undefined],
  ]);
  t.is(winner?.route.name, 'api');
  t.is(winner, table.match('http', request('/api/v1')));
  t.is(nearest, undefined);
});

test('what the request does not have is not seen', (t) => {
  const { candidates } = explainMatch(table, 'http', request('/api'));
  t.deepEqual(candidates[0]?.failed, { kind: 'path', expected: 'Exact /api/v1', seen: '/api' });
  t.deepEqual(candidates[1]?.failed, { kind: 'header', expected: 'x-canary: always', seen: undefined });
});

test('without a winner, a route whose path holds is nearer than any other', (t) => {
  const { host: answering, winner, nearest } = explainMatch(table, 'http', request('/only/here/x', { hostname: 'a.example.org', method: 'PUT' }));
  t.is(answering?.virtualHost.hostname, '*.example.org');
  t.is(winner, undefined);
  t.is(nearest?.compiled.route.name, 'wild');
  t.deepEqual(nearest?.failed, { kind: 'method', expected: 'GET', seen: 'PUT' });
});

test('without a path that holds, the one with the most in common is nearest', (t) => {
  t.is(explainMatch(table, 'http', request('/only/her', { hostname: 'a.example.org' })).nearest?.compiled.route.name, 'wild');
});

test('for an unknown host the most similar hostnames are told', (t) => {
  const { host: answering, candidates, winner, nearest, nearestHostnames } = explainMatch(table, 'http', request('/', { hostname: 'shop.example.con' }));
  t.is(answering, undefined);
  t.deepEqual(candidates, []);
  t.is(winner, undefined);
  t.is(nearest, undefined);
  t.deepEqual(nearestHostnames, ['shop.example.com', '*.example.org']);
  t.deepEqual(explainMatch(table, 'https', request('/')).nearestHostnames, []);
});
