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
  tick(): void;
}

const SLOWER = 4;
const SLOWEST_MS = 320_000;

export class Keepalive {
  readonly #options: KeepaliveOptions;
  readonly #watched: Watched;
  readonly #timer: NodeJS.Timeout;
  #answerBy: NodeJS.Timeout | undefined;
  #heard = 0;
  /** Looks since something was heard, or the last answer. */
  #silent = 0;
  /** Number of them after which the next PING is sent. */
  #askAfter = 1;

  constructor(options: KeepaliveOptions, watched: Watched) {
    this.#options = options;
    this.#watched = watched;
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
    this.#silent = 0;
    this.#askAfter = Math.min(Math.ceil(SLOWEST_MS / this.#options.pingAfterMs), this.#askAfter * SLOWER);
  }

  #look(): void {
    const { heard, open } = this.#watched;
    if (heard !== this.#heard || open === 0) {
      this.#heard = heard;
      this.#silent = 0;
      this.#askAfter = 1;
    } else if (this.#answerBy === undefined && ++this.#silent >= this.#askAfter) {
      this.#answerBy = setTimeout(() => this.#watched.unresponsive(), this.#options.pingTimeoutMs).unref();
      this.#watched.ping();
    }
    this.#watched.tick();
  }
}
