// What goes on for long is told once a minute.
import test from 'ava';
import { Seldom } from '../../../controller/kube/seldom.ts';

test('the first time is told at once, and after that once a minute, with how often it was left out', (t) => {
  const seldom = new Seldom();
  t.deepEqual(seldom.pass('a', 0), {});
  t.deepEqual(seldom.pass('b', 1), {});
  for (let now = 1_000; now < 60_000; now += 1_000) t.is(seldom.pass('a', now), undefined);
  t.deepEqual(seldom.pass('a', 60_000), { again: 59 });
  t.deepEqual(seldom.pass('a', 120_000), {});
});
