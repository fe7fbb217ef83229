// The bounded queue before a cluster: where requests wait while every endpoint has as many as it may. First come, first
// served; who waits too long, or finds the room full, is answered 503. While anybody waits, clients that take nothing of
// their answers lose their places to those who do.
import type { Balancer } from '../../balance/balancer.ts';
import type { Stalled } from './stalled.ts';

export interface Waiter {
  /** A place may be free. True: the waiter needs to wait no longer; false: there was none for it. */
  turn(): boolean;
}

/** How often somebody who waits looks for a client that has stalled. */
const LOOK_MS = 100;

export class WaitingRoom {
  readonly #balancer: Balancer;
  readonly #stalled: Stalled;
  readonly #most: number;
  readonly #waiting = new Set<Waiter>();
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

  /** False: it is full. */
  enter(waiter: Waiter): boolean {
    if (this.#waiting.size >= this.#most) return false;
    this.#waiting.add(waiter);
    this.#balancer.onRoom = this.#call;
    this.#makeRoom();
    return true;
  }

  /** Every place that becomes free is taken by a waiter at once, through `onRoom`. */
  #makeRoom(): void {
    while (this.#waiting.size > 0 && this.#stalled.makeRoom());
    if (this.#waiting.size > 0 && this.#timer === undefined) this.#timer = setTimeout(() => this.#look(), LOOK_MS).unref();
  }

  #look(): void {
    this.#timer = undefined;
    this.#makeRoom();
  }

  leave(waiter: Waiter): void {
    this.#waiting.delete(waiter);
    if (this.#waiting.size === 0) this.#balancer.onRoom = undefined;
  }

  /** Whoever takes a place may give it back within the same call; the loop goes on, and does not begin anew within itself. */
  #callNext(): void {
    if (this.#calling) return;
    this.#calling = true;
    for (const waiter of this.#waiting) {
      if (!waiter.turn()) break;
      this.leave(waiter);
    }
    this.#calling = false;
  }
}
