// Writes one HTTP/1.1 response: status line and fields, then the body by length, in chunks, or until close. What is given
// within one turn of the event loop leaves in one write, head and small body together. Nothing that was cut off ever
// looks complete: a body shorter than announced ends the connection, and one that the end of the connection would complete resets it.
import type { Socket } from 'node:net';
import { dateNow } from '../../http/date.ts';
import type { RawHeaders, ResponseWriter } from '../../http/exchange.ts';
import { trailerFields } from '../../http/fields.ts';
import { reasonPhrase } from '../../http/status.ts';
import { giveBack } from '../../net/read-blocks.ts';
import { takesMore, writeLent } from '../../net/write-lent.ts';

/** What the response must know of its connection and request. */
export interface ResponseHost {
  readonly socket: Socket;
  /** The response has ended: `reusable` false if the connection must close behind it. */
  responseDone(reusable: boolean): void;
  /** True: this must be the last response of the connection. */
  mustClose(): boolean;
  /** The client takes no bytes for now, or takes them again. */
  stalled(yes: boolean): void;
  /** The answer ends where the connection ends: to cut it takes a reset. */
  endsWithClose(): void;
  /** Cuts the connection, so that nothing on it looks complete that is not. */
  destroy(): void;
}

/** RFC 9110 §15.5.20. */
const MISDIRECTED = 421;
const CRLF = '\r\n';
const LAST_CHUNK = Buffer.from('0\r\n\r\n', 'latin1');
const CHUNK_END = Buffer.from(CRLF, 'latin1');
/** So much is written at once; less may wait for the end of the turn. */
const PROMPT_BYTES = 16 * 1024;
/** Up to this size, and while pieces are smaller on average, they are copied into one buffer; beyond it a gathering write is cheaper. */
const JOINED_BYTES = 4 * 1024;

export class Http1Response implements ResponseWriter {
  onDrain: (() => void) | undefined;
  onClose: ((reason: string) => void) | undefined;
  started = false;
  bytes = 0;
  readonly room = Infinity;
  readonly shut = false;
  /** True once `end` or `abort` was called. */
  ended = false;
  readonly #host: ResponseHost;
  readonly #minor: number;
  readonly #isHead: boolean;
  /** The client said `TE: trailers`; without it trailers are dropped (RFC 9110 §6.5.1). */
  readonly #takesTrailers: boolean;
  #close = false;
  #chunked = false;
  /** No body may follow: HEAD, 204, 304. */
  #bodiless = false;
  /** Bytes still to come; undefined if the length is unknown. */
  #left: number | undefined;
  #head: string | undefined;
  #pieces: Buffer[] = [];
  #pieceBytes = 0;
  #scheduled = false;

  /** `minor`: the client's HTTP/1 minor version; `takesTrailers`: it said `TE: trailers`. */
  constructor(host: ResponseHost, method: string, minor: number, takesTrailers: boolean) {
    this.#host = host;
    this.#minor = minor;
    this.#isHead = method === 'HEAD';
    this.#takesTrailers = takesTrailers;
  }

