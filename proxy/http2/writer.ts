// Writes frames to a socket: whatever number of them one turn of the event loop brings leaves in one write. They are encoded
// into one buffer that all connections share; no connection has one of its own while it is idle.
import type { Socket } from 'node:net';
import type { RawHeaders } from '../http/exchange.ts';
import { giveBack, lendCopy } from '../net/read-blocks.ts';
import { writeLent } from '../net/write-lent.ts';
import { FLAG, FRAME, FRAME_HEAD_BYTES, MAX_FRAME_BYTES, headersFrames, putFrameHead } from './frames.ts';
import { FIELD_OVERHEAD, NO_TABLE, mostOctets, putFields, putStatus } from './hpack-encoder.ts';

const GATHER_BYTES = 16 * 1024;
/** Data up to this size is copied behind its frame head: that is cheaper than to write both. */
const COPIED_BYTES = 4096;

/** What the writer tells its connection. */
export interface WriterHost {
  /** What was given is about to leave; more may be given. */
  beforeWrite(): void;
  /** It has left, and there may be room for more; if the socket is not writable now, nothing of it has left. */
  afterWrite(): void;
}

const gather = Buffer.allocUnsafeSlow(GATHER_BYTES);
/** Whose frames are in it. What this writer gave before may be in pieces of its own already. */
const gathered: { writer: FrameWriter | undefined; octets: number } = { writer: undefined, octets: 0 };
/** Whoever has something to write at the end of this turn. */
let due: FrameWriter[] = [];

function writeDue(): void {
  const writers = due;
  due = [];
  for (const writer of writers) writer.flush();
}

export class FrameWriter {
  /** The next block of fields has to say that there is no table. */
  tableChanged = false;
  readonly #socket: Socket;
  readonly #host: WriterHost;
  #pieces: Buffer[] = [];
  #pieceBytes = 0;
  #due = false;

  constructor(socket: Socket, host: WriterHost) {
    this.#socket = socket;
    this.#host = host;
  }

  /** Bytes that wait to be written. */
  get waiting(): number {
    return this.#socket.writableLength + this.#pieceBytes + (gathered.writer === this ? gathered.octets : 0);
  }

  /** `beforeWrite` comes at the end of this turn, even if nothing is given until then. */
  awaitTurn(): void {
    if (this.#due) return;
    this.#due = true;
    if (due.push(this) === 1) setImmediate(writeDue);
  }

  /** Frames as they are. */
  write(frames: Buffer): void {
    if (frames.length > GATHER_BYTES) this.#add(frames);
    else frames.copy(gather, this.#reserve(frames.length));
  }

  /** RST_STREAM takes a code, WINDOW_UPDATE an increment. */
  number(type: typeof FRAME.RST_STREAM | typeof FRAME.WINDOW_UPDATE, stream: number, value: number): void {
    const at = this.#reserve(FRAME_HEAD_BYTES + 4);
    putFrameHead(gather, at, type, 0, stream, 4);
    gather.writeUInt32BE(value, at + FRAME_HEAD_BYTES);
  }

  /** A head or, with status 0, trailers. `more`: fields behind the others. */
  fields(stream: number, status: number, fields: RawHeaders, more: RawHeaders, endStream: boolean): void {
    const most = mostOctets(fields) + mostOctets(more) + FIELD_OVERHEAD + NO_TABLE.length;
    if (most > MAX_FRAME_BYTES) {
      const block = Buffer.allocUnsafe(most);
      this.#add(headersFrames(stream, block.subarray(0, this.#block(block, 0, status, fields, more)), endStream));
      return;
    }
    const start = this.#reserve(FRAME_HEAD_BYTES + most);
    const end = this.#block(gather, start + FRAME_HEAD_BYTES, status, fields, more);
    putFrameHead(gather, start, FRAME.HEADERS, endStream ? FLAG.END_HEADERS | FLAG.END_STREAM : FLAG.END_HEADERS, stream, end - start - FRAME_HEAD_BYTES);
    gathered.octets = end;
  }

  #block(into: Buffer, start: number, status: number, fields: RawHeaders, more: RawHeaders): number {
    let at = start;
    if (this.tableChanged) {
      this.tableChanged = false;
      at += NO_TABLE.copy(into, at);
    }
    if (status !== 0) at = putStatus(into, at, status);
    return putFields(into, putFields(into, at, fields), more);
  }

  /** DATA in as many frames as it takes. What was lent is given back when it has left. */
  data(stream: number, data: Buffer, endStream: boolean): void {
    let rest = data;
    for (; rest.length > MAX_FRAME_BYTES; rest = rest.subarray(MAX_FRAME_BYTES)) this.#frame(stream, rest.subarray(0, MAX_FRAME_BYTES), 0);
    this.#frame(stream, rest, endStream ? FLAG.END_STREAM : 0);
  }

  #frame(stream: number, data: Buffer, flags: number): void {
    const { length } = data;
    if (length <= COPIED_BYTES) {
      const at = this.#reserve(FRAME_HEAD_BYTES + length);
      putFrameHead(gather, at, FRAME.DATA, flags, stream, length);
      gather.set(data, at + FRAME_HEAD_BYTES);
      giveBack(data);
      return;
    }
    putFrameHead(gather, this.#reserve(FRAME_HEAD_BYTES), FRAME.DATA, flags, stream, length);
    this.#add(data);
  }

  /** Writes what there is. */
  flush(): void {
    this.#host.beforeWrite();
    this.#due = false;
    const socket = this.#socket;
    if (this.#pieces.length > 0) {
      this.#spill();
      const pieces = this.#pieces;
      this.#pieces = [];
      this.#pieceBytes = 0;
      if (socket.writable) {
        socket.cork();
        for (const piece of pieces) writeLent(socket, piece);
        socket.uncork();
      }
    } else if (gathered.writer === this && gathered.octets > 0) {
      const bytes = this.#take();
      if (socket.writable) writeLent(socket, bytes);
    }
    this.#host.afterWrite();
  }

  /** What has not been written yet never is. */
  discard(): void {
    this.#spill();
    for (const piece of this.#pieces) giveBack(piece);
    this.#pieces = [];
    this.#pieceBytes = 0;
  }

  /** Room for so many octets in `gather`. */
  #reserve(octets: number): number {
    const { writer } = gathered;
    if (writer !== this) {
      if (writer !== undefined) writer.#spill();
      gathered.writer = this;
    } else if (gathered.octets + octets > GATHER_BYTES) {
      this.#spill();
    }
    this.awaitTurn();
    const at = gathered.octets;
    gathered.octets += octets;
    return at;
  }

  /** A piece that is not copied, behind what was gathered. */
  #add(piece: Buffer): void {
    this.#spill();
    this.#pieces.push(piece);
    this.#pieceBytes += piece.length;
    this.awaitTurn();
  }

  /** What this writer has gathered becomes a piece of its own. */
  #spill(): void {
    if (gathered.writer !== this || gathered.octets === 0) return;
    const piece = this.#take();
    this.#pieces.push(piece);
    this.#pieceBytes += piece.length;
  }

  /** Lent, so that a client that does not take it holds this and not one of the slabs that all small buffers are cut from. */
  #take(): Buffer {
    const bytes = lendCopy(gather, gathered.octets);
    gathered.octets = 0;
    return bytes;
  }
}
