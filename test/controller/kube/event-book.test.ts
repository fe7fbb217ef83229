// Which Problems are told as Events, and how often.
import test from 'ava';
import { EventBook } from '../../../controller/kube/event-book.ts';
import type { Problem } from '../../../controller/model/problem.ts';

const problem = (name: string, message = 'wrong', kind = 'Ingress'): Problem => ({ severity: 'error', reason: 'InvalidObject', origin: { kind, namespace: 'shop', name }, message, effect: 'ObjectRefused' });
const always = (): string => 'uid';
const any = (): boolean => true;

/** Takes all that is due. */
function take(book: EventBook, now: number): string[] {
  const names: string[] = [];
  for (let due = book.next(now, any); due !== undefined; due = book.next(now, any)) names.push(`${due.problem.origin.name} ${due.problem.message}`);
  return names;
}

test('a Problem is told once for as long as it lasts, even if it is a new value each time', (t) => {
  const book = new EventBook();
  book.update([problem('a')], always, 0);
  t.deepEqual(take(book, 0), ['a wrong']);
  book.update([problem('a'), problem('b')], always, 1);
  t.deepEqual(take(book, 1), ['b wrong']);
});

test('one that went before it was told is not told', (t) => {
  const book = new EventBook();
  book.update([problem('a'), problem('b')], always, 0);
  book.update([problem('b')], always, 1);
  t.deepEqual(take(book, 1), ['b wrong']);
});

test('one that comes and goes is told again only after five minutes', (t) => {
  const book = new EventBook();
  const told: number[] = [];
  for (let now = 0; now < 1_200_000; now += 10_000) {
    book.update([problem('a')], always, now);
    if (take(book, now).length > 0) told.push(now);
    book.update([], always, now + 1);
    book.update([problem('other')], always, now + 2);
    take(book, now + 2);
  }
  t.is(told[0], 0);
  t.true(told.length >= 3 && told.length <= 4, told.join());
  t.true(told.every((at, index) => index === 0 || at - told[index - 1]! > 300_000), told.join());
});

test('an object with a thousand Problems does not drown the others', (t) => {
  const book = new EventBook();
  book.update([...Array.from({ length: 1000 }, (_, index) => problem('bad', `wrong ${index}`)), problem('other')], always, 0);
  const told = take(book, 0);
  t.is(told.length, 6);
  t.true(told.includes('other wrong'));
});

test('what Events cannot be about is left out, and what could not be told is due again', (t) => {
  const book = new EventBook();
  book.update([problem('flag', 'x', 'Flag'), problem('a')], ({ origin }) => (origin.kind === 'Flag' ? '' : 'uid'), 0);
  const due = book.next(0, any)!;
  t.is(due.problem.origin.name, 'a');
  t.is(book.next(0, any), undefined);
  book.again(due);
  t.is(book.next(1, any)?.id, due.id);
});

test('an object that was made anew is told of as any other', (t) => {
  const book = new EventBook();
  const same = problem('a');
  book.update([same], () => 'old', 0);
  const before = book.next(0, any);
  book.update([same], () => 'new', 1);
  const after = book.next(1, any);
  t.is(after?.problem, same);
  t.not(after?.id, before?.id);
  book.update([same, problem('b')], () => 'new', 2);
  t.deepEqual(take(book, 2), ['b wrong']);
});

test('what may not be told now waits, and holds up nothing', (t) => {
  const book = new EventBook();
  const may = ({ origin }: Problem): boolean => origin.name !== 'a';
  book.update([problem('a'), problem('b')], always, 0);
  t.true(book.isDue(may));
  t.is(book.next(0, may)?.problem.origin.name, 'b');
  t.false(book.isDue(may));
  t.is(book.next(0, may), undefined);
  t.is(book.waiting, 1);
  t.deepEqual(take(book, 1), ['a wrong']);
});
