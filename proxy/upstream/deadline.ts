// One timer that is set, pushed back and cleared many times. A request has its own; a connection keeps one for all the
// requests that it carries, so that none of them has to make a timer.

export interface Expirable {
  /** The time is over. */
  expired(): void;
}

export class Deadline {
  owner: Expirable;
  #timer: NodeJS.Timeout | undefined;
  /** When the timer fires, and when the time is over, which may be later: pushing it back costs no timer. */
  #firesAt = 0;
  #dueAt = 0;
  #ms = 0;
  #armed = false;

  constructor(owner: Expirable) {
    this.owner = owner;
  }

  /** Starts anew. 0: no limit. */
  set(ms: number): void {
    if (ms <= 0) {
      this.clear();
      return;
    }
    this.#ms = ms;
    this.#armed = true;
    this.#dueAt = performance.now() + ms;
    if (this.#timer !== undefined && this.#firesAt <= this.#dueAt) return;
    clearTimeout(this.#timer);
    this.#start(ms);
  }

  /** The full time again, if it is set. */
  extend(): void {
    if (this.#armed) this.#dueAt = performance.now() + this.#ms;
  }

  /** Nothing is awaited for now. The timer stays for the next `set`: that is cheaper than a new one. */
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
    const left = this.#dueAt - performance.now();
    // Timers count whole milliseconds, and may be early by a part of one.
    if (left >= 1) {
      this.#start(left);
      return;
    }
    this.#armed = false;
    this.owner.expired();
  }

  #start(ms: number): void {
    this.#firesAt = performance.now() + ms;
    this.#timer = setTimeout(fire, ms, this);
  }
}

function fire(deadline: Deadline): void {
  deadline.fire();
}
