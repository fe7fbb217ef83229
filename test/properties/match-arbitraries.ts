// Generated tables and requests for the matcher: few words, so that routes meet, and among them the names that break code
// which uses plain objects as maps.
import fc from 'fast-check';
import type { MatchInput } from '../../proxy/match/conditions.ts';
import type { PathMatch, Route, ValueMatch, VirtualHost } from '../../proxy/table/route.ts';
import { sections } from '../proxy/match/builders.ts';
import type { Hosts } from '../proxy/match/builders.ts';

const WORDS = ['a', 'A', 'b', 'ab', 'a.b', 'a%2Fb', 'a;b', '__proto__', 'constructor', 'toString'];
const NAMES = ['x', 'y', '__proto__', 'constructor'];
const VALUES = ['1', '2', '', '__proto__'];
const HOSTNAMES = ['a.test', 'b.test', '*.test', '*.b.test', '*', 'test', '__proto__', 'constructor', '*.__proto__', 'a.__proto__'];
const ASKED = [...HOSTNAMES.filter((name) => !name.includes('*')), 'c.test', 'a.b.test', 'x.a.b.test', '', '.test', '[::1]'];
const PATTERNS = ['/a', '/[ab]+', '/(a|b)/', '/a.b$', '/.*/b', '(?i)/A', '/', '/__proto__'];

const word = fc.constantFrom(...WORDS);
const pathText = fc.tuple(fc.array(word, { maxLength: 3 }), fc.boolean()).map(([words, slash]) => `/${words.join('/')}${slash && words.length > 0 ? '/' : ''}`);

const pathMatch: fc.Arbitrary<PathMatch> = fc
  .tuple(fc.constantFrom('Exact', 'PathPrefix', 'PathPrefix', 'StringPrefix', 'RegularExpression'), pathText, fc.constantFrom(...PATTERNS), fc.constantFrom(false, false, true))
  .map(([type, value, pattern, ignoreCase]): PathMatch => ({ type, value: type === 'RegularExpression' ? pattern : value, ...(ignoreCase ? { ignoreCase } : {}) }));

const valueMatch: fc.Arbitrary<ValueMatch> = fc.record({ name: fc.constantFrom(...NAMES), type: fc.constantFrom('Exact', 'Present', 'RegularExpression'), value: fc.constantFrom('1', '2', '') });
const few = fc.array(valueMatch, { maxLength: 1 });

const route: fc.Arbitrary<Omit<Route, 'name'>> = fc.record({
  match: fc.record({ path: pathMatch, method: fc.constantFrom(undefined, undefined, 'GET', 'POST'), headers: few, queryParams: few, cookies: few }, { requiredKeys: ['path', 'headers', 'queryParams', 'cookies'] }),
  filters: fc.constant([]),
  action: fc.constant({ type: 'Respond', status: 200, body: '', reason: '' } as const),
  origin: fc.constant({ kind: 'Ingress', namespace: 'n', name: 'i' }),
}) as fc.Arbitrary<Omit<Route, 'name'>>;

const routes = fc.array(route, { minLength: 2, maxLength: 8 }).map((list) => list.map((each, at) => ({ ...each, name: String(at) })));

/** At most one virtual host per listener and hostname. */
const hosts: fc.Arbitrary<VirtualHost[]> = fc.uniqueArray(
  fc.record({ hostname: fc.constantFrom(...HOSTNAMES), listeners: fc.constantFrom(['http'], ['http'], ['http', 'https']), routes }),
  { minLength: 2, maxLength: 6, selector: ({ hostname }) => hostname },
);

export const ROOT: Route['match'] = { path: { type: 'PathPrefix', value: '/' }, headers: [], queryParams: [], cookies: [] };

export const tables: fc.Arbitrary<Hosts> = hosts.map((list) => sections(list));

/** What some endpoints take for a slash, or for its segment's end, among slashes. */
const SEPARATORS = ['/', '/', '/', '/', '%2F', '%5C', '%2f/', ';v/', '%3Bv/', '/;/', ';v%2F'];

export const separators = fc.array(fc.constantFrom(...SEPARATORS), { minLength: 5, maxLength: 5 });

/** A path as it may be written by somebody who wants to get past its route. */
export function spelled(text: string, between: readonly string[]): string {
  const [first = '', ...rest] = text.slice(1).split('/');
  return `/${first}${rest.map((part, at) => `${between[at]}${part}`).join('')}`;
}

/** A host of a table that is open at its root, and a path made of one of its routes'. Some of the routes do the same. */
export const aimedTables = fc.tuple(tables, fc.nat(), fc.nat(), fc.constantFrom('', '/a', '/b/a', '/'), separators).map(([{ virtualHosts }, at, which, tail, between]) => {
  const list = Object.values(virtualHosts).map((each): VirtualHost => ({ ...each, routes: [...each.routes, { ...(each.routes[0] as Route), name: 'root', match: ROOT }].map((one, nth) => ({ ...one, action: { type: 'Respond', status: 200, body: String(nth % 3), reason: '' } })) }));
  const aimedAt = list[at % list.length] as VirtualHost;
  const { value } = (aimedAt.routes[which % aimedAt.routes.length] as Route).match.path;
  return { hosts: sections(list), hostname: aimedAt.hostname.replace('*', 'w'), raw: spelled(`${value}${tail}`, between) };
});

/** Fields whose value is one of the values, by name. */
const pairs = fc.array(fc.tuple(fc.constantFrom(...NAMES), fc.constantFrom(...VALUES)), { maxLength: 3 });

export const requests: fc.Arbitrary<MatchInput> = fc
  .record({ hostname: fc.constantFrom(...ASKED), path: pathText, method: fc.constantFrom('GET', 'POST', 'PUT'), headers: pairs, query: pairs, cookies: pairs })
  .map(({ hostname, path, method, headers, query, cookies }) => ({
    hostname,
    path,
    method,
    headers: [...headers.flatMap(([name, value]) => [name.toUpperCase(), value]), ...(cookies.length > 0 ? ['Cookie', cookies.map((pair) => pair.join('=')).join('; ')] : [])],
    query: query.map((pair) => pair.join('=')).join('&'),
  }));
