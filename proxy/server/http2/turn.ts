// How much of what clients of HTTP/2 send is served until the event loop comes round: heads cost the most, and packets full of
// them would hold it for as long as all of them take. Every read has its first head served, with what belongs to it; the next head,
// and all behind it, waits for its turn when the connection has had its share or the round its time, and of who waits no more is read meanwhile.
import type { Socket } from 'node:net';

/** For the heads of all connections together. */
const ROUND_MS = 1;
/** Of decoded heads of one connection. */
const TURN_BYTES = 32 * 1024;
/** What a request costs however short its head is. */
const HEAD_BYTES = 1024;

class Round {
  /** Which one it is: they are counted. */
  number = 0;
  #endsAt = 0;
  #under = false;
  readonly #waiting = new Set<ReadTurn>();

  get over(): boolean {
    return performance.now() >= this.#endsAt;
  }

  /** Begins one, if the event loop has come round since the last one began. */
  begin(): void {
    if (this.#under) return;
    this.#under = true;
    this.number++;
    this.#endsAt = performance.now() + ROUND_MS;
    setImmediate(() => this.#end());
  }

  awaitTurn(turn: ReadTurn): void {
    this.#waiting.add(turn);
    this.begin();
  }

  awaits(turn: ReadTurn): boolean {
    return this.#waiting.has(turn);
  }

  #end(): void {
    this.#under = false;
    // Who has had a turn and has more to say waits for another round: what others have sent meanwhile was not looked at yet.
    let left = this.#waiting.size;
    if (left === 0) return;
    this.begin();
    for (const turn of this.#waiting) {
      this.#waiting.delete(turn);
      turn.begin();
      if (--left === 0 || this.over) return;
    }
  }
}

/** There is one event loop, whichever server a connection belongs to. */
const round = new Round();

export class ReadTurn {
  readonly #socket: Socket;
  readonly #read: (chunk: Buffer) => void;
  readonly #mayRead: () => boolean;
  #rest: Buffer | undefined;
  /** Of the round of this number. */
  #left = TURN_BYTES;
  #number = 0;

  /** `read` gets what has waited, when its turn has come and `mayRead` says so; until then the socket is paused. */
  constructor(socket: Socket, read: (chunk: Buffer) => void, mayRead: () => boolean) {
    this.#socket = socket;
    this.#read = read;
    this.#mayRead = mayRead;
  }

  /** Something that was sent is here and was not looked at. */
  get waits(): boolean {
    return this.#rest !== undefined;
  }

  /** A head is served. True: enough for now. */
  served(fieldBytes: number): boolean {
    round.begin();
    if (this.#number !== round.number) {
      this.#number = round.number;
      this.#left = TURN_BYTES;
    }
    this.#left -= HEAD_BYTES + fieldBytes;
    return this.#left <= 0 || round.over;
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
