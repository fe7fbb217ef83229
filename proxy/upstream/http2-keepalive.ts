// Finds connections whose other end is gone without a word. A connection that is in use and silent is asked with a PING;
// one that stays silent is asked again, ever more rarely, because endpoints take frequent PINGs for abuse: gRPC servers
// allow two within five minutes without data and then close the connection (their default; grpc/proposal A8, A9).

export interface KeepaliveOptions {
  /** Silence in ms after which a connection with open streams is asked. */
  readonly pingAfterMs: number;
  /** Longest wait for the answer in ms. */
  readonly pingTimeoutMs: number;
}

/** The connection. */
export interface Watched {
  /** Streams open now. */
  readonly open: number;
  /** Grows with everything that comes. */
  readonly heard: number;
  /** Sends a PING; `pong` tells of the answer. */
  ping(): void;
  /** The other end does not answer. */
  unresponsive(): void;
  /** Every `pingAfterMs`. */
  tick(now: number): void;
}

const SLOWER = 4;
const SLOWEST_MS = 320_000;

export class Keepalive {
  readonly #options: KeepaliveOptions;
  readonly #watched: Watched;
  readonly #timer: NodeJS.Timeout;
  #answerBy: NodeJS.Timeout | undefined;
  #heard = 0;
  #silentSince = performance.now();
  /** Silence after which the next PING is sent. */
  #askAfterMs: number;

  constructor(options: KeepaliveOptions, watched: Watched) {
    this.#options = options;
    this.#watched = watched;
    this.#askAfterMs = options.pingAfterMs;
    this.#timer = setInterval(() => this.#look(), options.pingAfterMs).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    clearTimeout(this.#answerBy);
  }

  /** The answer to a PING. It is no sign that the endpoint would take another one sooner. */
  pong(): void {
    if (this.#answerBy === undefined) return;
    clearTimeout(this.#answerBy);
    this.#answerBy = undefined;
    this.#heard = this.#watched.heard;
    this.#silentSince = performance.now();
    this.#askAfterMs = Math.min(SLOWEST_MS, this.#askAfterMs * SLOWER);
  }

  #look(): void {
    const now = performance.now();
    const { heard, open } = this.#watched;
    if (heard !== this.#heard || open === 0) {
      this.#heard = heard;
      this.#silentSince = now;
      this.#askAfterMs = this.#options.pingAfterMs;
    } else if (this.#answerBy === undefined && now - this.#silentSince >= this.#askAfterMs - 1) {
      this.#answerBy = setTimeout(() => this.#watched.unresponsive(), this.#options.pingTimeoutMs).unref();
      this.#watched.ping();
    }
    this.#watched.tick(now);
  }
}
