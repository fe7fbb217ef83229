// One timer that is set, pushed back and cleared many times. A request has its own; a connection keeps one for all the
// requests that it carries, so that none of them has to make a timer.

export interface Expirable {
  /** The time is over. */
  expired(): void;
}

export class Deadline {
  owner: Expirable;
  #timer: NodeJS.Timeout | undefined;
  #ms = 0;
  #armed = false;

  constructor(owner: Expirable) {
    this.owner = owner;
  }

  /** Starts anew. 0: no limit. */
  set(ms: number): void {
    if (this.#timer !== undefined && ms === this.#ms) {
      this.#armed = true;
      this.#timer.refresh();
      return;
    }
    this.clear();
    if (ms <= 0) return;
    this.#ms = ms;
    this.#armed = true;
    this.#timer = setTimeout(fire, ms, this);
  }

  /** The full time again, if it is set. */
  extend(): void {
    if (this.#armed) this.#timer?.refresh();
  }

  /** Nothing is awaited for now. The timer stays for the next `set` of the same time: that is cheaper than a new one. */
  rest(): void {
    this.#armed = false;
  }

  clear(): void {
    this.#armed = false;
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Called by the timer. */
  fire(): void {
    this.#timer = undefined;
    if (!this.#armed) return;
    this.#armed = false;
    this.owner.expired();
  }
}

function fire(deadline: Deadline): void {
  deadline.fire();
}