  inform(status: number, headers: RawHeaders): void {
    if (this.started || this.ended || this.#minor === 0) return;
    let text = `HTTP/1.1 ${status} ${reasonPhrase(status)}${CRLF}`;
    for (let i = 0; i < headers.length; i += 2) text += `${headers[i]}: ${headers[i + 1]}${CRLF}`;
    this.#host.socket.write(text + CRLF, 'latin1');
  }

  head(status: number, headers: RawHeaders, length: number | undefined): void {
    if (this.started || this.ended) return;
    this.started = true;
    // A client whose request came over the wrong connection would send its next one over the same.
    this.#close = this.#host.mustClose() || status === MISDIRECTED;
    this.#bodiless = this.#isHead || status === 204 || status === 304;
    let text = `HTTP/1.1 ${status} ${reasonPhrase(status)}${CRLF}`;
    let dated = false;
    for (let i = 0; i < headers.length; i += 2) {
      const name = headers[i] as string;
      dated ||= name.length === 4 && name.toLowerCase() === 'date';
      text += `${name}: ${headers[i + 1]}${CRLF}`;
    }
    if (!dated) text += `date: ${dateNow()}${CRLF}`;
    if (length !== undefined) {
      if (status !== 204) text += `content-length: ${length}${CRLF}`;
      this.#left = this.#bodiless ? 0 : length;
    } else if (!this.#bodiless) {
      if (this.#minor === 0) {
        this.#close = true;
        this.#host.endsWithClose();
      } else {
        this.#chunked = true;
        text += `transfer-encoding: chunked${CRLF}`;
      }
    }
    if (this.#close) text += `connection: close${CRLF}`;
    else if (this.#minor === 0) text += `connection: keep-alive${CRLF}`;
    this.#head = text + CRLF;
    // The head waits a moment for the body that is usually right behind it.
    if (waiting.push(this) === 1) setImmediate(flushWaiting);
  }

  data(chunk: Buffer): boolean {
    if (this.ended || chunk.length === 0) return true;
    if (this.#bodiless) return true;
    if (this.#left !== undefined) {
      if (chunk.length > this.#left) {
        this.abort();
        return true;
      }
      this.#left -= chunk.length;
    }
    this.bytes += chunk.length;
    if (this.#chunked) {
      this.#push(Buffer.from(chunk.length.toString(16) + CRLF, 'latin1'));
      this.#push(chunk);
      this.#push(CHUNK_END);
    } else {
      this.#push(chunk);
    }
    // With the last byte known to be here, `end` follows at once and flushes: one write for all.
    if (this.#left !== 0) {
      if (this.#pieceBytes >= PROMPT_BYTES) {
        const more = this.#flush();
        if (!more) this.#host.stalled(true);
        return more;
      }
      if (!this.#scheduled) {
        this.#scheduled = true;
        process.nextTick(flushLater, this);
      }
    }
    return takesMore(this.#host.socket);
  }

  end(trailers?: RawHeaders): void {
    if (this.ended) return;
    if (!this.started || (this.#left !== undefined && this.#left > 0)) {
      this.abort();
      return;
    }
    this.ended = true;
    if (this.#chunked) {
      if (trailers === undefined || !this.#takesTrailers) this.#push(LAST_CHUNK);
      else this.#push(lastChunk(trailerFields(trailers, true)));
    }
    this.#flush();
    this.#host.responseDone(!this.#close);
  }

  abort(): void {
    if (this.ended) return;
    this.ended = true;
    // A browser takes a connection that closed without a byte for one that had been idle, and sends even a POST again. What is
    // left out is what would look complete.
    if (this.#head !== undefined && !this.#bodiless && this.#left !== 0) this.#flush();
    this.#pieces = [];
    this.#head = undefined;
    this.#host.destroy();
  }

  /** Called by the connection when its socket takes bytes again. */
  drained(): void {
    if (!this.ended) this.onDrain?.();
  }

  /** Nothing is written yet, and a body of known length is to come: no stream of events that somebody waits for. */
  get expectsBody(): boolean {
    return this.#head !== undefined && this.#pieceBytes === 0 && this.#left !== undefined && this.#left > 0;
  }

  /** Writes what has been gathered so far. */
  flush(): void {
    this.#scheduled = false;
    if (this.#head !== undefined || this.#pieceBytes > 0) {
      if (!this.#flush()) this.#host.stalled(true);
    }
  }

  #push(piece: Buffer): void {
    this.#pieces.push(piece);
    this.#pieceBytes += piece.length;
  }

  /** False: the socket wants a pause. */
  #flush(): boolean {
    const { socket } = this.#host;
    const head = this.#head;
    const pieces = this.#pieces;
    const total = this.#pieceBytes;
    if (head === undefined && total === 0) return true;
    this.#head = undefined;
    this.#pieces = [];
    this.#pieceBytes = 0;
    if (total === 0) socket.write(head as string, 'latin1');
    else this.#write(head, pieces, total);
    return takesMore(socket);
  }

  #write(head: string | undefined, pieces: readonly Buffer[], total: number): void {
    const { socket } = this.#host;
    if (head === undefined && pieces.length === 1) {
      writeLent(socket, pieces[0] as Buffer);
      return;
    }
    const headLength = head === undefined ? 0 : head.length;
    if (headLength + total <= (pieces.length + 1) * JOINED_BYTES) {
      const joined = Buffer.allocUnsafe(headLength + total);
      if (head !== undefined) joined.write(head, 0, 'latin1');
      let at = headLength;
      for (const piece of pieces) {
        joined.set(piece, at);
        at += piece.length;
        giveBack(piece);
      }
      socket.write(joined);
      return;
    }
    socket.cork();
    if (head !== undefined) socket.write(head, 'latin1');
    for (const piece of pieces) writeLent(socket, piece);
    socket.uncork();
  }
}

/** Applications that send head and body apart send them this close together; a packet saved is worth the wait. */
const BODY_WAIT_MS = 4;

/** Heads without a body yet: one immediate looks after all of them, and one timer after those whose body has a length and is still to come. */
let waiting: Http1Response[] = [];
let awaitingBody: Http1Response[] = [];

function flushWaiting(): void {
  const responses = waiting;
  waiting = [];
  for (const response of responses) {
    if (!response.expectsBody) response.flush();
    else if (awaitingBody.push(response) === 1) setTimeout(flushAwaitingBody, BODY_WAIT_MS);
  }
}

function flushAwaitingBody(): void {
  const responses = awaitingBody;
  awaitingBody = [];
  for (const response of responses) response.flush();
}

function flushLater(response: Http1Response): void {
  response.flush();
}

function lastChunk(trailers: RawHeaders): Buffer {
  let text = `0${CRLF}`;
  for (let i = 0; i < trailers.length; i += 2) text += `${trailers[i]}: ${trailers[i + 1]}${CRLF}`;
  return Buffer.from(text + CRLF, 'latin1');
}
