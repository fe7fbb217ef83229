// Makes the balancer that a cluster asks for. What all algorithms have in common is here: membership, the requests under
// way, the cap per endpoint, passive health; the choice itself is the policy's.
import type { Endpoint, LoadBalancer } from '../table/cluster.ts';
import type { Balancer, Outcome, Pick, Shortage } from './balancer.ts';
import { consistentHash } from './consistent-hash.ts';
import { eligible } from './eligible.ts';
import { peakEwma } from './ewma.ts';
import { Health } from './health.ts';
import { leastRequest } from './least-request.ts';
import { anyUsable } from './policy.ts';
import type { Policy, Random } from './policy.ts';
import { roundRobin } from './round-robin.ts';
import { newSlot, slotKey } from './slot.ts';
import type { Slot } from './slot.ts';

export interface BalancerOptions {
  /** Most requests under way at one endpoint, in this worker. Default: 1024. */
  readonly maxInFlight?: number;
  /** Default: `Math.random`. */
  readonly random?: Random;
}

const NONE: readonly Endpoint[] = [];

/** `clock`: milliseconds of a monotonic clock. */
export function createBalancer(
  spec: LoadBalancer,
  endpoints: readonly Endpoint[],
  clock: () => number = () => performance.now(),
  options: BalancerOptions = {},
): Balancer {
  const random = options.random ?? Math.random;
  const balancer = new PolicyBalancer(createPolicy(spec, random, clock), random, new Health(clock), options.maxInFlight ?? 1024);
  balancer.update(endpoints);
  return balancer;
}

function createPolicy(spec: LoadBalancer, random: Random, clock: () => number): Policy {
  switch (spec.type) {
    case 'RoundRobin':
      return roundRobin(random);
    case 'LeastRequest':
      return leastRequest(random);
    case 'PeakEwma':
      return peakEwma(random, clock);
    case 'ConsistentHash':
      return consistentHash(random, spec.subsetSize);
  }
}

class PolicyBalancer implements Balancer {
  readonly policy: Policy;
  readonly health: Health;
  readonly #maxInFlight: number;
  readonly #random: Random;
  #slots = new Map<string, Slot>();
  #tried: readonly Endpoint[] = NONE;
  members: readonly Slot[] = [];
  #lastResort: readonly Slot[] = [];
  onRoom: (() => void) | undefined;
  /** Requests under way at members: endpoints that have left or are leaving finish what they have, and take no place of others for it. */
  underWay = 0;

  constructor(policy: Policy, random: Random, health: Health, maxInFlight: number) {
    this.policy = policy;
    this.#random = random;
    this.health = health;
    this.#maxInFlight = maxInFlight;
  }

  update(endpoints: readonly Endpoint[]): void {
    const slots = new Map<string, Slot>();
    for (const endpoint of endpoints) {
      const key = slotKey(endpoint);
      const slot = this.#slots.get(key) ?? newSlot(key, endpoint);
      if (!sameConditions(slot.endpoint, endpoint)) this.health.forget(slot);
      slot.endpoint = endpoint;
      slot.eligible = false;
      slots.set(key, slot);
    }
    for (const [key, slot] of this.#slots) {
      if (slots.has(key)) continue;
      slot.eligible = false;
      this.health.forget(slot);
    }
    this.#slots = slots;
    const { members, lastResort } = eligible(endpoints);
    this.members = this.#slotsOf(members);
    this.underWay = 0;
    for (const slot of this.members) {
      slot.eligible = true;
      this.underWay += slot.inFlight;
    }
    this.#lastResort = this.#slotsOf(lastResort);
    this.policy.rebuild(this.members);
    this.onRoom?.();
  }

