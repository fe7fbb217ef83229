// The weighted choice between the clusters of a route.
import test from 'ava';
import fc from 'fast-check';
import { pickCluster, smoothWeighted } from '../../../proxy/balance/weighted.ts';

test('choices are spread smoothly', (t) => {
  const sequence = smoothWeighted([5, 1, 1]);
  t.deepEqual(Array.from({ length: 7 }, () => sequence.next()), [0, 0, 1, 0, 2, 0, 0]);
});

test('every cycle holds each choice exactly as often as its weight, and none of weight 0', (t) => {
  fc.assert(
    fc.property(fc.array(fc.nat(20), { maxLength: 6 }), (weights) => {
      const sequence = smoothWeighted(weights);
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      if (total === 0) return sequence.next() === -1;
      for (let cycle = 0; cycle < 2; cycle++) {
        const counts = weights.map(() => 0);
        for (let nth = 0; nth < total; nth++) {
          const place = sequence.next();
          counts[place] = (counts[place] ?? 0) + 1;
        }
        if (counts.some((count, place) => count !== weights[place])) return false;
      }
      return true;
    }),
  );
  t.pass();
});

test('a route goes on where it was, and every route has a sequence of its own', (t) => {
  const stable = [{ cluster: 'a', weight: 1 }, { cluster: 'b', weight: 1 }];
  const other = [...stable];
  t.deepEqual([pickCluster(stable), pickCluster(stable), pickCluster(other), pickCluster(stable)], ['a', 'b', 'a', 'a']);
  t.is(pickCluster([{ cluster: 'a', weight: 0 }]), undefined);
  t.is(pickCluster([]), undefined);
});
