// The budget for retries, on a clock of the test's own.
import test from 'ava';
import fc from 'fast-check';
import { RetryBudget } from '../../../proxy/balance/retry-budget.ts';

/** How many of `retries` attempts to take one succeed, all at `now`. */
function taken(budget: RetryBudget, retries: number, now: number): number {
  let count = 0;
  for (let nth = 0; nth < retries; nth++) if (budget.take(now)) count++;
  return count;
}

test('a fifth of the requests of the last ten seconds may be tried again', (t) => {
  const budget = new RetryBudget();
  for (let nth = 0; nth < 1_000; nth++) budget.request(nth * 10);
  t.is(taken(budget, 1_000, 9_999), 200);
});

test('where there are few, three a second', (t) => {
  const budget = new RetryBudget();
  budget.request(0);
  t.is(taken(budget, 100, 0), 30);
  t.is(taken(budget, 100, 9_999), 0);
  t.is(taken(budget, 100, 10_000), 30, 'what is older than the window is forgotten');
});

test('whatever happens, no ten seconds see more retries than they may', (t) => {
  const steps = fc.array(fc.record({ ms: fc.integer({ min: 0, max: 700 }), requests: fc.integer({ min: 0, max: 40 }), retries: fc.integer({ min: 0, max: 40 }) }), { maxLength: 120 });
  t.notThrows(() => {
    fc.assert(
      fc.property(steps, (list) => {
        const budget = new RetryBudget();
        const requests: number[] = [];
        const retries: number[] = [];
        let now = 5_000_000;
        for (const step of list) {
          now += step.ms;
          for (let nth = 0; nth < step.requests; nth++) {
            budget.request(now);
            requests.push(now);
          }
          for (let nth = taken(budget, step.retries, now); nth > 0; nth--) retries.push(now);
          // The window moves in whole seconds.
          const from = (Math.floor(now / 1000) - 9) * 1000;
          const recent = (times: readonly number[]): number => times.filter((at) => at >= from).length;
          if (recent(retries) > Math.max(30, recent(requests) * 0.2 + 1)) return false;
        }
        return true;
      }),
      { numRuns: 200 },
    );
  });
});
