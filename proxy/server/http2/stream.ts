// One stream of a downstream HTTP/2 connection, and the response on it: head, body with flow control, trailers. What was cut
// never looks complete to the client. A stream whose response is given and waits for the client holds what is left of it, and nothing else.
import { dateNow } from '../../http/date.ts';
import type { ProxyError, RawHeaders, ResponseWriter } from '../../http/exchange.ts';
import { getField, sameName, trailerFields } from '../../http/fields.ts';
import { areFields } from '../../http2/fields.ts';
import { CODE, MAX_FRAME_BYTES, MAX_WINDOW } from '../../http2/frames.ts';
import { kept } from '../../net/kept.ts';
import { giveBack } from '../../net/read-blocks.ts';
import type { Expiring } from '../../time/deadlines.ts';
import type { ServerContext } from '../context.ts';
import { GONE } from './body.ts';
import type { BodyStream, Http2Body } from './body.ts';
import type { Http2Outlet, Sender } from './outlet.ts';

/** What a stream needs of its connection. */
export interface StreamLine {
  readonly context: ServerContext;
  readonly outlet: Http2Outlet;
  /** So many octets that were received are no longer held. */
  giveBack(octets: number): void;
  /** The client may send so many more octets on this stream. */
  sendCredit(stream: Http2Stream, octets: number): void;
  /** RST_STREAM; nothing more is sent or taken. */
  sendReset(stream: Http2Stream, code: number): void;
  /** Neither side will send anything on it again. */
  streamOver(stream: Http2Stream): void;
  /** Resets it for what the client did. */
  violated(stream: Http2Stream, code: number): void;
}

/** Bytes of an answer that wait for the client, until the endpoint is stopped. */
const WAITING_BYTES = 32 * 1024;
/** The same, while the client's window is closed. */
const SHUT_OUT_BYTES = 8 * 1024;
/** So much is sent at once; less may wait for the end of the turn. */
const PROMPT_BYTES = 16 * 1024;
/** An endpoint may send octet by octet: of more pieces than this one is made, lest each costs a hundred times what is in it, and a frame of its own. */
const MOST_PIECES = 128;
/** What one stream sends before the others have their turn. */
const TURN_BYTES = 64 * 1024;
/** A client that is still sending when it has its answer gets this long to end by itself. */
const REST_MS = 100;
const NO_DATA = Buffer.alloc(0);
const NO_FIELDS: RawHeaders = [];

export class Http2Stream implements ResponseWriter, BodyStream, Sender, Expiring {
  readonly id: number;
  onDrain: (() => void) | undefined;
  onClose: ((reason: string) => void) | undefined;
  started = false;
  bytes = 0;
  deadlineAt = 0;
  wheelTurn = 0;
  wheelPlace = 0;
  /** Of the request; undefined: it has none. */
  body: Http2Body | undefined;
  readonly #line: StreamLine;
  readonly #isHead: boolean;
  #sendWindow: number;
  /** The client has ended its side. */
  #remoteClosed: boolean;
  /** All was sent, or nothing more will be. */
  #localClosed = false;
  /** The response was given completely, or cut. */
  #ended = false;
  #bodiless = false;
  /** Octets of the body still to be given; undefined: unknown. */
  #left: number | undefined;
  /** The head, while it is not sent. */
  #status = 0;
  #headers = NO_FIELDS;
  #length: number | undefined;
  #mayTrail = false;
  #trailers: RawHeaders | undefined;
  #pending: Buffer[] | undefined;
  #pendingBytes = 0;
  /** The endpoint was stopped. */
  #stalled = false;
  #turnAwaited = false;

  /** `sendWindow`: what the client takes at first. `ended`: the request is its head alone. */
  constructor(id: number, line: StreamLine, request: { readonly method: string; readonly ended: boolean; readonly sendWindow: number }) {
    this.id = id;
    this.#line = line;
    this.#isHead = request.method === 'HEAD';
    this.#remoteClosed = request.ended;
    this.#sendWindow = request.sendWindow;
  }

  get context(): ServerContext {
    return this.#line.context;
  }

  /** All of the response was sent. */
  get answered(): boolean {
    return this.#localClosed;
  }

