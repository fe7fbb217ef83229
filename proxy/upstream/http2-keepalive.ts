// Finds connections whose other end is gone without a word. A connection that is in use and silent is asked with a PING;
// one that stays silent is asked again, ever more rarely, because endpoints take frequent PINGs for abuse: gRPC servers
// allow two within five minutes without data and then close the connection (their default; grpc/proposal A8, A9).
import type { ClientHttp2Session } from 'node:http2';
import type net from 'node:net';

export interface KeepaliveOptions {
  /** Silence in ms after which a connection with open streams is asked. */
  readonly pingAfterMs: number;
  /** Longest wait for the answer in ms. */
  readonly pingTimeoutMs: number;
}

const SLOWER = 4;
const SLOWEST_MS = 320_000;

/** Whoever has the connection. */
export interface Watched {
  /** Streams open now. */
  readonly streams: number;
  /** The other end does not answer. */
  unresponsive(): void;
  /** Every `pingAfterMs`. */
  tick(now: number): void;
}

export class Keepalive {
  readonly #session: ClientHttp2Session;
  readonly #socket: net.Socket;
  readonly #options: KeepaliveOptions;
  readonly #watched: Watched;
  readonly #timer: NodeJS.Timeout;
  #answerBy: NodeJS.Timeout | undefined;
  #heard: number;
  #silentSince = performance.now();
  /** Silence after which the next PING is sent. */
  #askAfterMs: number;

  constructor(session: ClientHttp2Session, socket: net.Socket, options: KeepaliveOptions, watched: Watched) {
    this.#session = session;
    this.#socket = socket;
    this.#options = options;
    this.#watched = watched;
    this.#heard = socket.bytesRead;
    this.#askAfterMs = options.pingAfterMs;
    this.#timer = setInterval(() => this.#look(), options.pingAfterMs).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    clearTimeout(this.#answerBy);
  }

  #look(): void {
    const now = performance.now();
    const heard = this.#socket.bytesRead;
    if (heard !== this.#heard || this.#watched.streams === 0) {
      this.#heard = heard;
      this.#silentSince = now;
      this.#askAfterMs = this.#options.pingAfterMs;
    } else if (this.#answerBy === undefined && now - this.#silentSince >= this.#askAfterMs - 1) {
      this.#ask();
    }
    this.#watched.tick(now);
  }

  #ask(): void {
    this.#answerBy = setTimeout(() => this.#watched.unresponsive(), this.#options.pingTimeoutMs).unref();
    this.#session.ping((error) => {
      clearTimeout(this.#answerBy);
      this.#answerBy = undefined;
      if (error !== null) return;
      // The answer itself is no sign that the endpoint would take another question sooner.
      this.#heard = this.#socket.bytesRead;
      this.#silentSince = performance.now();
      this.#askAfterMs = Math.min(SLOWEST_MS, this.#askAfterMs * SLOWER);
    });
  }
}
