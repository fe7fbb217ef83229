// Reads of a socket past its stream: one buffer serves all sockets of the process. By itself Node makes an ArrayBuffer for
// every read and pushes it through a stream, which costs more than all that we do with a small request.
// `net` has this as its option `onread`, but not for sockets that a server accepts; so the option's own three fields are
// set afterwards. Where a version of Node does not have them, sockets are read as ever.
import { Socket } from 'node:net';

const READ_BYTES = 64 * 1024;
/** The first read of many: who then stops reading holds little. More than a record of TLS, which is read at a time. */
const FIRST_BYTES = 20 * 1024;
/** From this size on a read is handed over with the buffer that it came in, where that is the socket's own; below, copying costs less than what it would hold. */
const HAND_OVER_BYTES = READ_BYTES / 2;

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

/** What a socket's bytes go to instead of its `data` event; the chunk is the receiver's to keep. */
export type Receiver = (chunk: Buffer) => void;

/**
 * From now on `receive` gets what is read from a socket, in place of the `data` event, which still brings what had been read or put
 * back before; `pause`, `resume` and the other events work as ever. Returns a function that gives the reads back to the stream.
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
  /** The last read went to a buffer that only this socket has. */
  #own = false;
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
    if (this.#own && bytesRead >= HAND_OVER_BYTES) return buffer.subarray(0, bytesRead);
    const copy = Buffer.allocUnsafe(bytesRead);
    buffer.copy(copy, 0, 0, bytesRead);
    return copy;
  }

  /** Back to the shared one with all that was there, and while nothing is to be read: who waits has no buffer of its own. */
  nextBuffer(): Buffer | undefined {
    if (this.#full && !this.#socket.isPaused()) {
      this.#own = true;
      return Buffer.allocUnsafeSlow(READ_BYTES);
    }
    if (!this.#own) return undefined;
    this.#own = false;
    return shared;
  }

  release(): void {
    if (this.#receive !== undefined) this.#socket.off('data', this.#receive);
    this.#receive = undefined;
  }
}
