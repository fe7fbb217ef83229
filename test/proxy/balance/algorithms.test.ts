// What is particular to each algorithm.
import test from 'ava';
import fc from 'fast-check';
import { createBalancer } from '../../../proxy/balance/create.ts';
import type { Balancer } from '../../../proxy/balance/balancer.ts';
import type { Endpoint, LoadBalancer } from '../../../proxy/table/cluster.ts';
import { cluster, endpoint, seeded, spread } from './helpers.ts';

const HASH: LoadBalancer = { type: 'ConsistentHash', key: [{ type: 'Path' }] };

function chosen(balancer: Balancer, key: string): string | undefined {
  const pick = balancer.pick(key, []);
  pick?.settle('cancelled', 0);
  return pick?.endpoint.address;
}

const KEYS = Array.from({ length: 300 }, (_, nth) => `key-${nth}`);

test('round robin takes one after the other, and begins at a random place', (t) => {
  const starts = new Set<string | undefined>();
  for (let seed = 0; seed < 40; seed++) {
    const balancer = createBalancer({ type: 'RoundRobin' }, cluster(4), () => 0, { random: seeded(seed) });
    const order = Array.from({ length: 8 }, () => chosen(balancer, ''));
    t.is(new Set(order.slice(0, 4)).size, 4);
    t.deepEqual(order.slice(0, 4), order.slice(4));
    starts.add(order[0]);
  }
  t.is(starts.size, 4);
});

test('round robin shares the turns of an ejected endpoint evenly', (t) => {
  const balancer = createBalancer({ type: 'RoundRobin' }, cluster(4), () => 0);
  balancer.pick(undefined, [])?.settle('refused', 0);
  const shares = Object.values(spread(Array.from({ length: 300 }, () => balancer.pick(undefined, []))));
  t.deepEqual(shares, [100, 100, 100]);
});

test('least request prefers the endpoint with fewer requests under way', (t) => {
  const balancer = createBalancer({ type: 'LeastRequest' }, cluster(2), () => 0, { random: seeded(1) });
  const first = balancer.pick(undefined, []);
  for (let nth = 0; nth < 20; nth++) {
    const pick = balancer.pick(undefined, []);
    t.not(pick?.endpoint, first?.endpoint);
    pick?.settle('success', 1);
  }
});

test('least request stays even while requests pile up', (t) => {
  const balancer = createBalancer({ type: 'LeastRequest' }, cluster(50), () => 0, { random: seeded(5) });
  const counts = Object.values(spread(Array.from({ length: 1_000 }, () => balancer.pick(undefined, []))));
  t.true(Math.max(...counts) - Math.min(...counts) <= 6, `${Math.min(...counts)} to ${Math.max(...counts)}`);
});

test('peak EWMA sends less to a slow endpoint at once, and tries it again as time passes', (t) => {
  let now = 0;
  const balancer = createBalancer({ type: 'PeakEwma' }, cluster(2), () => now, { random: seeded(9) });
  const serve = (slow: number): Record<string, number> =>
    spread(
      Array.from({ length: 200 }, () => {
        const pick = balancer.pick(undefined, []);
        now += 1;
        pick?.settle('success', pick.endpoint.address === 'e1' ? slow : 10);
        return pick;
      }),
    );
  t.true((serve(500)['e1'] ?? 0) <= 5);
  now += 60_000;
  t.true((serve(10)['e1'] ?? 0) > 40, 'it has recovered');
});

test('peak EWMA does not mistake fast failures for speed', (t) => {
  let now = 0;
  const balancer = createBalancer({ type: 'PeakEwma' }, cluster(2), () => now, { random: seeded(2) });
  const picks = Array.from({ length: 200 }, () => {
    const pick = balancer.pick(undefined, []);
    now += 1;
    if (pick?.endpoint.address === 'e1') pick.settle('cancelled', 0.1);
    else pick?.settle('success', 10);
    return pick;
  });
  t.true((spread(picks)['e2'] ?? 0) >= 1);
  for (let nth = 0; nth < 20; nth++) balancer.take(endpoint(1))?.settle('success', 10);
  const after = spread(Array.from({ length: 200 }, () => {
    const pick = balancer.pick(undefined, []);
    pick?.settle('success', 10);
    return pick;
  }));
  t.true((after['e2'] ?? 0) > 60);
});

test('peak EWMA starts new endpoints at the average', (t) => {
  let now = 0;
  const balancer = createBalancer({ type: 'PeakEwma' }, cluster(10), () => now, { random: seeded(4) });
  for (let nth = 0; nth < 500; nth++) {
    now += 1;
    balancer.pick(undefined, [])?.settle('success', 20);
  }
  balancer.update(cluster(11));
  const picks = Array.from({ length: 1_100 }, () => {
    const pick = balancer.pick(undefined, []);
    pick?.settle('success', 20);
    return pick;
  });
  const share = spread(picks)['e11'] ?? 0;
  t.true(share > 20 && share < 300, `${share} of a fair 100`);
});

test('a hash gives the same endpoint for the same key, in whatever order the endpoints are listed', (t) => {
  fc.assert(
    fc.property(fc.shuffledSubarray(cluster(20), { minLength: 1 }), fc.integer(), (list, seed) => {
      const sorted = [...list].sort((a, b) => (a.address < b.address ? -1 : 1));
      const one = createBalancer(HASH, list, () => 0, { random: seeded(seed) });
      const other = createBalancer(HASH, sorted, () => 0, { random: seeded(seed + 1) });
      return KEYS.slice(0, 50).every((key) => chosen(one, key) === chosen(other, key));
    }),
    { numRuns: 50 },
  );
  t.pass();
});

