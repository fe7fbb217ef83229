// Deadlines for many connections and streams at the price of one timer: a wheel of one-second slots. Pushing a deadline back is
// one assignment; only when a slot comes round is it compared with the clock. Whoever has none is in no slot, so that nothing is
// kept from the garbage collector. Precision is a second, which is what idle, header and body deadlines need.

/** Whoever can be late. `deadlineAt` is in `performance.now()` milliseconds; 0 means none. The wheel keeps the other two. */
export interface Expiring {
  deadlineAt: number;
  /** The turn of the wheel at which it is looked at next, 0 if none. */
  wheelTurn: number;
  /** Its place in that turn's slot. */
  wheelPlace: number;
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

  /** Entries that have a deadline now. */
  get size(): number {
    return this.#slots.reduce((sum, slot) => sum + slot.length, 0);
  }

  /** Sets or moves the deadline to `ms` from now. Moving it further away costs nothing until its turn comes. */
  set(entry: Expiring, ms: number): void {
    entry.deadlineAt = performance.now() + ms;
    const turn = this.#turnAfter(ms);
    if (entry.wheelTurn !== 0) {
      if (turn >= entry.wheelTurn) return;
      this.#remove(entry);
    }
    this.#insert(entry, turn);
  }

  /** There is none any more, and the entry is let go. */
  clear(entry: Expiring): void {
    entry.deadlineAt = 0;
    if (entry.wheelTurn !== 0) this.#remove(entry);
  }

  #turnAfter(ms: number): number {
    return this.#turn + Math.min(SLOTS - 1, Math.max(1, Math.ceil(ms / 1000)));
  }

  #insert(entry: Expiring, turn: number): void {
    const slot = this.#slots[turn % SLOTS] as Expiring[];
    entry.wheelTurn = turn;
    entry.wheelPlace = slot.length;
    slot.push(entry);
  }

  /** The last of its slot takes its place. */
  #remove(entry: Expiring): void {
    const slot = this.#slots[entry.wheelTurn % SLOTS] as Expiring[];
    const last = slot.pop() as Expiring;
    entry.wheelTurn = 0;
    if (last === entry) return;
    slot[entry.wheelPlace] = last;
    last.wheelPlace = entry.wheelPlace;
  }

  #advance(): void {
    const slot = this.#slots[++this.#turn % SLOTS] as Expiring[];
    if (slot.length === 0) return;
    const now = performance.now();
    for (let entry = slot.pop(); entry !== undefined; entry = slot.pop()) {
      entry.wheelTurn = 0;
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
