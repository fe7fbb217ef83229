// The policy of proxy/http/target.ts as a table: raw target, canonical path, what is sent on.
import test from 'ava';
import { canonicalPath, parseTarget } from '../../../proxy/http/target.ts';

/** raw target → [canonical path, target sent on]; the latter is the raw one where it is left out. */
const ACCEPTED: readonly (readonly [string, string, string?])[] = [
  ['/', '/'],
  ['/a/b', '/a/b'],
  ['/a/b/', '/a/b/'],
  ['/a?b=/../c', '/a'],
  ['/.well-known/acme-challenge/x', '/.well-known/acme-challenge/x'],
  ['/...', '/...'],
  ['/a..b/..c', '/a..b/..c'],
  ["/-._~!$&'()*+,=:@", "/-._~!$&'()*+,=:@"],
  // percent-encoding
  ['/%61%2D%7E', '/a-~'],
  ['/v1/items%3Abatch', '/v1/items:batch'],
  ['/%24metadata', '/$metadata'],
  ['/caf%c3%a9', '/caf%C3%A9'],
  ['/a%20b', '/a%20b'],
  ['/a%25b', '/a%25b'],
  ['/%252e%252e/x', '/%252e%252e/x'],
  ['/a%2fb', '/a%2Fb'],
  ['/a%5cb', '/a%5Cb'],
  ['/a%3fb%23', '/a%3Fb%23'],
  ['/caf%e9', '/caf%E9'],
  ['/a|b"', '/a%7Cb%22'],
  ['/%7cb', '/%7Cb'],
  // slashes
  ['//a///b//', '/a/b/'],
  ['//', '/'],
  // dot segments
  ['/a/../b?q=1', '/b', '/b?q=1'],
  ['/a/./b', '/a/b', '/a/b'],
  ['/a/b/..', '/a/', '/a/'],
  ['/a/.', '/a/', '/a/'],
  ['/a/..', '/', '/'],
  ['/a/%2e%2E/b', '/b', '/b'],
  ['/a/.%2e/b', '/b', '/b'],
  ['/a//../b', '/b', '/b'],
  ['/a/../b%2fc?x', '/b%2Fc', '/b%2Fc?x'],
  // parameters
  ['/a;v=1/b', '/a;v=1/b'],
  ['/a%3bv', '/a%3Bv'],
  ['/a;..;/b', '/a;..;/b'],
  ['/x;y/../z', '/z', '/z'],
];

for (const [raw, path, target = raw] of ACCEPTED) {
  test(`${raw} is matched as ${path} and sent on as ${target}`, (t) => {
    const parsed = parseTarget(raw, 'GET');
    if ('status' in parsed) return t.fail(parsed.text);
    t.is(parsed.path, path);
    t.is(parsed.target, target);
    t.is(parsed.query, raw.split('?')[1] ?? '');
    t.is(parsed.form, 'origin');
    t.is(canonicalPath(path), path);
  });
}

const REFUSED: readonly (readonly [string, string])[] = [
  ['', 'neither a path nor a URL'],
  ['a/b', 'neither a path nor a URL'],
  ['*', 'neither a path nor a URL'],
  ['/a#b', 'fragment'],
  ['/a?b#c', 'fragment'],
  ['/a b', 'not visible ASCII'],
  ['/a?b c', 'not visible ASCII'],
  ['/a\tb', 'not visible ASCII'],
  ['/a\u007f', 'not visible ASCII'],
  ['/caf\u00e9', 'not visible ASCII'],
  ['/a?\u00e9', 'not visible ASCII'],
  ['/a\u0000', 'not visible ASCII'],
  ['/\u0141', 'not visible ASCII'],
  ['/a%', 'two hexadecimal digits'],
  ['/a%4', 'two hexadecimal digits'],
  ['/a%4g', 'two hexadecimal digits'],
  ['/a%u002e', 'two hexadecimal digits'],
  ['/a%00', 'control character'],
  ['/a%0d%0a', 'control character'],
  ['/a%7f', 'control character'],
  ['/%c0%ae%c0%ae/a', 'overlong'],
  ['/%e0%80%af', 'overlong'],
  ['/%f0%80%80%af', 'overlong'],
  ['/a\\b', 'backslash'],
  ['/..', 'above the root'],
  ['/../a', 'above the root'],
  ['/a/../..', 'above the root'],
  ['/%2e%2e/a', 'above the root'],
  ['//..', 'above the root'],
  ['/public/..%2Fadmin', 'hidden dot segments'],
  ['/public/%2e%2e%2fadmin', 'hidden dot segments'],
  ['/public%2f..%2fadmin', 'hidden dot segments'],
  ['/public%2f../..%5cadmin', 'hidden dot segments'],
  ['/public/..%5cadmin', 'hidden dot segments'],
  ['/public%5c.', 'hidden dot segments'],
  ['/a/..;/b', 'hidden dot segments'],
  ['/a/.;x=1/b', 'hidden dot segments'],
  ['/a/%2e%2e;/b', 'hidden dot segments'],
  ['/a/..%3b/b', 'hidden dot segments'],
  ['/a/..;x%2fy', 'hidden dot segments'],
  ['ftp://a/', 'neither a path nor a URL'],
  ['http://', 'malformed host'],
  ['http:///a', 'malformed host'],
  ['http://u@a/', 'malformed host'],
  ['http://a:x/', 'malformed host'],
  ['http://a/../b/../../c', 'above the root'],
];

