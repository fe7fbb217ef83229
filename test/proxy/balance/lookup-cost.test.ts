// What a choice costs does not depend on how many endpoints there are: counted are the places that an algorithm looks at,
// in its list of members, on its ring, and by asking whether one can be used; and of a whole balancer the endpoints.
import test from 'ava';
import { createBalancer } from '../../../proxy/balance/create.ts';
import { consistentHash } from '../../../proxy/balance/consistent-hash.ts';
import { peakEwma } from '../../../proxy/balance/ewma.ts';
import { leastRequest } from '../../../proxy/balance/least-request.ts';
import type { Policy } from '../../../proxy/balance/policy.ts';
import { roundRobin } from '../../../proxy/balance/round-robin.ts';
import { newSlot, slotKey } from '../../../proxy/balance/slot.ts';
import type { Endpoint, LoadBalancer } from '../../../proxy/table/cluster.ts';
import { cluster, seeded } from './helpers.ts';

const CHOICES = 2_000;

let looks = 0;

/** The same, and every read of an element is counted. */
function counted<T extends object>(list: T): T {
  return new Proxy(list, {
    get(target, key) {
      if (typeof key === 'string' && /^\d+$/.test(key)) looks++;
      return Reflect.get(target, key) as unknown;
    },
    set: (target, key, value) => Reflect.set(target, key, value),
  });
}

// Rings are made of these.
globalThis.Uint32Array = new Proxy(Uint32Array, {
  construct: (real, args) => counted(Reflect.construct(real, args) as Uint32Array),
  get: (real, key) => (key === 'from' ? (...args: Parameters<typeof real.from>) => counted(real.from(...args)) : (Reflect.get(real, key) as unknown)),
});

const POLICIES: Readonly<Record<string, () => Policy>> = {
  RoundRobin: () => roundRobin(seeded(1)),
  LeastRequest: () => leastRequest(seeded(1)),
  PeakEwma: () => peakEwma(seeded(1), () => 0),
  ConsistentHash: () => consistentHash(seeded(1)),
  'ConsistentHash with subsets': () => consistentHash(seeded(1), 3),
};

/** Looks per choice. Every third endpoint cannot be used. */
function cost(create: () => Policy, size: number): number {
  const policy = create();
  const slots = cluster(size).map((endpoint) => newSlot(slotKey(endpoint), endpoint));
  const usable = new Set(slots.filter((_, nth) => nth % 3 !== 0));
  policy.rebuild(counted(slots));
  looks = 0;
  for (let nth = 0; nth < CHOICES; nth++) {
    policy.choose(`user-${nth}`, (slot) => {
      looks++;
      return usable.has(slot);
    });
  }
  return looks / CHOICES;
}

for (const [name, create] of Object.entries(POLICIES)) {
  test(`${name}: a choice among 1,000 endpoints looks at no more places than one among 10`, (t) => {
    const few = cost(create, 10);
    const many = cost(create, 1_000);
    t.true(few >= 1 && many >= 1, 'something was counted');
    t.true(many <= few * 1.25, `${few} places among 10, ${many} among 1,000`);
    t.log(`${few.toFixed(1)} and ${many.toFixed(1)} places`);
  });
}

const SPECS: readonly LoadBalancer[] = [{ type: 'RoundRobin' }, { type: 'LeastRequest' }, { type: 'PeakEwma' }, { type: 'ConsistentHash', key: [] }, { type: 'ConsistentHash', key: [], subsetSize: 3 }];

/** Endpoints that are compared with one that was tried, for each choice of a second try. */
function compared(spec: LoadBalancer, size: number): number {
  const list = cluster(size);
  const watched = list.map((endpoint): Endpoint => ({ ...endpoint, get port() {
    looks++;
    return endpoint.port;
  } }));
  const balancer = createBalancer(spec, watched, () => 0, { random: seeded(1) });
  const tried = [list[0]!];
  looks = 0;
  for (let nth = 0; nth < CHOICES; nth++) balancer.pick(`user-${nth}`, tried)?.settle('success', 1);
  return looks / CHOICES;
}

for (const spec of SPECS) {
  test(`${JSON.stringify(spec)}: a second try among 1,000 endpoints compares no more of them than one among 10`, (t) => {
    const [few, many] = [compared(spec, 10), compared(spec, 1_000)];
    t.true(few >= 1 && many >= 1, 'something was counted');
    t.true(many <= few * 1.25, `${few} of 10, ${many} of 1,000`);
    t.log(`${few.toFixed(1)} and ${many.toFixed(1)} endpoints`);
  });
}
