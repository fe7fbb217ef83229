// The tables of https://kubernetes.io/docs/concepts/services-networking/ingress/ ("Examples" of path types, "Hostname
// wildcards"), every row, asked of the table that the pipeline makes with the matcher of the data plane.
import test from 'ava';
import { answerTo, documents, ingressYaml, runOnce, serviceYaml } from '../support/pipeline.ts';

// | Kind | Path(s) | Request path(s) | Matches? |, as the documentation has them. The last column is split: which path wins ('' for none).
const PATHS: readonly (readonly [string, readonly string[], readonly string[], string, string])[] = [
  ['Prefix', ['/'], ['/', '/a', '/a/b/', '/%20'], 'Yes', '/'],
  ['Exact', ['/foo'], ['/foo'], 'Yes', '/foo'],
  ['Exact', ['/foo'], ['/bar'], 'No', ''],
  ['Exact', ['/foo'], ['/foo/'], 'No', ''],
  ['Exact', ['/foo/'], ['/foo'], 'No', ''],
  ['Prefix', ['/foo'], ['/foo', '/foo/'], 'Yes', '/foo'],
  ['Prefix', ['/foo/'], ['/foo', '/foo/'], 'Yes', '/foo/'],
  ['Prefix', ['/aaa/bb'], ['/aaa/bbb'], 'No', ''],
  ['Prefix', ['/aaa/bbb'], ['/aaa/bbb'], 'Yes', '/aaa/bbb'],
  ['Prefix', ['/aaa/bbb/'], ['/aaa/bbb'], 'Yes, ignores trailing slash', '/aaa/bbb/'],
  ['Prefix', ['/aaa/bbb'], ['/aaa/bbb/'], 'Yes, matches trailing slash', '/aaa/bbb'],
  ['Prefix', ['/aaa/bbb'], ['/aaa/bbb/ccc'], 'Yes, matches subpath', '/aaa/bbb'],
  ['Prefix', ['/aaa/bbb'], ['/aaa/bbbxyz'], 'No, does not match string prefix', ''],
  ['Prefix', ['/', '/aaa'], ['/aaa/ccc'], 'Yes, matches /aaa prefix', '/aaa'],
  ['Prefix', ['/', '/aaa', '/aaa/bbb'], ['/aaa/bbb'], 'Yes, matches /aaa/bbb prefix', '/aaa/bbb'],
  ['Prefix', ['/', '/aaa', '/aaa/bbb'], ['/ccc'], 'Yes, matches / prefix', '/'],
  ['Prefix', ['/aaa'], ['/ccc'], 'No, uses default backend', ''],
  ['Mixed', ['/foo (Prefix)', '/foo (Exact)'], ['/foo'], 'Yes, prefers Exact', '/foo (Exact)'],
];

for (const [kind, paths, requests, matches, winner] of PATHS) {
  test(`${kind} ${paths.join(', ')} and the request ${requests.join(', ')}: ${matches}`, (t) => {
    const rules = paths.map((path, index) => {
      const [text = '', type] = path.split(' ');
      return `${type === undefined ? kind : type.slice(1, -1)} ${text} service-${index}`;
    });
    const services = serviceYaml('default-backend', ...paths.map((_, index) => `service-${index}`));
    const expected = winner === '' ? 'default-backend' : `service-${paths.indexOf(winner)}`;
    for (const order of [rules, rules.toReversed()]) {
      const { sections } = runOnce(documents(services, ingressYaml({ name: 'web', host: 'a.example', paths: order })), { defaultBackendService: 'default/default-backend' });
      for (const request of requests) t.is(answerTo(sections, 'a.example', request), `default/${expected}:80`, request);
    }
  });
}

// | Host | Host header | Match? |
const HOSTS: readonly (readonly [string, string, string])[] = [
  ['*.foo.com', 'bar.foo.com', 'Matches based on shared suffix'],
  ['*.foo.com', 'baz.bar.foo.com', 'No match, wildcard only covers a single DNS label'],
  ['*.foo.com', 'foo.com', 'No match, wildcard only covers a single DNS label'],
];

for (const [host, header, match] of HOSTS) {
  test(`the host ${host} and the Host header ${header}: ${match}`, (t) => {
    const { sections } = runOnce(documents(serviceYaml('web'), ingressYaml({ name: 'web', host, paths: ['Prefix / web'] })));
    t.is(answerTo(sections, header, '/'), match.startsWith('Matches') ? 'default/web:80' : '404');
  });
}

// What the documentation says in words.
test('the longest path first, whatever the order in the manifest and the pathType of the shorter ones', (t) => {
  const paths = ['Exact /a one', 'Prefix /a/b two', 'ImplementationSpecific /a/b/c three', 'Prefix / four'];
  for (const order of [paths, paths.toReversed()]) {
    const { sections } = runOnce(documents(serviceYaml('one', 'two', 'three', 'four'), ingressYaml({ name: 'web', host: 'a.example', paths: order })));
    const answers = ['/a', '/a/', '/a/b', '/a/b/x', '/a/b/c/d', '/a/bc', '/x'].map((path) => answerTo(sections, 'a.example', path));
    t.deepEqual(answers, ['one', 'four', 'two', 'two', 'three', 'four', 'four'].map((name) => `default/${name}:80`));
  }
});

test('the precise host wins over the wildcard for all of its paths, and both over rules without a host', (t) => {
  const { sections } = runOnce(
    documents(
      serviceYaml('precise', 'wild', 'any'),
      ingressYaml({ name: 'a', host: 'a.foo.com', paths: ['Prefix /a precise'] }),
      ingressYaml({ name: 'b', host: '*.foo.com', paths: ['Prefix / wild'] }),
      ingressYaml({ name: 'c', paths: ['Prefix / any'] }),
    ),
  );
  t.is(answerTo(sections, 'a.foo.com', '/a'), 'default/precise:80');
  t.is(answerTo(sections, 'a.foo.com', '/b'), '404');
  t.is(answerTo(sections, 'b.foo.com', '/a'), 'default/wild:80');
  t.is(answerTo(sections, 'foo.com', '/a'), 'default/any:80');
});
