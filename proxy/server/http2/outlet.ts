// The sending half of a downstream HTTP/2 connection: whose turn it is to send data, within the window of the connection and
// as far as the client's socket takes it. Streams take turns, so that a large answer does not hold up the small ones. A
// client that does not read what it is sent is not read from.
import type { Socket } from 'node:net';
import { DEFAULT_WINDOW, MAX_WINDOW } from '../../http2/frames.ts';
import { FrameWriter } from '../../http2/writer.ts';
import type { WriterHost } from '../../http2/writer.ts';
import { takesMore } from '../../net/write-lent.ts';
import type { Http2Conduct } from './conduct.ts';

/** A stream that has something to send. */
export interface Sender {
  readonly id: number;
  flush(): void;
}

/** Data that is written at once at least. */
const ROOM_BYTES = 32 * 1024;
/** What a client may leave unread until it is not read from. */
const UNREAD_BYTES = 256 * 1024;

export class Http2Outlet implements WriterHost {
  readonly writer: FrameWriter;
  readonly #socket: Socket;
  /** Data that may be given; streams keep the rest of theirs. No less than what makes the socket tell when it has been written. */
  readonly #most: number;
  readonly #conduct: Http2Conduct;
  readonly #onHeard: () => void;
  /** SETTINGS and WINDOW_UPDATE of the client. */
  #window = DEFAULT_WINDOW;
  /** Streams that have data for a connection that takes none. */
  #waiting: Set<Sender> | undefined;
  /** Streams that have something to send at the end of this turn. */
  #turns: Sender[] = [];

  /** The client is not read until it has read. */
  deaf = false;
  /** What it had left unread when that was looked at last. */
  #unread = 0;

  /** `onHeard`: a client that was not read from may be read again. */
  constructor(socket: Socket, conduct: Http2Conduct, onHeard: () => void) {
    this.#socket = socket;
    this.#most = Math.max(ROOM_BYTES, socket.writableHighWaterMark);
    this.#conduct = conduct;
    this.#onHeard = onHeard;
    this.writer = new FrameWriter(socket, this);
    socket.on('drain', () => this.afterWrite());
  }

  /** Octets of data that can be sent now, by any stream. */
  get room(): number {
    return this.blocked || this.writer.waiting >= this.#most ? 0 : this.#window;
  }

  /** The client lets no stream send. */
  get shut(): boolean {
    return this.#window <= 0;
  }

  /** The client's socket takes nothing now. */
  get blocked(): boolean {
    return !takesMore(this.#socket);
  }

  /** Calls `flush` when there is room again. */
  awaitRoom(stream: Sender): void {
    (this.#waiting ??= new Set()).add(stream);
  }

  /** Calls `flush` before what was written in this turn leaves. */
  awaitTurn(stream: Sender): void {
    this.#turns.push(stream);
    this.writer.awaitTurn();
  }

  /** DATA of one frame, not more than there is room for. */
  data(stream: Sender, data: Buffer, end: boolean): void {
    this.#window -= data.length;
    this.#conduct.sent(data.length);
    this.writer.data(stream.id, data, end);
  }

  /** False: by more than can be. */
  addWindow(octets: number): boolean {
    this.#window += octets;
    if (this.#window > MAX_WINDOW) return false;
    this.#flushWaiting();
    return true;
  }

  /** The stream has nothing to send any more. */
  forget(stream: Sender): void {
    this.#waiting?.delete(stream);
  }

  /** Stops reading from a client that leaves too much unread. True: it was read from until now. */
  stopReading(): boolean {
    if (this.deaf || this.writer.waiting <= UNREAD_BYTES) return false;
    this.deaf = true;
    this.#unread = this.writer.waiting;
    this.#socket.pause();
    return true;
  }

  /** The client has read something since the last look. */
  hasRead(): boolean {
    const before = this.#unread;
    this.#unread = this.writer.waiting;
    return this.#unread < before;
  }

  beforeWrite(): void {
    // Who has been heard may have more to say.
    while (this.#turns.length > 0) {
      const turns = this.#turns;
      this.#turns = [];
      for (const stream of turns) stream.flush();
    }
  }

  afterWrite(): void {
    if (this.blocked) return;
    if (this.deaf) {
      this.deaf = false;
      this.#onHeard();
    }
    this.#flushWaiting();
  }

  #flushWaiting(): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    for (const stream of waiting) {
      if (this.room <= 0) return;
      waiting.delete(stream);
      stream.flush();
    }
    // Who was flushed may have written, and others may wait since then, among them the same stream again.
    if (waiting.size === 0 && this.#waiting === waiting) this.#waiting = undefined;
  }
}
