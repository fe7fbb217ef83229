// How much of what one client sends is served before everybody else has a turn: heads cost the most, and a packet full of them
// would hold the event loop for as long as all of them take. What was read behind them waits, and no more is read meanwhile.
import type { Socket } from 'node:net';

/** Of decoded heads. */
const TURN_BYTES = 32 * 1024;
/** What a request costs however short its head is. */
const HEAD_BYTES = 1024;

export class ReadTurn {
  readonly #socket: Socket;
  readonly #read: (chunk: Buffer) => void;
  readonly #mayRead: () => boolean;
  #left = TURN_BYTES;
  #rest: Buffer | undefined;
  #waiting = false;

  /** `read` gets what has waited, when nobody else is before it and `mayRead` says so; until then the socket is paused. */
  constructor(socket: Socket, read: (chunk: Buffer) => void, mayRead: () => boolean) {
    this.#socket = socket;
    this.#read = read;
    this.#mayRead = mayRead;
  }

  /** A head was served. True: enough for this turn. */
  served(fieldBytes: number): boolean {
    this.#left -= HEAD_BYTES + fieldBytes;
    return this.#left <= 0;
  }

  /** To be called behind each read; `rest`: what of it was not served. */
  over(rest: Buffer | undefined): void {
    if (this.#left > 0) return;
    this.#rest = rest;
    this.#socket.pause();
    this.#await();
  }

  /** Reading may go on. */
  resume(): void {
    if (this.#waiting) return;
    if (this.#rest === undefined) this.#socket.resume();
    else this.#await();
  }

  #await(): void {
    this.#waiting = true;
    setImmediate(() => this.#next());
  }

  #next(): void {
    this.#waiting = false;
    this.#left = TURN_BYTES;
    if (!this.#mayRead()) return;
    const rest = this.#rest;
    this.#rest = undefined;
    // It reads nothing before this turn ends, and is paused again if what has waited is enough for another one.
    this.#socket.resume();
    if (rest !== undefined) this.#read(rest);
  }
}
