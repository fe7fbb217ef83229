// Patterns of users: linear in time, bounded, and never an exception.
import test from 'ava';
import { compileRegex } from '../../../proxy/match/regex.ts';

test('a pattern is found anywhere, or only at the start where it is anchored', (t) => {
  const anywhere = compileRegex('b+');
  const anchored = compileRegex('a|b+', { anchored: true });
  if (typeof anywhere !== 'function' || typeof anchored !== 'function') return t.fail();
  t.true(anywhere('abc'));
  t.true(anchored('bc'));
  t.false(anchored('cb'), 'the anchor holds for every alternative');
});

test('case is ignored on request', (t) => {
  const test_ = compileRegex('/Api', { anchored: true, ignoreCase: true });
  t.true(typeof test_ === 'function' && test_('/aPI/x'));
});

for (const bad of ['(', '[', 'a**', '(?=a)', '(?<=a)b', '(a)\\1', 'a{1001}', '(a{1000}){1000}', 'a)|(b', ')', 'a'.repeat(1001), '.{0,400}.{0,400}', '\\']) {
  test(`${bad.slice(0, 30)} is an error and no exception`, (t) => {
    const result = compileRegex(bad, { anchored: true });
    t.true(typeof result === 'object' && result.error.length > 0 && result.error.length < 300);
  });
}

test('a pattern that stops backtracking engines answers at once', (t) => {
  const evil = compileRegex('^(a+)+$');
  const started = performance.now();
  t.true(typeof evil === 'function' && !evil(`${'a'.repeat(8000)}!`));
  t.true(performance.now() - started < 1000);
});
