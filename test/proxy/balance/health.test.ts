// Passive health on a clock that stands still unless the test moves it.
import test from 'ava';
import fc from 'fast-check';
import { createBalancer } from '../../../proxy/balance/create.ts';
import type { Balancer, Outcome } from '../../../proxy/balance/balancer.ts';
import type { Endpoint } from '../../../proxy/table/cluster.ts';
import { cluster } from './helpers.ts';

function setup(size: number): { balancer: Balancer; list: Endpoint[]; clock: { now: number }; end(nth: number, outcome: Outcome): boolean; isOut(nth: number): boolean } {
  const clock = { now: 1_000_000 };
  const list = cluster(size);
  const balancer = createBalancer({ type: 'RoundRobin' }, list, () => clock.now);
  const at = (nth: number): Endpoint => list[nth] as Endpoint;
  const isOut = (nth: number): boolean => {
    const pick = balancer.take(at(nth));
    pick?.settle('cancelled', 0);
    return pick === undefined;
  };
  return {
    balancer,
    list,
    clock,
    isOut,
    end(nth, outcome) {
      const others = list.filter((_, other) => other !== nth);
      balancer.pick(undefined, others)?.settle(outcome, 1);
      return isOut(nth);
    },
  };
}

test('a refused connection and a timeout eject at once, failures only five in a row', (t) => {
  const { end } = setup(10);
  t.true(end(0, 'refused'));
  t.true(end(1, 'timeout'));
  for (let nth = 1; nth <= 5; nth++) t.is(end(2, 'failure'), nth === 5);
  for (const outcome of ['failure', 'failure', 'failure', 'failure', 'success', 'failure', 'failure', 'failure', 'failure'] as const) t.false(end(3, outcome), outcome);
  for (let nth = 0; nth < 20; nth++) t.false(end(4, 'cancelled'));
});

test('an ejection lasts 1 s, and twice as long each time up to 30 s while it goes on', (t) => {
  const { end, isOut, clock } = setup(4);
  for (const seconds of [1, 2, 4, 8, 16, 30, 30]) {
    t.true(end(0, 'refused'));
    clock.now += seconds * 1_000 - 1;
    t.true(isOut(0), `${seconds} s`);
    clock.now += 1;
    t.false(isOut(0), `${seconds} s`);
  }
  end(0, 'success');
  end(0, 'refused');
  clock.now += 1_000;
  t.false(isOut(0), 'a success starts anew');
});

test('failures of requests that were sent before the ejection do not prolong it', (t) => {
  const { balancer, list, isOut, clock } = setup(4);
  const picks = Array.from({ length: 10 }, () => balancer.take(list[0] as Endpoint));
  for (const pick of picks) pick?.settle('timeout', 1);
  clock.now += 1_000;
  t.false(isOut(0));
});

test('an endpoint that fails in a row goes on being ejected by its next failure', (t) => {
  const { end, isOut, clock } = setup(4);
  for (let nth = 0; nth < 5; nth++) end(0, 'failure');
  clock.now += 1_000;
  t.false(isOut(0));
  t.true(end(0, 'failure'));
});

test('never more than half of the endpoints are ejected', (t) => {
  for (let size = 1; size <= 9; size++) {
    const { end, isOut, balancer } = setup(size);
    for (let nth = 0; nth < size; nth++) end(nth, 'refused');
    const out = Array.from({ length: size }, (_, nth) => isOut(nth)).filter(Boolean).length;
    t.is(out, Math.floor(size / 2), `${size} endpoints`);
    t.not(balancer.pick(undefined, []), undefined);
  }
});

test('a place among the ejected becomes free when an ejection ends', (t) => {
  const { end, isOut, clock } = setup(2);
  t.true(end(0, 'refused'));
  t.false(end(1, 'refused'), 'half is out already');
  clock.now += 1_000;
  t.true(end(1, 'refused'));
  t.false(isOut(0));
});

test('an ejection is forgotten when the table changes that endpoint, and kept when it changes others', (t) => {
  const { end, isOut, balancer, list } = setup(4);
  end(0, 'refused');
  balancer.update(list.slice(0, 3).map((one) => ({ ...one })));
  t.true(isOut(0), 'another one left');
  balancer.update(list.map((one, nth) => (nth === 0 ? { ...one, ready: false } : one)));
  balancer.update(list);
  t.false(isOut(0), 'it was not ready for a while');
  end(0, 'refused');
  balancer.update(list.slice(1));
  balancer.update(list);
  t.false(isOut(0), 'it had left and came back');
});

test('an attempt that ends after its endpoint has left ejects nobody', (t) => {
  const { balancer, list, isOut } = setup(4);
  const pick = balancer.take(list[0] as Endpoint);
  balancer.update(list.slice(1));
  pick?.settle('refused', 1);
  balancer.update(list);
  t.false(isOut(0));
  const again = balancer.take(list[1] as Endpoint);
  balancer.update(list);
  again?.settle('refused', 1);
  t.true(isOut(1), 'one that stayed is');
});

test('whatever happens, at most half is out, everyone comes back in time, and a pick is always possible', (t) => {
  const step = fc.record({ nth: fc.nat(7), outcome: fc.constantFrom<Outcome>('success', 'failure', 'refused', 'timeout', 'cancelled'), wait: fc.constantFrom(0, 1, 500, 5_000), drop: fc.option(fc.nat(7)) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const { balancer, list, clock } = setup(8);
      let members = list;
      for (const { nth, outcome, wait, drop } of steps) {
        balancer.take(list[nth] as Endpoint)?.settle(outcome, 1);
        clock.now += wait;
        if (drop !== null) {
          members = list.filter((_, other) => other !== drop);
          balancer.update(members);
        }
        const out = members.filter((one) => {
          const pick = balancer.take(one);
          pick?.settle('cancelled', 0);
          return pick === undefined;
        }).length;
        const pick = balancer.pick(undefined, []);
        pick?.settle('cancelled', 0);
        if (pick === undefined || out > list.length / 2) return false;
      }
      clock.now += 30_000;
      return members.every((one) => {
        const pick = balancer.take(one);
        pick?.settle('cancelled', 0);
        return pick !== undefined;
      });
    }),
    { numRuns: 200 },
  );
  t.pass();
});
