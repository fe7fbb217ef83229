// How many requests of a cluster may be tried again, so that endpoints in trouble are not given more work by it: of the
// requests of the last ten seconds a fifth, and three a second where there are few. What counts is a window and not the
// requests of this very moment, as in Envoy: a pod that dies with a third of them on it is no retry storm, and a fifth of
// those under way would be too few for it; and where errors come fast, few are under way and three retries at a time are no
// limit at all. Measured both ways: ARCHITECTURE.md, Decisions. A try that no endpoint saw (a refused connection) is no
// work for anybody and needs no budget.

const SLOTS = 10;
const SHARE = 0.2;
const MIN_PER_SECOND = 3;

/** One per cluster and worker. */
export class RetryBudget {
  readonly #requests = new Float64Array(SLOTS);
  readonly #retries = new Float64Array(SLOTS);
  #requestSum = 0;
  #retrySum = 0;
  #second = 0;

  /** A request begins. `now`: milliseconds of a monotonic clock. */
  request(now: number): void {
    const slot = this.#advance(now);
    this.#requests[slot] = (this.#requests[slot] ?? 0) + 1;
    this.#requestSum++;
  }

  /** True: one of them may be tried again. Nothing is counted: there may be nobody left to try. */
  allows(now: number): boolean {
    this.#advance(now);
    return this.#retrySum < Math.max(MIN_PER_SECOND * SLOTS, this.#requestSum * SHARE);
  }

  /** The same, and it is counted. */
  take(now: number): boolean {
    if (!this.allows(now)) return false;
    const slot = this.#advance(now);
    this.#retries[slot] = (this.#retries[slot] ?? 0) + 1;
    this.#retrySum++;
    return true;
  }

  /** The slot of the present second; what is older than the window is forgotten. */
  #advance(now: number): number {
    const second = Math.floor(now / 1000);
    const passed = Math.min(SLOTS, second - this.#second);
    for (let step = 1; step <= passed; step++) {
      const slot = (second - passed + step) % SLOTS;
      this.#requestSum -= this.#requests[slot] ?? 0;
      this.#retrySum -= this.#retries[slot] ?? 0;
      this.#requests[slot] = 0;
      this.#retries[slot] = 0;
    }
    if (passed > 0) this.#second = second;
    return this.#second % SLOTS;
  }
}
