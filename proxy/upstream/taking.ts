// One end of a tunnel, as the one that takes what it is given. Nobody tells when a socket stops taking; it is seen at the next
// write, and from then on there is a time for that. Reads do not extend it: who says much may still take nothing.
import type { Socket } from 'node:net';
import { Deadline } from './deadline.ts';

export interface TakingEvents {
  /** It takes nothing for now, or again. */
  stalled(yes: boolean): void;
  /** It has taken nothing for the whole of its time. */
  expired(): void;
}

export class Taking {
  readonly #socket: Socket;
  readonly #events: TakingEvents;
  readonly #deadline: Deadline;
  #ms: number;
  #stalled = false;

  /** `ms`: how long the socket may take nothing; 0: no limit. */
  constructor(socket: Socket, ms: number, events: TakingEvents) {
    this.#socket = socket;
    this.#events = events;
    this.#ms = ms;
    this.#deadline = new Deadline(events);
    socket.on('drain', this.#taken);
    // Of a socket that is ended there is no 'drain'.
    socket.on('finish', this.#taken);
  }

  /** Something was written to the socket. */
  wrote(): void {
    if (this.#stalled || !this.#socket.writableNeedDrain) return;
    this.#stalled = true;
    this.#deadline.set(this.#ms);
    this.#events.stalled(true);
  }

  /** From now on it has no more time than this. */
  hurry(ms: number): void {
    if (this.#ms > 0 && this.#ms <= ms) return;
    this.#ms = ms;
    if (this.#stalled) this.#deadline.set(ms);
  }

  /** It is over. */
  stop(): void {
    this.#deadline.clear();
    this.#socket.off('drain', this.#taken);
    this.#socket.off('finish', this.#taken);
  }

  readonly #taken = (): void => {
    if (!this.#stalled) return;
    this.#stalled = false;
    this.#deadline.rest();
    this.#events.stalled(false);
  };
}
