// How much of what clients of HTTP/2 send is served until the event loop comes round: heads cost the most, and packets full of
// them would hold it for as long as all of them take. Every read has its first head served; what is behind it waits for its
// turn when the round is used up, one connection after the other, and of who waits no more is read meanwhile.
import type { Socket } from 'node:net';

/** Of decoded heads, of all connections together: about a millisecond. */
const ROUND_BYTES = 32 * 1024;
/** What a request costs however short its head is. */
const HEAD_BYTES = 1024;

class Round {
  #left = ROUND_BYTES;
  #begins = false;
  readonly #waiting = new Set<ReadTurn>();

  /** True: the round is used up. */
  spend(bytes: number): boolean {
    this.#left -= bytes;
    this.#schedule();
    return this.#left <= 0;
  }

  awaitTurn(turn: ReadTurn): void {
    this.#waiting.add(turn);
    this.#schedule();
  }

  awaits(turn: ReadTurn): boolean {
    return this.#waiting.has(turn);
  }

  #schedule(): void {
    if (this.#begins) return;
    this.#begins = true;
    setImmediate(() => this.#begin());
  }

  #begin(): void {
    this.#begins = false;
    this.#left = ROUND_BYTES;
    // Who has had a turn and has more to say waits for another round: what others have sent meanwhile was not looked at yet.
    let count = this.#waiting.size;
    for (const turn of this.#waiting) {
      if (count-- === 0 || this.#left <= 0) break;
      this.#waiting.delete(turn);
      turn.begin();
    }
    if (this.#waiting.size > 0) this.#schedule();
  }
}

/** There is one event loop, whichever server a connection belongs to. */
const round = new Round();

export class ReadTurn {
  readonly #socket: Socket;
  readonly #read: (chunk: Buffer) => void;
  readonly #mayRead: () => boolean;
  #rest: Buffer | undefined;

  /** `read` gets what has waited, when its turn has come and `mayRead` says so; until then the socket is paused. */
  constructor(socket: Socket, read: (chunk: Buffer) => void, mayRead: () => boolean) {
    this.#socket = socket;
    this.#read = read;
    this.#mayRead = mayRead;
  }

  /** A head was served. True: enough for now. */
  served(fieldBytes: number): boolean {
    return round.spend(HEAD_BYTES + fieldBytes);
  }

  /** To be called behind each read; `rest`: what of it was not served. */
  over(rest: Buffer | undefined): void {
    if (rest === undefined) return;
    this.#rest = rest;
    this.#socket.pause();
    round.awaitTurn(this);
  }

  /** Reading may go on. */
  resume(): void {
    if (round.awaits(this)) return;
    if (this.#rest === undefined) this.#socket.resume();
    else round.awaitTurn(this);
  }

  /** For the round: this connection's turn has come. */
  begin(): void {
    if (!this.#mayRead()) return;
    const rest = this.#rest;
    this.#rest = undefined;
    // It reads nothing before this turn ends, and is paused again if what has waited is enough for another one.
    this.#socket.resume();
    if (rest !== undefined) this.#read(rest);
  }
}