test('a change of endpoints moves only the keys that must move', (t) => {
  const list = fc.uniqueArray(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(list, list, (before, after) => {
      const balancer = createBalancer(HASH, before.map(endpoint));
      const owners = KEYS.map((key) => chosen(balancer, key));
      balancer.update(after.map(endpoint));
      const added = new Set(after.filter((nth) => !before.includes(nth)).map((nth) => `e${nth}`));
      const kept = new Set(after.map((nth) => `e${nth}`));
      // A key may leave an owner that stays only for an endpoint that is new.
      return KEYS.every((key, at) => {
        const now = chosen(balancer, key) ?? '';
        return now === owners[at] || !kept.has(owners[at] ?? '') || added.has(now);
      });
    }),
    { numRuns: 200 },
  );
  t.pass();
});

test('one more endpoint takes its share of the keys, and no more', (t) => {
  const balancer = createBalancer(HASH, cluster(50));
  const keys = Array.from({ length: 20_000 }, (_, nth) => `session-${nth}`);
  const before = keys.map((key) => chosen(balancer, key));
  balancer.update(cluster(51));
  const moved = keys.filter((key, at) => chosen(balancer, key) !== before[at]).length;
  t.true(moved > 0 && moved < (20_000 / 51) * 1.25, `${moved} of a fair ${Math.round(20_000 / 51)}`);
});

test('a hash leaves no endpoint with few keys, whatever they are called and however few they are', (t) => {
  const keys = Array.from({ length: 2_000 }, (_, nth) => `session-${nth}`);
  for (const size of [2, 3, 5, 10]) {
    for (let trial = 0; trial < 40; trial++) {
      const list = cluster(size).map((each) => ({ ...each, address: `10.0.${trial}.${each.address.slice(1)}` }));
      const balancer = createBalancer(HASH, list);
      const counts = Object.values(spread(keys.map((key) => balancer.pick(key, []))));
      const fair = keys.length / size;
      t.is(counts.length, size);
      t.true(Math.min(...counts) > fair * 0.6 && Math.max(...counts) < fair * 1.5, `${counts.join(' ')} of a fair ${fair}`);
    }
  }
});

test('a hash gives a retry, an ejection and a full endpoint the same second choice, as if the first had left', (t) => {
  const list = cluster(9);
  for (const key of KEYS.slice(0, 60)) {
    const balancer = createBalancer(HASH, list, () => 0, { maxInFlight: 1 });
    const first = balancer.pick(key, []);
    const without = createBalancer(HASH, list.filter((one) => one !== first?.endpoint));
    const expected = chosen(without, key);
    t.is(balancer.pick(key, [first?.endpoint as Endpoint])?.endpoint.address, expected, 'tried');
    const full = createBalancer(HASH, list, () => 0, { maxInFlight: 1 });
    full.pick(key, []);
    t.is(full.pick(key, [])?.endpoint.address, expected, 'full');
    const ejected = createBalancer(HASH, list, () => 0);
    ejected.pick(key, [])?.settle('refused', 0);
    t.is(chosen(ejected, key), expected, 'ejected');
  }
});

test('requests without a key are spread at random', (t) => {
  const balancer = createBalancer(HASH, cluster(5), () => 0, { random: seeded(11) });
  for (const key of [undefined, '']) {
    const counts = Object.values(spread(Array.from({ length: 1_000 }, () => balancer.pick(key, []))));
    t.is(counts.length, 5);
    t.true(Math.max(...counts) < 260);
  }
});

test('the hash is the same on every version: these keys have always had these owners', (t) => {
  const balancer = createBalancer(HASH, cluster(10));
  const owners = ['a', 'b', '/cart', '203.0.113.7', '\u00e9\u20ac', 'x'.repeat(1_000)].map((key) => chosen(balancer, key));
  t.deepEqual(owners, ['e6', 'e1', 'e10', 'e10', 'e4', 'e10']);
});

test('with a subset a key goes to as many endpoints as that has, the same on every worker, and each key to others', (t) => {
  const spec: LoadBalancer = { type: 'ConsistentHash', key: [], subsetSize: 3 };
  const subsets = (seed: number): string[] => {
    const balancer = createBalancer(spec, cluster(20), () => 0, { random: seeded(seed) });
    return KEYS.slice(0, 50).map((key) => [...new Set(Array.from({ length: 60 }, () => chosen(balancer, key)))].sort().join());
  };
  const first = subsets(1);
  t.true(first.every((subset) => subset.split(',').length === 3));
  t.true(new Set(first).size > 30);
  t.deepEqual(subsets(2), first);
});

test('a subset is no larger than the cluster, and one whose endpoints are all tried gives way to others', (t) => {
  const spec: LoadBalancer = { type: 'ConsistentHash', key: [], subsetSize: 3 };
  const small = createBalancer(spec, cluster(2), () => 0);
  t.is(new Set(Array.from({ length: 60 }, () => chosen(small, 'k'))).size, 2);
  const balancer = createBalancer(spec, cluster(5), () => 0);
  const tried: Endpoint[] = [];
  for (let nth = 0; nth < 5; nth++) {
    const pick = balancer.pick('k', tried);
    t.truthy(pick);
    tried.push(pick!.endpoint);
  }
  t.is(balancer.pick('k', tried), undefined);
});
