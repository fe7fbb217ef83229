// Reads of a socket past its stream: one buffer serves all sockets of the process. By itself Node makes an ArrayBuffer for
// every read and pushes it through a stream, which costs more than all that we do with a small request.
// `net` has this as its option `onread`, but not for sockets that a server accepts; so the option's own three fields are
// set afterwards. Where a version of Node does not have them, sockets are read as ever.
import { Socket } from 'node:net';
import { lend, lendCopy, putBack, takeBlock } from './read-blocks.ts';

/** The first read of many. More than a record of TLS, which is read at a time. */
const FIRST_BYTES = 20 * 1024;
/** Reads up to this size are cut from slabs that many share, and not lent. */
const SMALL_BYTES = 8 * 1024;
/** What a read takes that goes to the stream: nobody gives that back, and it is as much as the stream takes by itself. */
const STREAM_BYTES = 64 * 1024;

interface Fields {
  /** The buffer that the next read goes to. */
  readonly buffer: symbol;
  /** `(bytesRead, buffer) => boolean`; false: stop reading. */
  readonly callback: symbol;
  /** `() => Buffer | undefined`, asked after each read: another buffer for the next one. */
  readonly generator: symbol;
}

interface Handle {
  useUserBuffer?(buffer: Buffer): void;
}

const fields = findFields();
/** Reads end in it, and are copied out before the next one. */
const shared = Buffer.allocUnsafeSlow(FIRST_BYTES);

function findFields(): Fields | undefined {
  const sample = new Socket({ onread: { buffer: () => Buffer.alloc(1), callback: () => true } });
  const symbols = new Map(Object.getOwnPropertySymbols(sample).map((symbol) => [symbol.description, symbol]));
  sample.destroy();
  const buffer = symbols.get('kBuffer');
  const callback = symbols.get('kBufferCb');
  const generator = symbols.get('kBufferGen');
  return buffer === undefined || callback === undefined || generator === undefined ? undefined : { buffer, callback, generator };
}

/** What a socket's bytes go to instead of its `data` event; the chunk is the receiver's to keep, and if it was lent to be given back. */
export type Receiver = (chunk: Buffer) => void;

/**
 * From now on `receive` gets what is read from a socket, in place of the `data` event, which still brings what had been read or put
 * back before; `pause`, `resume` and the other events work as ever. Returns a function that gives the reads back to the stream.
 * Large chunks are lent (read-blocks.ts).
 */
export function readDirectly(socket: Socket, receive: Receiver): () => void {
  socket.on('data', receive);
  const handle = (socket as unknown as { readonly _handle?: Handle | null })._handle;
  if (fields === undefined || typeof handle?.useUserBuffer !== 'function') return () => socket.off('data', receive);
  const reader = new DirectReader(socket, receive);
  const slots = socket as unknown as Record<symbol, unknown>;
  slots[fields.buffer] = shared;
  slots[fields.callback] = (bytesRead: number, buffer: Buffer) => reader.read(bytesRead, buffer);
  slots[fields.generator] = () => reader.nextBuffer();
  handle.useUserBuffer(shared);
  return () => reader.release();
}

class DirectReader {
  readonly #socket: Socket;
  #receive: Receiver | undefined;
  /** Where the next read goes, if not to the shared buffer. */
  #own: Buffer | undefined;
  /** The last read went to a buffer that only this socket had. */
  #owned = false;
  /** The last read had as much as there was room for: more is there, the next one is large, and its bytes need not be copied. */
  #full = false;

  constructor(socket: Socket, receive: Receiver) {
    this.#socket = socket;
    this.#receive = receive;
  }

  /** False: no more for now. */
  read(bytesRead: number, buffer: Buffer): boolean {
    const chunk = this.#take(bytesRead, buffer);
    const socket = this.#socket;
    // TLS hands on all records of one packet, pause or no pause: the stream keeps them, and what comes behind them, until it is resumed.
    if (this.#receive === undefined || socket.isPaused() || socket.readableLength > 0) return socket.push(chunk);
    this.#receive(chunk);
    return true;
  }

  #take(bytesRead: number, buffer: Buffer): Buffer {
    this.#full = bytesRead === buffer.length;
    // What is less than half of its buffer would hold all of it for as long as nobody takes it.
    if (buffer === this.#own && bytesRead > buffer.length / 2) {
      this.#own = undefined;
      return this.#receive === undefined ? buffer.subarray(0, bytesRead) : lend(buffer, bytesRead);
    }
    if (bytesRead > SMALL_BYTES && this.#receive !== undefined) return lendCopy(buffer, bytesRead);
    const copy = Buffer.allocUnsafe(bytesRead);
    buffer.copy(copy, 0, 0, bytesRead);
    return copy;
  }

  /** Back to the shared one with all that was there, and while nothing is to be read: who waits has no buffer of its own. */
  nextBuffer(): Buffer | undefined {
    if (this.#full && !this.#socket.isPaused()) {
      this.#owned = true;
      return (this.#own ??= this.#receive === undefined ? Buffer.allocUnsafeSlow(STREAM_BYTES) : takeBlock());
    }
    if (!this.#owned) return undefined;
    this.#owned = false;
    if (this.#own !== undefined) putBack(this.#own);
    this.#own = undefined;
    return shared;
  }

  release(): void {
    if (this.#receive !== undefined) this.#socket.off('data', this.#receive);
    this.#receive = undefined;
  }
}