  get room(): number {
    return Math.max(0, Math.min(this.#sendWindow, this.#line.outlet.room));
  }

  get shut(): boolean {
    return this.#sendWindow <= 0 || this.#line.outlet.shut;
  }

  inform(status: number, headers: RawHeaders): void {
    if (!this.started && !this.#ended) this.#line.outlet.writer.fields(this.id, status, headers, NO_FIELDS, false);
  }

  sayContinue(): void {
    this.inform(100, NO_FIELDS);
  }

  head(status: number, headers: RawHeaders, length: number | undefined): void {
    if (this.started || this.#ended) return;
    this.started = true;
    // 205 has no content (RFC 9110 §15.3.6), whatever an endpoint says.
    const empty = status === 204 || status === 205;
    this.#bodiless = this.#isHead || empty || status === 304;
    this.#left = this.#bodiless ? 0 : length;
    this.#status = status;
    this.#headers = headers;
    this.#length = empty ? undefined : length;
    // Trailers of gRPC are announced by its content type alone, also behind a body of known length.
    this.#mayTrail = this.#left === undefined || getField(headers, 'trailer') !== undefined || getField(headers, 'content-type')?.startsWith('application/grpc') === true;
    // A response that ends at once is its head alone: gRPC takes what is said there for trailers only then.
    this.#awaitTurn();
  }

  data(chunk: Buffer): boolean {
    if (this.#ended || this.#bodiless || chunk.length === 0) return true;
    if (this.#left !== undefined) {
      if (chunk.length > this.#left) {
        this.abort();
        return true;
      }
      this.#left -= chunk.length;
    }
    this.bytes += chunk.length;
    if (this.#pending === undefined) this.#pending = [chunk];
    else if (this.#pending.push(chunk) > MOST_PIECES) this.#pending = [joined(this.#pending)];
    this.#pendingBytes += chunk.length;
    const { outlet } = this.#line;
    if (this.#pendingBytes >= PROMPT_BYTES) {
      this.flush();
      // At the end of the turn the endpoint would have been read several times more, and a client that does not read would hold all of that.
      outlet.writer.flush();
    } else {
      this.#awaitTurn();
    }
    if (this.#pendingBytes < (this.#sendWindow > 0 ? WAITING_BYTES : SHUT_OUT_BYTES) && !outlet.blocked) return true;
    if (this.#pendingBytes === 0) outlet.awaitRoom(this);
    this.#stalled = true;
    this.#awaitClient();
    return false;
  }

  end(trailers?: RawHeaders): void {
    if (this.#ended) return;
    if (!this.started || (this.#left !== undefined && this.#left > 0)) {
      this.abort();
      return;
    }
    this.#ended = true;
    if (this.#mayTrail && trailers !== undefined) {
      const list = trailerFields(trailers, true);
      if (list.length > 0) this.#trailers = list;
    }
    // Whoever gave the response is done with it; what waits for the client must hold nothing of that.
    this.onDrain = undefined;
    this.onClose = undefined;
    this.flush();
    if (!this.#localClosed) this.#awaitClient();
  }

  abort(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#reset(CODE.INTERNAL_ERROR);
  }

  /** The client has taken no byte for too long. */
  onDeadline(): void {
    this.#reset(CODE.CANCEL);
    this.closed(GONE);
  }

  /** Sends what there is and the client takes. */
  flush(): void {
    this.#turnAwaited = false;
    if (this.#localClosed) return;
    if (this.#status !== 0 && this.#sendHead()) return;
    const sent = this.#sendPending();
    if (this.#localClosed) return;
    if (this.#pendingBytes === 0 && this.#ended) {
      if (this.#trailers === undefined) this.#line.outlet.data(this, NO_DATA, true);
      else this.#line.outlet.writer.fields(this.id, 0, this.#trailers, NO_FIELDS, true);
      this.#sent();
    } else if (this.#pendingBytes > 0) {
      if (sent && this.deadlineAt !== 0) this.#awaitClient();
    }
    if (this.#stalled && this.#pendingBytes < (this.#sendWindow > 0 ? WAITING_BYTES : SHUT_OUT_BYTES)) {
      this.#stalled = false;
      // Of a response that is given nobody waits for room, and the rest of it has its deadline still.
      if (!this.#ended) this.context.deadlines.clear(this);
      this.onDrain?.();
    }
  }

  /** True: it was the whole response. */
  #sendHead(): boolean {
    const headers = this.#headers;
    const whole = this.#ended && this.#pendingBytes === 0 && this.#trailers === undefined;
    const more = isDated(headers) ? [] : ['date', dateNow()];
    if (this.#length !== undefined) more.push('content-length', String(this.#length));
    this.#line.outlet.writer.fields(this.id, this.#status, headers, more, whole);
    this.#status = 0;
    this.#headers = NO_FIELDS;
    if (whole) this.#sent();
    return whole;
  }

  /** True: something has left. */
  #sendPending(): boolean {
    const pending = this.#pending;
    if (pending === undefined) return false;
    const before = this.#pendingBytes;
    let turn = TURN_BYTES;
    while (this.#pendingBytes > 0) {
      const most = Math.min(this.#sendWindow, this.#line.outlet.room, turn, MAX_FRAME_BYTES);
      const chunk = pending[0] as Buffer;
      if (most <= 0) {
        const own = kept(chunk);
        if (own !== chunk) giveBack(chunk);
        pending[0] = own;
        if (this.#sendWindow > 0) this.#line.outlet.awaitRoom(this);
        return this.#pendingBytes < before;
      }
      const data = chunk.length > most ? chunk.subarray(0, most) : chunk;
      if (data === chunk) pending.shift();
      else pending[0] = chunk.subarray(most);
      turn -= data.length;
      this.#sendWindow -= data.length;
      this.#pendingBytes -= data.length;
      const last = this.#pendingBytes === 0 && this.#ended && this.#trailers === undefined;
      this.#line.outlet.data(this, data, last);
      if (last) this.#sent();
    }
    this.#pending = undefined;
    return true;
  }

  #sent(): void {
    this.#localClosed = true;
    this.context.deadlines.clear(this);
    if (this.#remoteClosed) {
      this.#line.streamOver(this);
      return;
    }
    this.body?.skip();
    // What the client still sends is not wanted by anybody: the stream is told so (RFC 9113 §8.1).
    setTimeout(dropRest, REST_MS, this).unref();
  }

  /** The client did not end by itself. */
  dropRest(): void {
    if (!this.#remoteClosed) this.#reset(CODE.NO_ERROR);
  }

  /** SETTINGS or WINDOW_UPDATE change what the client takes. False: by more than can be. */
  addWindow(octets: number): boolean {
    this.#sendWindow += octets;
    if (this.#sendWindow > MAX_WINDOW) return false;
    if (octets > 0 && this.#pendingBytes > 0) this.flush();
    return true;
  }

  /** DATA; `octets` of it count for flow control. */
  takeData(data: Buffer, octets: number, end: boolean): void {
    const error = this.#remoteClosed || this.body === undefined ? CODE.STREAM_CLOSED : this.body.take(data, octets, end);
    if (error !== 0) {
      this.#line.giveBack(octets);
      this.#line.violated(this, error);
    } else if (end) {
      this.#remoteEnded();
    }
  }

  /** A second block of fields. */
  takeTrailers(fields: RawHeaders, tooLarge: boolean, end: boolean): void {
    if (this.#remoteClosed || this.body === undefined) return this.#line.violated(this, CODE.STREAM_CLOSED);
    const error = end && !tooLarge && areFields(fields) ? this.body.end(fields) : CODE.PROTOCOL_ERROR;
    if (error === 0) this.#remoteEnded();
    else this.#line.violated(this, error);
  }

  #remoteEnded(): void {
    this.#remoteClosed = true;
    if (this.#localClosed) this.#line.streamOver(this);
  }

  giveBack(octets: number, credit: number): void {
    this.#line.giveBack(octets);
    if (credit > 0 && !this.#remoteClosed) this.#line.sendCredit(this, credit);
  }

  /** The stream is no more: it was reset, or its connection is closed. */
  closed(error: ProxyError): void {
    this.#localClosed = true;
    this.#remoteClosed = true;
    this.#drop();
    this.body?.fail(error);
    const { onClose } = this;
    this.onDrain = undefined;
    this.onClose = undefined;
    if (this.#ended) return;
    this.#ended = true;
    onClose?.(error.reason);
  }

  #reset(code: number): void {
    if (this.#localClosed && this.#remoteClosed) return;
    this.#localClosed = true;
    this.#remoteClosed = true;
    this.#drop();
    this.body?.skip();
    this.#line.sendReset(this, code);
  }

  #drop(): void {
    this.#pending = undefined;
    this.#pendingBytes = 0;
    this.#status = 0;
    this.#headers = NO_FIELDS;
    this.context.deadlines.clear(this);
  }

  #awaitTurn(): void {
    if (this.#turnAwaited) return;
    this.#turnAwaited = true;
    this.#line.outlet.awaitTurn(this);
  }

  #awaitClient(): void {
    this.context.deadlines.set(this, this.context.limits.writeStallMs);
  }
}

function isDated(headers: RawHeaders): boolean {
  for (let i = 0; i < headers.length; i += 2) if ((headers[i] as string).length === 4 && sameName(headers[i] as string, 'date')) return true;
  return false;
}

function joined(pieces: readonly Buffer[]): Buffer {
  const whole = Buffer.concat(pieces);
  for (const piece of pieces) giveBack(piece);
  return whole;
}

function dropRest(stream: Http2Stream): void {
  stream.dropRest();
}