for (const [raw, why] of REFUSED) {
  test(`${JSON.stringify(raw)} is refused: ${why}`, (t) => {
    const parsed = parseTarget(raw, 'GET');
    if (!('status' in parsed)) return t.fail(JSON.stringify(parsed));
    t.is(parsed.status, 400);
    t.true(parsed.text.includes(why), parsed.text);
  });
}

test('absolute-form gives its authority and goes on in origin form', (t) => {
  t.deepEqual(parseTarget('http://Shop.example.com:80/a/../b?c', 'GET'), { form: 'absolute', target: '/b?c', path: '/b', otherPaths: [], query: 'c', authority: 'Shop.example.com:80' });
  t.deepEqual(parseTarget('HTTPS://a', 'GET'), { form: 'absolute', target: '/', path: '/', otherPaths: [], query: '', authority: 'a' });
  t.deepEqual(parseTarget('http://a?b', 'GET'), { form: 'absolute', target: '/?b', path: '/', otherPaths: [], query: 'b', authority: 'a' });
});

test('asterisk-form belongs to OPTIONS alone, and an absolute URL without path means the same there', (t) => {
  t.deepEqual(parseTarget('*', 'OPTIONS'), { form: 'asterisk', target: '*', path: '*', otherPaths: [], query: '', authority: undefined });
  t.deepEqual(parseTarget('http://a', 'OPTIONS'), { form: 'asterisk', target: '*', path: '*', otherPaths: [], query: '', authority: 'a' });
  t.true('status' in parseTarget('*', 'GET'));
});

test('CONNECT takes host and port and nothing else', (t) => {
  t.deepEqual(parseTarget('a.example:443', 'CONNECT'), { form: 'authority', target: 'a.example:443', path: '', otherPaths: [], query: '', authority: 'a.example:443' });
  t.true('status' in parseTarget('a.example', 'CONNECT'));
  t.true('status' in parseTarget('/a', 'CONNECT'));
});

test('a canonical path is given back as the same string', (t) => {
  const path = '/a/b.c/.d';
  const parsed = parseTarget(path, 'GET');
  t.true(!('status' in parsed) && parsed.path === path && parsed.target === path);
  t.is(canonicalPath(path), path);
});

test('a path without leading slash has no canonical form', (t) => {
  t.is(typeof canonicalPath('a'), 'object');
  t.is(typeof canonicalPath(''), 'object');
});

/** path → what else an endpoint may take it for: decoded and cut, decoded, cut, cut before it is decoded */
const READINGS: readonly (readonly [string, ...string[]])[] = [
  ['/a/b'],
  ['/a%20b/%61'],
  ['/caf%c3%a9'],
  ['/a%2fb', '/a/b'],
  ['/%2Fa', '/a'],
  ['/a%5Cb', '/a/b'],
  ['/a/%2f%5C/b', '/a/b'],
  ['/a%2F', '/a/'],
  ['/a;v=1/b', '/a/b'],
  ['/a/;/b;', '/a/b'],
  ['/;', '/'],
  ['/a%3bv/b', '/a/b', '/a;v/b'],
  ['/a;x%2Fb', '/a/b', '/a;x/b', '/a'],
  ['/a%2Fb;x%5Cc', '/a/b/c', '/a/b;x/c', '/a%2Fb', '/a/b'],
  ['/a/./b;c', '/a/b'],
];

for (const [raw, ...readings] of READINGS) {
  test(`${raw} may be read as ${readings.length === 0 ? 'nothing else' : readings.join(' and ')}`, (t) => {
    const parsed = parseTarget(raw, 'GET');
    t.deepEqual('status' in parsed ? parsed.text : parsed.otherPaths, readings);
  });
}
