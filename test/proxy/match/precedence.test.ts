// Precedence as the documents have it. Ingress: "In some cases, multiple paths within an Ingress will match a request. In those
// cases precedence will be given first to the longest matching path. If two paths are still equally matched, precedence will
// be given to paths with an exact path type over prefix path type." Gateway API: method, then number of headers, then of query parameters.
import test from 'ava';
import { compareRoutes } from '../../../proxy/match/precedence.ts';
import type { RouteMatch } from '../../../proxy/table/route.ts';
import { path, present } from './builders.ts';

const before = (a: RouteMatch, b: RouteMatch): boolean => compareRoutes({ match: a }, { match: b }) < 0 && compareRoutes({ match: b }, { match: a }) > 0;

const PAIRS: readonly (readonly [string, RouteMatch, RouteMatch])[] = [
  ['the longest path is first', path('PathPrefix', '/aaa/bbb'), path('PathPrefix', '/aaa')],
  ['anything is longer than the root', path('PathPrefix', '/a'), path('PathPrefix', '/')],
  ['a longer prefix comes before a shorter exact path', path('PathPrefix', '/aaa/bbb'), path('Exact', '/aaa')],
  ['an exact path comes before a prefix of the same length', path('Exact', '/foo'), path('PathPrefix', '/foo')],
  ['a trailing slash adds no length', path('Exact', '/foo'), path('PathPrefix', '/foo/')],
  ['path elements come before characters', path('PathPrefix', '/foo'), path('StringPrefix', '/foo')],
  ['a string prefix comes before a regular expression of the same length', path('StringPrefix', '/foo'), path('RegularExpression', '/fo+')],
  ['regular expressions go by the length of their text', path('RegularExpression', '/foo/bar/[a-z]{3}'), path('RegularExpression', '/foo/bar/bar')],
  ['a longer regular expression comes before a shorter prefix', path('RegularExpression', '/foo/.*'), path('PathPrefix', '/foo')],
  ['a method comes first', path('PathPrefix', '/', { method: 'GET' }), path('PathPrefix', '/', { headers: [present('a'), present('b')] })],
  ['more headers come first', path('PathPrefix', '/', { headers: [present('a'), present('b')] }), path('PathPrefix', '/', { headers: [present('a')], queryParams: [present('a'), present('b')] })],
  ['more query parameters come first', path('PathPrefix', '/', { queryParams: [present('a')] }), path('PathPrefix', '/')],
  ['more cookies come first', path('PathPrefix', '/', { cookies: [present('a')] }), path('PathPrefix', '/')],
  ['path type counts before conditions', path('Exact', '/foo'), path('PathPrefix', '/foo', { method: 'GET', headers: [present('a')] })],
];

for (const [title, first, second] of PAIRS) test(title, (t) => t.true(before(first, second)));

test('equal routes stay in the order in which they were given', (t) => {
  t.is(compareRoutes({ match: path('PathPrefix', '/a') }, { match: path('PathPrefix', '/b') }), 0);
  t.is(compareRoutes({ match: path('PathPrefix', '/a/') }, { match: path('PathPrefix', '/a') }), 0);
});
