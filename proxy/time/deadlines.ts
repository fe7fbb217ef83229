// Deadlines for many connections at the price of one timer: a wheel of one-second slots. Moving a deadline is one
// assignment; only when a slot comes round is it compared with the clock. Precision is a second, which is what idle,
// header and body deadlines need.

/** Whoever can be late. `deadlineAt` is in `performance.now()` milliseconds; 0 means none. */
export interface Expiring {
  deadlineAt: number;
  /** True while the wheel knows it: kept by the wheel. */
  inWheel: boolean;
  /** The deadline has passed; `deadlineAt` is 0 by then. */
  onDeadline(): void;
}

const SLOTS = 128;

export class Deadlines {
  readonly #slots: Expiring[][] = Array.from({ length: SLOTS }, () => []);
  #slot = 0;
  #timer: NodeJS.Timeout | undefined;

  start(): void {
    this.#timer ??= setInterval(() => this.#turn(), 1000).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Sets or moves the deadline to `ms` from now. An entry that is set again and again stays in one slot. */
  set(entry: Expiring, ms: number): void {
    const deadlineAt = performance.now() + ms;
    const sooner = deadlineAt < entry.deadlineAt;
    entry.deadlineAt = deadlineAt;
    if (!entry.inWheel || sooner) this.#insert(entry, ms);
  }

  clear(entry: Expiring): void {
    entry.deadlineAt = 0;
  }

  #insert(entry: Expiring, ms: number): void {
    entry.inWheel = true;
    const ahead = Math.min(SLOTS - 1, Math.max(1, Math.ceil(ms / 1000)));
    (this.#slots[(this.#slot + ahead) % SLOTS] as Expiring[]).push(entry);
  }

  #turn(): void {
    this.#slot = (this.#slot + 1) % SLOTS;
    const due = this.#slots[this.#slot] as Expiring[];
    if (due.length === 0) return;
    this.#slots[this.#slot] = [];
    const now = performance.now();
    for (const entry of due) {
      entry.inWheel = false;
      if (entry.deadlineAt === 0) continue;
      const left = entry.deadlineAt - now;
      if (left > 0) {
        this.#insert(entry, left);
        continue;
      }
      entry.deadlineAt = 0;
      entry.onDeadline();
    }
  }
}
