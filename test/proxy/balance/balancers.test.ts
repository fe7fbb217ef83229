// What every balancer must do, whatever its algorithm.
import test from 'ava';
import fc from 'fast-check';
import { createBalancer } from '../../../proxy/balance/create.ts';
import type { Endpoint, LoadBalancer } from '../../../proxy/table/cluster.ts';
import { cluster, endpoint, seeded, spread } from './helpers.ts';

const SPECS: readonly LoadBalancer[] = [{ type: 'RoundRobin' }, { type: 'LeastRequest' }, { type: 'PeakEwma' }, { type: 'ConsistentHash', key: [{ type: 'Path' }] }];

const conditions = fc.constantFrom(
  { ready: true, serving: true, terminating: false },
  { ready: false, serving: true, terminating: true },
  { ready: false, serving: false, terminating: true },
  { ready: false, serving: false, terminating: false },
);
const endpoints = fc.uniqueArray(fc.tuple(fc.integer({ min: 1, max: 12 }), conditions), { selector: ([nth]) => nth, maxLength: 12 }).map((list) => list.map(([nth, flags]): Endpoint => ({ ...endpoint(nth), ...flags })));

for (const spec of SPECS) {
  test(`${spec.type}: only an eligible, untried endpoint is picked, and one is whenever there is one`, (t) => {
    fc.assert(
      fc.property(endpoints, fc.array(fc.nat(11), { maxLength: 8 }), fc.integer(), fc.option(fc.string(), { nil: undefined }), (list, triedPlaces, seed, key) => {
        const balancer = createBalancer(spec, list, () => 0, { random: seeded(seed) });
        // As other objects: a swap of the table may have replaced them.
        const tried = triedPlaces.flatMap((place) => (list[place] === undefined ? [] : [{ ...list[place] }]));
        const untried = list.filter((one) => !tried.some((other) => other.address === one.address));
        const ready = untried.filter((one) => one.ready);
        const allowed = ready.length > 0 ? ready : untried.filter((one) => one.serving && one.terminating);
        const picked = balancer.pick(key, tried);
        return picked === undefined ? allowed.length === 0 : allowed.includes(picked.endpoint);
      }),
      { numRuns: 300 },
    );
    t.pass();
  });

  test(`${spec.type}: tries of one request meet every endpoint once, and then none`, (t) => {
    const list = cluster(7);
    const balancer = createBalancer(spec, list);
    const tried: Endpoint[] = [];
    for (let picked = balancer.pick('key', tried); picked !== undefined; picked = balancer.pick('key', tried)) tried.push(picked.endpoint);
    t.is(tried.length, 7);
    t.is(new Set(tried).size, 7);
  });

  test(`${spec.type}: the cap per endpoint holds, also across updates, and is given back`, (t) => {
    const list = cluster(3);
    const balancer = createBalancer(spec, list, () => 0, { maxInFlight: 2 });
    const picks = Array.from({ length: 6 }, (_, nth) => balancer.pick(String(nth), []));
    t.deepEqual(spread(picks), { 'e1': 2, 'e2': 2, 'e3': 2 });
    t.is(balancer.pick('x', []), undefined);
    t.is(balancer.shortage(), 'UpstreamOverflow');
    balancer.update(list.map((one) => ({ ...one })));
    t.is(balancer.pick('x', []), undefined, 'requests under way are still counted');
    picks[0]?.settle('success', 1);
    picks[0]?.settle('success', 1);
    t.is(balancer.shortage(), undefined);
    t.is(balancer.pick('x', [])?.endpoint.address, picks[0]?.endpoint.address);
    t.is(balancer.pick('x', []), undefined, 'settling twice gives back once');
    balancer.update([]);
    t.is(balancer.shortage(), 'NoHealthyUpstream');
    for (const pick of picks) pick?.settle('refused', 1);
    balancer.update(list);
    t.not(balancer.pick('x', []), undefined, 'an endpoint that comes back is a new one');
  });

  test(`${spec.type}: a terminating endpoint takes no new request while another can`, (t) => {
    const [first, second] = cluster(2) as [Endpoint, Endpoint];
    const leaving = { ...first, ready: false, terminating: true };
    const balancer = createBalancer(spec, [leaving, second]);
    for (let nth = 0; nth < 50; nth++) t.is(balancer.pick(String(nth), [])?.endpoint, second);
    balancer.update([leaving, { ...second, ready: false, serving: false }]);
    t.is(balancer.pick('x', [])?.endpoint, leaving, 'the last one that serves');
    t.is(balancer.take(second), undefined);
    t.is(balancer.take(leaving)?.endpoint, leaving);
  });

  test(`${spec.type}: a terminating endpoint that serves is asked when every ready one has been tried or is ejected, and not when they are full`, (t) => {
    const [first, second, third] = cluster(3) as [Endpoint, Endpoint, Endpoint];
    const leaving = { ...third, ready: false, terminating: true };
    const gone = { ...endpoint(4), ready: false, serving: false, terminating: true };
    const balancer = createBalancer(spec, [first, second, leaving, gone], () => 0, { maxInFlight: 1 });
    t.is(balancer.pick('x', [first])?.endpoint, second);
    t.is(balancer.pick('x', [first]), undefined, 'the other ready one is full');
    t.is(balancer.pick('x', [first, second])?.endpoint, leaving);
    t.is(balancer.pick('x', [first, second]), undefined, 'it is full too');
    balancer.update([first, second, leaving].map((one) => ({ ...one })));
    t.is(balancer.take(leaving), undefined, 'sessions do not stay with it');

    const ejecting = createBalancer(spec, [first, second, leaving], () => 0);
    const refusing = ejecting.pick('x', []);
    refusing?.settle('refused', 1);
    const other = [first, second].filter((one) => one !== refusing?.endpoint);
    t.is(ejecting.pick('x', other)?.endpoint, leaving, 'before one that is ejected');
    t.is(ejecting.pick('x', [...other, leaving])?.endpoint, refusing?.endpoint);
  });

  test(`${spec.type}: an endpoint that refuses is left out, and is the last resort`, (t) => {
    let now = 0;
    const list = cluster(3);
    const balancer = createBalancer(spec, list, () => now);
    const bad = balancer.pick('key', []);
    bad?.settle('refused', 1);
    const picks = Array.from({ length: 30 }, (_, nth) => balancer.pick(`k${nth}`, [])?.endpoint.address);
    t.false(picks.includes(bad?.endpoint.address));
    t.is(balancer.take(bad?.endpoint as Endpoint), undefined);
    const others = list.filter((one) => one.address !== bad?.endpoint.address);
    t.is(balancer.pick('key', others)?.endpoint.address, bad?.endpoint.address);
    now = 1_000;
    t.not(balancer.take(bad?.endpoint as Endpoint), undefined);
  });

  test(`${spec.type}: an endpoint that is ejected is asked when all others have been tried, and not when they are full`, (t) => {
    const list = cluster(3);
    const balancer = createBalancer(spec, list, () => 0, { maxInFlight: 2 });
    const bad = balancer.pick('key', []);
    bad?.settle('refused', 1);
    const others = list.filter((one) => one !== bad?.endpoint);
    t.is(balancer.free, 4);
    for (let nth = 0; nth < 4; nth++) t.true(others.includes(balancer.pick(String(nth), [])?.endpoint as Endpoint));
    t.is(balancer.pick('x', []), undefined);
    t.deepEqual([balancer.free, balancer.shortage()], [0, 'UpstreamOverflow']);
    t.is(balancer.pick('x', others.slice(0, 1)), undefined, 'the other one is full, and worth a wait');
    t.is(balancer.shortage(others.slice(0, 1)), 'UpstreamOverflow');
    t.is(balancer.pick('x', others)?.endpoint, bad?.endpoint);
    t.is(balancer.shortage(list), 'NoHealthyUpstream');
    balancer.update(list.filter((one) => one === bad?.endpoint));
    t.deepEqual([balancer.free, balancer.shortage()], [1, undefined], 'where all are ejected they are asked');
    t.is(balancer.pick('x', [])?.endpoint, bad?.endpoint);
  });

  test(`${spec.type}: equal endpoints get equal shares, within what the algorithm promises`, (t) => {
    const balancer = createBalancer(spec, cluster(20), () => 0, { random: seeded(7) });
    const picks = Array.from({ length: 20_000 }, (_, nth) => {
      const pick = balancer.pick(`user-${nth}`, []);
      pick?.settle('success', 5);
      return pick;
    });
    const shares = Object.values(spread(picks)).map((count) => count / 1_000);
    t.is(shares.length, 20);
    t.true(Math.max(...shares) < 1.16, `${Math.max(...shares)}`);
    // A point close behind another one on the ring gets less; no endpoint gets much more.
    t.true(Math.min(...shares) > (spec.type === 'ConsistentHash' ? 0.4 : 0.85), `${Math.min(...shares)}`);
  });

  test(`${spec.type}: scaling from 1 to 100 and back loses no pick and ends fair`, (t) => {
    const balancer = createBalancer(spec, cluster(1), () => 0, { random: seeded(3) });
    for (let size = 1; size <= 100; size++) {
      balancer.update(cluster(size));
      t.not(balancer.pick('a', []), undefined);
    }
    const picks = Array.from({ length: 50_000 }, (_, nth) => balancer.pick(`user-${nth}`, []));
    for (const pick of picks) pick?.settle('success', 5);
    t.true(Math.max(...Object.values(spread(picks))) < 500 * 1.2);
    for (let size = 100; size >= 1; size--) {
      balancer.update(cluster(size));
      t.not(balancer.pick('a', []), undefined);
    }
  });
}

test('endpoints with the same address and different ports are different; the same one twice is one', (t) => {
  const a: Endpoint = { ...endpoint(1), port: 1 };
  const b: Endpoint = { ...endpoint(1), port: 2 };
  const balancer = createBalancer({ type: 'RoundRobin' }, [a, b, { ...a }]);
  const picks = Array.from({ length: 10 }, () => balancer.pick(undefined, [])?.endpoint.port);
  t.is(picks.filter((port) => port === 1).length, 5);
  t.is(balancer.pick(undefined, [a])?.endpoint.port, 2);
});
