// The bounded queue before a cluster: where requests wait while every endpoint has as many as it may. Clients take turns, so that
// one with a hundred requests that wait is served as one with a single one; of one client, first come, first served. Who waits
// too long, or finds the room full of clients with no more in it, is answered 503. While anybody waits, clients that take nothing of
// their answers lose their places, until they have no more of them than are free.
import type { Balancer } from '../../balance/balancer.ts';
import type { Sharer } from './shares.ts';
import type { Stalled } from './stalled.ts';

export interface Waiter {
  /** A place may be free. True: the waiter needs to wait no longer; false: there was none for it. */
  turn(): boolean;
  /** The room is full, and its place goes to a client that has fewer in it. */
  displaced(): void;
}

/** How often somebody who waits looks for clients that have stalled. */
const LOOK_MS = 20;
/** So many give way at a look: a thousand at once would hold everybody up, and who comes after them may well stall, too. */
const GIVE_WAY = 10;
/** For so many clients there may be no place, although there is one for somebody else, until the others are left for the next place or look. */
const ASKED = 2;

export class WaitingRoom {
  readonly #balancer: Balancer;
  readonly #stalled: Stalled;
  readonly #most: number;
  readonly #waiting = new Map<Waiter, Sharer>();
  /** The same by client; whose turn is next comes first. */
  readonly #clients = new Map<Sharer, Set<Waiter>>();
  #calling = false;
  #timer: NodeJS.Timeout | undefined;
  readonly #call = (): void => this.#callNext();

  /** `most`: waiters at a time. */
  constructor(balancer: Balancer, stalled: Stalled, most: number) {
    this.#balancer = balancer;
    this.#stalled = stalled;
    this.#most = most;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** False: it is full. `client`: who may have others waiting here. */
  enter(waiter: Waiter, client: Sharer): boolean {
    if (this.#waiting.size >= this.#most && !this.#displace(this.#clients.get(client)?.size ?? 0)) return false;
    this.#waiting.set(waiter, client);
    const others = this.#clients.get(client);
    if (others === undefined) this.#clients.set(client, new Set([waiter]));
    else others.add(waiter);
    this.#balancer.onRoom = this.#call;
    if (this.#timer === undefined) this.#makeRoom(1);
    return true;
  }

  /** Makes a place for a client that has `own` in here: who came last of the client with the most has to go. False: it has its share of the room, or nobody has more than it would have. */
  #displace(own: number): boolean {
    // Most of those that find the room full are the ones that filled it: with this one it would have more than its share.
    if ((own + 1) * this.#clients.size >= this.#waiting.size) return false;
    let most: ReadonlySet<Waiter> | undefined;
    for (const waiters of this.#clients.values()) if (waiters.size > (most?.size ?? own + 1)) most = waiters;
    const last = most === undefined ? undefined : [...most].at(-1);
    if (last === undefined) return false;
    this.leave(last);
    last.displaced();
    return true;
  }

  /**
   * A place that becomes free is mostly taken at once, through `onRoom`; else by the first whom it is for: a look later the next client would have stalled as well.
   * That one is free is not enough: it is for nobody who has as many already, and those that stall could leave it at that for ever.
   */
  #makeRoom(most: number): void {
    for (let left = most; left > 0 && this.#waiting.size > 0 && this.#balancer.free < this.#stalled.size && this.#stalled.makeRoom(); left--) this.#callNext(this.#clients.size);
    if (this.#waiting.size > 0 && this.#timer === undefined) this.#timer = setTimeout(() => this.#look(), LOOK_MS).unref();
  }

  #look(): void {
    this.#timer = undefined;
    this.#callNext(this.#clients.size);
    this.#makeRoom(GIVE_WAY);
  }

  leave(waiter: Waiter): void {
    const client = this.#waiting.get(waiter);
    if (client === undefined) return;
    this.#waiting.delete(waiter);
    const others = this.#clients.get(client);
    others?.delete(waiter);
    if (others?.size === 0) this.#clients.delete(client);
    if (this.#waiting.size === 0) this.#balancer.onRoom = undefined;
  }

  /** Whoever takes a place may give it back within the same call; the loop goes on, and does not begin anew within itself. */
  #callNext(asked = ASKED): void {
    if (this.#calling) return;
    this.#calling = true;
    for (let refused = 0; refused < asked && this.#mayServe(); ) if (!this.#callOne()) refused++;
    this.#calling = false;
  }

  /** True: there is a place, or there will never be one. */
  #mayServe(): boolean {
    return this.#waiting.size > 0 && (this.#balancer.free > 0 || this.#balancer.shortage() === 'NoHealthyUpstream');
  }

  /** False: the client whose turn it was goes on waiting. */
  #callOne(): boolean {
    for (const [client, waiters] of this.#clients) {
      this.#clients.delete(client);
      this.#clients.set(client, waiters);
      for (const waiter of waiters) {
        const served = waiter.turn();
        if (served) this.leave(waiter);
        return served;
      }
    }
    return false;
  }
}
