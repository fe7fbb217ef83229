// One timer that is set, pushed back and cleared many times in the life of a request.

export class Deadline {
  readonly #expired: () => void;
  #timer: NodeJS.Timeout | undefined;
  #ms = 0;

  constructor(expired: () => void) {
    this.#expired = expired;
  }

  /** Starts anew. 0: no limit. */
  set(ms: number): void {
    if (this.#timer !== undefined && ms === this.#ms) {
      this.#timer.refresh();
      return;
    }
    this.clear();
    if (ms <= 0) return;
    this.#ms = ms;
    this.#timer = setTimeout(this.#expired, ms);
  }

  /** The full time again, if it is set. */
  extend(): void {
    this.#timer?.refresh();
  }

  clear(): void {
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