  pick(hashKey: string | undefined, tried: readonly Endpoint[]): Pick | undefined {
    this.#tried = tried;
    const slot = this.policy.choose(hashKey, this.#isUsable) ?? this.#lastChoice(hashKey);
    this.#tried = NONE;
    return slot === undefined ? undefined : new SlotPick(this, slot);
  }

  /**
   * There is no member as it should be. If all have been tried or are ejected, one that terminates and serves is asked; after those, one that
   * is ejected is still better than no answer at all. One that is only full is worth a wait.
   */
  #lastChoice(hashKey: string | undefined): Slot | undefined {
    if (!this.members.every(this.#isOut)) return undefined;
    const leaving = anyUsable(this.#lastResort, this.#hasRoom, this.#random);
    if (leaving !== undefined) return leaving;
    return this.health.ejected > 0 ? this.policy.choose(hashKey, this.#hasRoom) : undefined;
  }

  /** Sorted by key; endpoints of one address and port are one slot. */
  #slotsOf(endpoints: readonly Endpoint[]): readonly Slot[] {
    const slots = new Set(endpoints.map((endpoint) => this.#slots.get(slotKey(endpoint))).filter((slot) => slot !== undefined));
    return [...slots].sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  take(endpoint: Endpoint): Pick | undefined {
    const slot = this.#slots.get(slotKey(endpoint));
    return slot !== undefined && slot.eligible && this.#isUsable(slot) ? new SlotPick(this, slot) : undefined;
  }

  has(endpoint: Endpoint): boolean {
    return this.#slots.get(slotKey(endpoint))?.eligible === true;
  }

  shortage(tried: readonly Endpoint[] = NONE): Shortage | undefined {
    this.#tried = tried;
    const shortage = this.#shortage();
    this.#tried = NONE;
    return shortage;
  }

  #shortage(): Shortage | undefined {
    if (this.members.every(this.#wasTried)) return 'NoHealthyUpstream';
    const mayTake = this.members.every(this.#isOut) ? this.#hasRoom : this.#isUsable;
    return this.members.some(mayTake) ? undefined : 'UpstreamOverflow';
  }

  get free(): number {
    let free = this.members.length * this.#maxInFlight - this.underWay;
    // Nobody is sent to those that are ejected, unless all are.
    if (this.health.ejected > 0 && !this.members.every(this.#isOut)) {
      for (const slot of this.health.out()) if (slot.eligible) free -= this.#maxInFlight - slot.inFlight;
    }
    return Math.max(0, free);
  }

  readonly #hasRoom = (slot: Slot): boolean => slot.inFlight < this.#maxInFlight && !this.#wasTried(slot);

  readonly #wasTried = (slot: Slot): boolean => this.#tried.length > 0 && this.#tried.some((endpoint) => sameAddress(endpoint, slot.endpoint));

  readonly #isOut = (slot: Slot): boolean => this.#wasTried(slot) || this.health.isEjected(slot);

  readonly #isUsable = (slot: Slot): boolean => this.#hasRoom(slot) && !this.health.isEjected(slot);
}

/** One object per attempt is all that a pick allocates. */
class SlotPick implements Pick {
  readonly endpoint: Endpoint;
  readonly #balancer: PolicyBalancer;
  readonly #slot: Slot;
  #settled = false;

  constructor(balancer: PolicyBalancer, slot: Slot) {
    this.endpoint = slot.endpoint;
    this.#balancer = balancer;
    this.#slot = slot;
    slot.inFlight++;
    if (slot.eligible) balancer.underWay++;
  }

  settle(outcome: Outcome, elapsedMs: number): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#slot.inFlight--;
    if (this.#slot.eligible) this.#balancer.underWay--;
    this.#balancer.policy.observe?.(this.#slot, outcome, elapsedMs);
    // A slot that left the table must not be ejected: nobody would take it back.
    if (this.#slot.eligible) this.#balancer.health.record(this.#slot, outcome, this.#balancer.members.length);
    this.#balancer.onRoom?.();
  }
}

function sameAddress(a: Endpoint, b: Endpoint): boolean {
  return a.port === b.port && a.address === b.address;
}

function sameConditions(a: Endpoint, b: Endpoint): boolean {
  return a.ready === b.ready && a.serving === b.serving && a.terminating === b.terminating;
}
