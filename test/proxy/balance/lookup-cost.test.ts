// What a choice costs does not depend on how many endpoints there are: counted are the places that an algorithm looks at,
// in its list of members, on its ring, and by asking whether one can be used.
import test from 'ava';
import { consistentHash } from '../../../proxy/balance/consistent-hash.ts';
import { peakEwma } from '../../../proxy/balance/ewma.ts';
import { leastRequest } from '../../../proxy/balance/least-request.ts';
import type { Policy } from '../../../proxy/balance/policy.ts';
import { roundRobin } from '../../../proxy/balance/round-robin.ts';
import { newSlot, slotKey } from '../../../proxy/balance/slot.ts';
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
