import test from 'ava';
import { readPath } from '../../../controller/dialects/ingress/path.ts';

const ACCEPTED: readonly (readonly [string, 'Exact' | 'Prefix' | 'ImplementationSpecific', string])[] = [
  ['/', 'Prefix', 'PathPrefix /'],
  ['', 'Prefix', 'PathPrefix /'],
  ['', 'ImplementationSpecific', 'PathPrefix /'],
  ['/foo', 'Prefix', 'PathPrefix /foo'],
  ['/foo/', 'Prefix', 'PathPrefix /foo'],
  ['/foo/', 'ImplementationSpecific', 'PathPrefix /foo'],
  ['/foo/', 'Exact', 'Exact /foo/'],
  ['/foo', 'Exact', 'Exact /foo'],
  ['/%41%7e', 'Exact', 'Exact /A~'],
  ['/caf%c3%a9', 'Exact', 'Exact /caf%C3%A9'],
  ['/café au lait', 'Exact', 'Exact /caf%C3%A9%20au%20lait'],
  ['/a|b', 'Exact', 'Exact /a%7Cb'],
  ['/a%2fb', 'ImplementationSpecific', 'PathPrefix /a%2Fb'],
  ['/__proto__', 'Exact', 'Exact /__proto__'],
  ['/a/.well-known/b', 'Prefix', 'PathPrefix /a/.well-known/b'],
];

for (const [path, pathType, match] of ACCEPTED) {
  test(`${pathType} "${path}" is the condition ${match}`, (t) => {
    const read = readPath(path, pathType);
    t.is('match' in read ? `${read.match.type} ${read.match.value}` : read.wrong, match);
  });
}

for (const path of ['foo', '*', 'http://x/', '//', '/a//b', '/.', '/a/..', '/a/./b', '/a/../b', '/a%2e%2e/../b', '/%', '/%zz', '/%00', '/%0a', '/a\\b', '/a?b=c', '/a#b', '/a\u0000', '/a\nb', '/a\u0085', '/\ud800', '/..%2f', `/${'a'.repeat(4096)}`]) {
  test(`a path such as ${JSON.stringify(path.slice(0, 20))} is refused`, (t) => {
    t.true('wrong' in readPath(path, 'ImplementationSpecific'));
    t.true('wrong' in readPath(path, 'Exact'));
  });
}

test('an exact path cannot be empty', (t) => {
  t.true('wrong' in readPath('', 'Exact'));
});
