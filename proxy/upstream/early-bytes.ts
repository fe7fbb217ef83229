// What a client says before its endpoint has switched. It is read, up to a limit, although it has to wait: a socket that is
// not read does not tell that its client has left.
import type { Socket } from 'node:net';
import { HeldBytes } from '../net/held-bytes.ts';

/** With so much of it reading stops. */
const MOST_BYTES = 64 * 1024;

export class EarlyBytes {
  readonly #socket: Socket;
  readonly #held = new HeldBytes();
  readonly #onEnd: () => void;

  /** `head`: what was read before. `onEnd`: the client has closed its sending side; it may wait for an answer yet. */
  constructor(socket: Socket, head: Buffer, onEnd: () => void) {
    this.#socket = socket;
    this.#onEnd = onEnd;
    socket.on('data', this.#read);
    if (socket.readableEnded) onEnd();
    else socket.once('end', onEnd);
    this.#hold(head);
  }

  /** All of it. The socket is paused, and somebody else's. */
  take(): Buffer {
    this.#socket.pause();
    this.#socket.off('data', this.#read);
    this.#socket.off('end', this.#onEnd);
    return Buffer.concat(this.#held.splice());
  }

  readonly #read = (chunk: Buffer): void => this.#hold(chunk);

  #hold(chunk: Buffer): void {
    this.#held.push(chunk);
    if (this.#held.length >= MOST_BYTES) this.#socket.pause();
    else if (this.#socket.isPaused()) this.#socket.resume();
  }
}
