// One stream of an HTTP/2 connection: the request that goes out and the response that comes in, each with flow control. A
// response counts as complete only with END_STREAM; what then still waits for a slow reader no longer needs the connection.
import type { ProxyError, RawHeaders } from '../../http/exchange.ts';
import { areFields } from '../../http2/fields.ts';
import { CODE, MAX_WINDOW, codeName } from '../../http2/frames.ts';
import { HeldBytes } from '../../net/held-bytes.ts';
import { failure } from '../errors.ts';
import { responseHead } from './head.ts';

/** Who says that the request was not looked at: the endpoint of this stream, or the end of the connection; undefined: nobody. */
export type Refusal = 'stream' | 'connection' | undefined;

/** Told of the response: exactly one of `onEnd` and `onFailure` comes last, unless it cancels the stream. */
export interface StreamUser {
  /** 1xx other than 101. */
  onInformation(status: number, headers: RawHeaders): void;
  onHead(status: number, headers: RawHeaders): void;
  onData(chunk: Buffer): void;
  onEnd(trailers: RawHeaders): void;
  /** `refused`: the endpoint has not looked at the request, so that it can be sent again, whatever its method (RFC 9113 §8.7). */
  onFailure(error: ProxyError, refused: Refusal): void;
  /** `write` may be called again. */
  onDrain(): void;
  /** All of the request was given to the connection. */
  onSent(): void;
  /** The endpoint wants no more of the request: its response is complete. */
  onUnwanted(): void;
}

/** What a stream needs of its connection. */
export interface StreamLine {
  /** Octets of data that can be sent now. */
  readonly room: number;
  /** Calls `flush` when there is room again. */
  awaitRoom(stream: Http2Stream): void;
  /** Not more than there is room for. */
  sendData(stream: Http2Stream, data: Buffer, end: boolean): void;
  /** The last frame of the request. */
  sendTrailers(stream: Http2Stream, trailers: RawHeaders): void;
  /** The endpoint may send so many more octets on this stream. */
  sendCredit(stream: Http2Stream, octets: number): void;
  sendReset(stream: Http2Stream, code: number): void;
  /** Neither side will send anything on it again. */
  streamOver(stream: Http2Stream): void;
}

/** What the endpoint may send before it is read. */
export const STREAM_WINDOW = 256 * 1024;
/** What is taken from the client before the endpoint takes it. */
const SEND_BUFFER_BYTES = 64 * 1024;
const NO_DATA = Buffer.alloc(0);

export class Http2Stream {
  readonly id: number;
  /** Something of the answer has come. */
  answered = false;
  readonly #line: StreamLine;
  readonly #user: StreamUser;
  readonly #isHead: boolean;
  /** What of the request is not sent yet: a piece of which a part has left, and what is behind it. */
  #begun: Buffer = NO_DATA;
  readonly #pending = new HeldBytes();
  #sendWindow: number;
  #trailers: RawHeaders | undefined;
  #mustDrain = false;
  #localClosed: boolean;
  #headSeen = false;
  #remoteClosed = false;
  /** Octets of the body still to come; undefined: not declared. */
  #left: number | undefined;
  #receiveWindow = STREAM_WINDOW;
  /** Octets that were read and not yet given back. */
  #credit = 0;
  #paused = false;
  readonly #held = new HeldBytes();
  /** Trailers of a complete response that is not read yet. */
  #heldEnd: RawHeaders | undefined;
  /** The user hears no more. */
  #over = false;

  /** `sendWindow`: what the endpoint takes at first. `bodiless`: END_STREAM was on the head. */
  constructor(id: number, line: StreamLine, user: StreamUser, request: { readonly sendWindow: number; readonly bodiless: boolean; readonly isHead: boolean }) {
    this.id = id;
    this.#line = line;
    this.#user = user;
    this.#sendWindow = request.sendWindow;
    this.#localClosed = request.bodiless;
    this.#isHead = request.isHead;
  }

