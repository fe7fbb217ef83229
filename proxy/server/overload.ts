// When a worker is overloaded, and how much. Short of memory, at the first level nothing new is begun on connections that are
// there: HTTP/2 streams are refused, and HTTP/1 connections end with their answer; at the second, new requests are answered 503.
// An event loop that is late has some requests answered 503, a growing share as long as it stays late and a falling one
// afterwards: who is refused at once costs little, and connections that ended would come back with a handshake each. What is
// under way, WebSockets and streams included, goes on; health and metrics are another process's business. Requests look at
// plain fields: the looking at the load itself happens twice a second.

export interface Load {
  /** Share of the memory limit that is used; 0 where there is no limit. */
  readonly memory: number;
  /** 99th percentile of the event loop's delay since the last look. */
  readonly loopDelayMs: number;
}

/** Called at every look. Must not throw. */
export type LoadProbe = () => Load;

/** Gives back memory that is no longer needed. May take as long as a full garbage collection. Must not throw. */
export type Relief = () => void;

export const SAMPLE_MS = 500;
/** A level is left at a lower load than it is entered at, lest it comes and goes with every request. */
const HIGH = { from: 0.85, until: 0.8 };
const CRITICAL = { from: 0.92, until: 0.88 };
const LOOP_DELAY_MS = 200;
/** This long the delay must last. */
const LOOP_DELAY_FOR_MS = 2_000;
/** What is added to the share of refused requests at every look that finds the loop late, and taken from it at every other. */
const SHARE = { up: 0.2, down: 0.1 };

/** While memory is short it is asked for this often: a worker that refuses everything makes no garbage, and so collects none by itself. */
const RELIEF_MS = 5_000;

export class Overload {
  /** Memory: the first level, or the second. */
  high = false;
  /** Memory: the second level. */
  critical = false;
  /** Of new requests, how many are refused because the event loop is late: 0 to 1. */
  share = 0;
  /** Sum of the shares since a request was last refused. */
  #due = 0;
  readonly #probe: LoadProbe;
  #memoryHigh = false;
  #memoryCritical = false;
  #slowSince: number | undefined;
  readonly #relief: Relief;
  #relievedAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  constructor(probe: LoadProbe, relief: Relief = () => undefined) {
    this.#probe = probe;
    this.#relief = relief;
  }

  start(): void {
    this.#timer ??= setInterval(() => this.look(performance.now()), SAMPLE_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** `now`: milliseconds of a monotonic clock. */
  look(now: number): void {
    const { memory, loopDelayMs } = this.#probe();
    this.#memoryHigh = memory >= (this.#memoryHigh ? HIGH.until : HIGH.from);
    this.#memoryCritical = memory >= (this.#memoryCritical ? CRITICAL.until : CRITICAL.from);
    if (this.#memoryHigh && now - this.#relievedAt >= RELIEF_MS) {
      this.#relievedAt = now;
      this.#relief();
    }
    if (loopDelayMs <= LOOP_DELAY_MS) this.#slowSince = undefined;
    else this.#slowSince ??= now - SAMPLE_MS;
    const slow = this.#slowSince !== undefined && now - this.#slowSince >= LOOP_DELAY_FOR_MS;
    this.share = slow ? Math.min(1, this.share + SHARE.up) : this.share > SHARE.down ? this.share - SHARE.down : 0;
    this.critical = this.#memoryCritical;
    this.high = this.#memoryHigh || this.critical;
  }

  /** Asked once for every new request: true if it is to be refused. */
  refuses(): boolean {
    if (this.critical) return true;
    if (this.share === 0) return false;
    this.#due += this.share;
    if (this.#due < 1) return false;
    this.#due -= 1;
    return true;
  }
}
