// The bounded queue before a cluster: where requests wait while every endpoint has as many as it may. First come, first
// served; who waits too long, or finds the room full, is answered 503.
import type { Balancer } from '../balance/balancer.ts';

export interface Waiter {
  /** A place may be free. True: the waiter needs to wait no longer; false: there was none for it. */
  turn(): boolean;
}

export class WaitingRoom {
  readonly #balancer: Balancer;
  readonly #most: number;
  readonly #waiting = new Set<Waiter>();
  #calling = false;
  readonly #call = (): void => this.#callNext();

  /** `most`: waiters at a time. */
  constructor(balancer: Balancer, most: number) {
    this.#balancer = balancer;
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
    return true;
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
