// Deadlines for many connections at the price of one timer: a wheel of one-second slots. Moving a deadline is one
// assignment; only when a slot comes round is it compared with the clock. Precision is a second, which is what idle,
// header and body deadlines need.

/** Whoever can be late. `deadlineAt` is in `performance.now()` milliseconds; 0 means none. */
export interface Expiring {
  deadlineAt: number;
  /** The turn of the wheel at which it is looked at next, 0 if none: kept by the wheel. */
  wheelTurn: number;
  /** The deadline has passed; `deadlineAt` is 0 by then. */
  onDeadline(): void;
}

const SLOTS = 128;

export class Deadlines {
  readonly #slots: Expiring[][] = Array.from({ length: SLOTS }, () => []);
  #turn = 1;
  #timer: NodeJS.Timeout | undefined;

  start(): void {
    this.#timer ??= setInterval(() => this.#advance(), 1000).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Sets or moves the deadline to `ms` from now. Moving it further away costs nothing until its turn comes. */
  set(entry: Expiring, ms: number): void {
    entry.deadlineAt = performance.now() + ms;
    const turn = this.#turnAfter(ms);
    if (entry.wheelTurn === 0 || turn < entry.wheelTurn) this.#insert(entry, turn);
  }

  clear(entry: Expiring): void {
    entry.deadlineAt = 0;
  }

  #turnAfter(ms: number): number {
    return this.#turn + Math.min(SLOTS - 1, Math.max(1, Math.ceil(ms / 1000)));
  }

  #insert(entry: Expiring, turn: number): void {
    entry.wheelTurn = turn;
    (this.#slots[turn % SLOTS] as Expiring[]).push(entry);
  }

  #advance(): void {
    const turn = ++this.#turn;
    const due = this.#slots[turn % SLOTS] as Expiring[];
    if (due.length === 0) return;
    this.#slots[turn % SLOTS] = [];
    const now = performance.now();
    for (const entry of due) {
      // Moved to an earlier turn since, and looked at then.
      if (entry.wheelTurn !== turn) continue;
      entry.wheelTurn = 0;
      if (entry.deadlineAt === 0) continue;
      const left = entry.deadlineAt - now;
      if (left > 0) {
        this.#insert(entry, this.#turnAfter(left));
        continue;
      }
      entry.deadlineAt = 0;
      entry.onDeadline();
    }
  }
}