  /** False: enough for now; `onDrain` follows. */
  write(chunk: Buffer): boolean {
    if (this.#localClosed || chunk.length === 0) return true;
    // What can leave at once is not held.
    if (this.#pendingBytes === 0 && this.#room > 0) this.#begun = chunk;
    else this.#pending.push(chunk);
    this.flush();
    this.#mustDrain = this.#pendingBytes >= SEND_BUFFER_BYTES;
    return !this.#mustDrain;
  }

  /** The request is complete. */
  end(trailers: RawHeaders): void {
    if (this.#localClosed || this.#trailers !== undefined) return;
    this.#trailers = trailers;
    this.flush();
  }

  /** Nobody wants the response any more. */
  cancel(): void {
    this.#over = true;
    this.#held.clear();
    this.#reset(CODE.CANCEL);
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#deliverHeld();
  }

  /** Sends what there is and the endpoint takes. */
  flush(): void {
    if (this.#localClosed) return;
    while (this.#pendingBytes > 0) {
      const most = this.#room;
      if (most <= 0) {
        if (this.#sendWindow > 0) this.#line.awaitRoom(this);
        return;
      }
      const chunk = this.#begun.length > 0 ? this.#begun : (this.#pending.shift() as Buffer);
      this.#begun = chunk.length > most ? chunk.subarray(most) : NO_DATA;
      this.#send(chunk.length > most ? chunk.subarray(0, most) : chunk);
    }
    if (this.#trailers !== undefined) this.#finish(this.#trailers);
    else if (this.#mustDrain) {
      this.#mustDrain = false;
      this.#user.onDrain();
    }
  }

  get #pendingBytes(): number {
    return this.#begun.length + this.#pending.length;
  }

  /** Octets that the endpoint takes now. */
  get #room(): number {
    return Math.min(this.#sendWindow, this.#line.room);
  }

  #send(chunk: Buffer): void {
    this.#sendWindow -= chunk.length;
    const last = this.#pendingBytes === 0 && this.#trailers?.length === 0;
    this.#line.sendData(this, chunk, last);
    if (last) this.#sent();
  }

  #finish(trailers: RawHeaders): void {
    if (this.#localClosed) return;
    if (trailers.length > 0) this.#line.sendTrailers(this, trailers);
    else this.#line.sendData(this, NO_DATA, true);
    this.#sent();
  }

  #sent(): void {
    this.#localClosed = true;
    if (this.#remoteClosed) this.#line.streamOver(this);
    this.#user.onSent();
  }

  /** SETTINGS or WINDOW_UPDATE change what the endpoint takes. False: by more than can be. */
  addWindow(octets: number): boolean {
    this.#sendWindow += octets;
    if (this.#sendWindow > MAX_WINDOW) return false;
    this.flush();
    return true;
  }

  /** A change of its window by more than can be, or by nothing. */
  windowImpossible(): void {
    this.#malformed('a window that cannot be', CODE.FLOW_CONTROL_ERROR);
  }

  /** A block of fields. `tooLarge`: it was cut. */
  takeFields(fields: RawHeaders, tooLarge: boolean, end: boolean): void {
    if (this.#over || this.#remoteClosed) return;
    this.answered = true;
    if (tooLarge) {
      this.#malformed('a head that is too large', CODE.ENHANCE_YOUR_CALM);
    } else if (this.#headSeen) {
      if (!end || !areFields(fields)) this.#malformed('trailers that are none');
      else this.#complete(fields);
    } else {
      this.#takeHead(fields, end);
    }
  }

  #takeHead(fields: RawHeaders, end: boolean): void {
    const head = responseHead(fields);
    if (head === undefined || head.status === 101 || (head.status < 200 && end)) {
      this.#malformed('a malformed head');
      return;
    }
    const { status, headers, length } = head;
    if (status < 200) {
      // What follows it is no body (RFC 9110 §8.6), and whoever takes it for one reads the answer in another way.
      if (length !== undefined) this.#malformed('an interim response that announces a body');
      else this.#user.onInformation(status, headers);
      return;
    }
    this.#headSeen = true;
    this.#left = this.#isHead || status === 204 || status === 304 ? 0 : length;
    if (end && this.#left !== undefined && this.#left > 0) {
      this.#malformed('a body shorter than its Content-Length');
      return;
    }
    this.#user.onHead(status, headers);
    if (end && !this.#over) this.#complete([]);
  }

  /** `octets`: of the whole frame, padding included. */
  takeData(data: Buffer, octets: number, end: boolean): void {
    if (this.#over || this.#remoteClosed) return;
    this.#receiveWindow -= octets;
    if (this.#receiveWindow < 0) {
      this.#malformed('more data than it may send', CODE.FLOW_CONTROL_ERROR);
    } else if (!this.#headSeen) {
      this.#malformed('data before the head');
    } else if (this.#left !== undefined && data.length > this.#left) {
      this.#malformed('a body longer than its Content-Length');
    } else {
      if (this.#left !== undefined) this.#left -= data.length;
      if (this.#paused) this.#held.push(data);
      else if (data.length > 0) this.#user.onData(data);
      // What is held is given back when it is read.
      this.#giveBack(this.#held.length > 0 ? octets - data.length : octets, end);
      if (end && !this.#over) this.#complete([]);
    }
  }

  /** RST_STREAM from the endpoint, which the connection has forgotten already. */
  takeReset(code: number): void {
    // Nothing is missing of a body whose length was declared: servers on node:http2 end large answers like this.
    if (code === CODE.NO_ERROR && this.#headSeen && this.#left === 0) {
      this.#complete([]);
      return;
    }
    const refused = code === CODE.REFUSED_STREAM && !this.answered;
    this.fail(failure('UpstreamRemoteReset', `the endpoint reset the stream: ${codeName(code)}`, refused ? 'yes' : 'no'), refused ? 'stream' : undefined);
  }

  /** Nothing more will come. A response that is complete is not concerned. */
  fail(error: ProxyError, refused?: Refusal): void {
    if (this.#remoteClosed) return;
    this.#remoteClosed = true;
    this.#localClosed = true;
    this.#dropPending();
    this.#held.clear();
    if (this.#over) return;
    this.#over = true;
    this.#user.onFailure(error, refused);
  }

  #complete(trailers: RawHeaders): void {
    if (this.#left !== undefined && this.#left > 0) {
      this.#malformed('a body shorter than its Content-Length');
      return;
    }
    this.#remoteClosed = true;
    if (this.#localClosed) this.#line.streamOver(this);
    else this.#unwanted();
    this.#heldEnd = trailers;
    if (!this.#paused) this.#deliverHeld();
  }

  /** The rest of the request is not sent; the endpoint is told so. */
  #unwanted(): void {
    if (this.#localClosed) return;
    this.#reset(CODE.CANCEL);
    this.#user.onUnwanted();
  }

  #deliverHeld(): void {
    while (this.#held.length > 0) {
      if (this.#paused || this.#over) return;
      const chunk = this.#held.shift() as Buffer;
      this.#giveBack(chunk.length, this.#remoteClosed);
      this.#user.onData(chunk);
    }
    if (this.#heldEnd === undefined || this.#paused || this.#over) return;
    this.#over = true;
    this.#user.onEnd(this.#heldEnd);
  }

  #giveBack(octets: number, ended: boolean): void {
    this.#credit += octets;
    if (ended || this.#over || this.#credit < STREAM_WINDOW / 2) return;
    this.#receiveWindow += this.#credit;
    this.#line.sendCredit(this, this.#credit);
    this.#credit = 0;
  }

  #malformed(text: string, code: number = CODE.PROTOCOL_ERROR): void {
    this.#reset(code);
    this.fail(failure('UpstreamProtocolError', text));
  }

  #reset(code: number): void {
    this.#dropPending();
    if (this.#localClosed && this.#remoteClosed) return;
    this.#localClosed = true;
    this.#line.sendReset(this, code);
  }

  #dropPending(): void {
    this.#begun = NO_DATA;
    this.#pending.clear();
  }
}
