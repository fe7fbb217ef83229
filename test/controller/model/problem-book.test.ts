import test from 'ava';
import { ProblemBook } from '../../../controller/model/problem-book.ts';
import type { Problem } from '../../../controller/model/problem.ts';
import { seen } from '../../../controller/model/seen.ts';

function problem(name: string, message: string): Problem {
  return { severity: 'warning', reason: 'R', origin: { kind: 'Ingress', namespace: 'a', name }, message, effect: 'None' };
}
const messages = (book: ProblemBook): string[] => book.list().map(({ origin, message }) => `${origin.name} ${message}`);

test('what two units say in the same words is one Problem, until both take it back', (t) => {
  const book = new ProblemBook();
  book.set('host a', [problem('x', 'same')]);
  book.set('host b', [problem('x', 'same'), problem('w', 'other')]);
  t.deepEqual(messages(book), ['w other', 'x same']);
  book.set('host a', []);
  t.deepEqual(messages(book), ['w other', 'x same']);
  book.set('host b', []);
  t.deepEqual(messages(book), []);
});

test('the list is the same array while nothing changed', (t) => {
  const book = new ProblemBook();
  book.set('u', [problem('x', 'm')]);
  const before = book.list();
  book.set('u', [problem('x', 'm')]);
  book.set('v', []);
  t.is(book.list(), before);
});

test('what a user wrote is shown quoted and cut, and steers no terminal', (t) => {
  t.is(seen('a\u001b[31m\u009b\u202e"'), '"a\\u001b[31m\\u{9b}\\u{202e}\\""');
  const long = seen('x'.repeat(1_000_000));
  t.true(long.length < 160 && long.endsWith('(1000000 characters)'));
});
