// Writes frames to a socket: one write per turn of the event loop, whatever number of frames it holds.
import type net from 'node:net';
import { FLAG, FRAME, MAX_FRAME_BYTES, frame, frameHead } from '../http2/frames.ts';

/** Data up to this size is copied behind its frame head: that is cheaper than two writes. */
const COPIED_BYTES = 4096;

export class Http2Writer {
  readonly #socket: net.Socket;
  readonly #turn: () => number;
  readonly #unsent: (turn: number) => void;
  #corked = false;

  /** `turn`: asked before the first frame of a turn; if nothing of that turn has left, `unsent` is called with what it said. */
  constructor(socket: net.Socket, turn: () => number, unsent: (turn: number) => void) {
    this.#socket = socket;
    this.#turn = turn;
    this.#unsent = unsent;
  }

  /** The other side does not read fast enough: the socket's `drain` event follows. */
  get blocked(): boolean {
    return this.#socket.writableNeedDrain;
  }

  /** Bytes that wait to be written. */
  get waiting(): number {
    return this.#socket.writableLength;
  }

  write(bytes: Buffer): void {
    const socket = this.#socket;
    if (!socket.writable) return;
    if (!this.#corked) {
      this.#corked = true;
      const turn = this.#turn();
      socket.cork();
      process.nextTick(() => {
        this.#corked = false;
        const { errored } = socket;
        socket.uncork();
        // Failures that come later may have let a part through.
        if (errored === null && socket.errored !== null) this.#unsent(turn);
      });
    }
    socket.write(bytes);
  }

  /** DATA in as many frames as it takes. `end`: the last one has END_STREAM. */
  data(stream: number, data: Buffer, end: boolean): void {
    let at = 0;
    do {
      const part = data.subarray(at, at + MAX_FRAME_BYTES);
      at += part.length;
      const flags = end && at === data.length ? FLAG.END_STREAM : 0;
      if (part.length <= COPIED_BYTES) {
        this.write(frame(FRAME.DATA, flags, stream, part));
      } else {
        this.write(frameHead(FRAME.DATA, flags, stream, part.length));
        this.write(part);
      }
    } while (at < data.length);
  }
}
