// One downstream HTTP/1.1 connection (RFC 9112): bytes in, exchanges out, one after the other. Requests that came early
// (pipelining) wait, unread beyond one buffer, until the answer before them is written. Whatever could be understood in two
// ways is refused and the connection closed.
import type { Socket } from 'node:net';
import type { UpgradeRequest } from '../../http/exchange.ts';
import { HEAD_END, HEAD_END_BYTES, RequestHead, endsHead, parseRequestHead } from '../../http/message-head.ts';
import { cutOff } from '../../net/cut-off.ts';
import { readDirectly } from '../../net/direct-read.ts';
import { kept } from '../../net/kept.ts';
import { giveBackFraming } from '../../net/read-blocks.ts';
import { takesMore } from '../../net/write-lent.ts';
import type { Connection, ServerContext } from '../context.ts';
import { Http1Body } from './body.ts';
import type { BodyHost } from './body.ts';
import { headRefusalReason, readRequest, refuseEarly } from './request.ts';
import type { RequestRefusal } from './request.ts';
import { Http1Response } from './response.ts';
import type { ResponseHost } from './response.ts';
import { Http2Connection } from '../http2/connection.ts';
import { endAndLinger } from '../linger.ts';
import { newExchange } from '../new-exchange.ts';
import type { Peer } from '../peer.ts';
import { refusalText } from '../refused.ts';

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\n', 'latin1');
/** Bytes of early requests that are held before reading stops. */
const HELD_BYTES = 64 * 1024;
/** A client that closed its sending side may still wait for the answer; this long it gets, if nothing was answered yet. */
const HALF_CLOSED_MS = 1_000;
/** After an early answer the client may still be sending: what it sends is read and dropped for this long, lest a reset destroys the answer. */
const LINGER_MS = 2_000;

/** One for all connections: the parser is synchronous, and what is needed of a head is taken at once. */
const head = new RequestHead();

export class Http1Connection implements Connection, BodyHost, ResponseHost {
  readonly socket: Socket;
  deadlineAt = 0;
  wheelTurn = 0;
  wheelPlace = 0;
  readonly #context: ServerContext;
  readonly #peer: Peer;
  #held: Buffer | undefined;
  #response: Http1Response | undefined;
  #body: Http1Body | undefined;
  #served = 0;
  /** How long the next request is waited for; less once the worker drains. */
  #idleMs: number;
  #mustClose = false;
  /** The client closed its sending side. */
  #halfClosed = false;
  #lingering = false;
  /** For the client the end of the connection is the end of its answer. */
  #endsWithClose = false;
  /** The bytes that are held are about to be parsed. */
  #turnAwaited = false;
  #stalled = false;
  /** The socket belongs to somebody else (an upgrade). */
  #detached = false;
  readonly #stopReading: () => void;
  readonly #onEnd = (): void => this.#clientEnded();
  readonly #onClose = (): void => this.#closed();
  readonly #onDrain = (): void => this.stalled(false);

  constructor(socket: Socket, peer: Peer, context: ServerContext) {
    this.socket = socket;
    this.#peer = peer;
    this.#context = context;
    this.#idleMs = context.limits.keepAliveTimeoutMs;
    this.#stopReading = readDirectly(socket, (chunk) => this.#read(chunk));
    socket.on('end', this.#onEnd);
    socket.on('close', this.#onClose);
    socket.on('drain', this.#onDrain);
    socket.on('error', ignore);
    context.opened(this);
    context.deadlines.set(this, context.limits.headTimeoutMs);
  }

  /** A request may be on its way on a connection that looks idle: it is still answered, as the last one. */
  drain(idleMs: number): void {
    this.#mustClose = true;
    this.#idleMs = idleMs;
    if (this.#response === undefined && this.#held === undefined && !this.#lingering && !this.#detached) this.#context.deadlines.set(this, idleMs);
  }

  destroy(): void {
    if (this.#endsWithClose) cutOff(this.socket);
    else this.socket.destroy();
  }

  endsWithClose(): void {
    this.#endsWithClose = true;
  }

  get halfClosed(): boolean {
    return this.#halfClosed;
  }

  mustClose(): boolean {
    if (this.#mustClose || this.#context.draining || this.#context.overloaded || this.#served >= this.#context.limits.keepAliveRequests) return true;
    if (this.#halfClosed && this.#held === undefined) return true;
    // An answer that comes before the request is complete is the last one, unless the rest is already here or small.
    return this.#body !== undefined && !this.#body.mayBeSkipped();
  }

  stalled(yes: boolean): void {
    if (yes) {
      this.#stalled = true;
      this.#context.deadlines.set(this, this.#context.limits.writeStallMs);
      return;
    }
    if (this.#stalled) {
      this.#stalled = false;
      if (this.#body?.waiting === true) this.awaitBody();
      else this.#context.deadlines.clear(this);
      if (this.#turnAwaited) setImmediate(parseLater, this);
    }
    this.#response?.drained();
  }

  onDeadline(): void {
    if (this.#detached) return;
    // Whatever of a request was still to come, nobody waits for it.
    if (this.#lingering) return this.destroy();
    const body = this.#body;
    if (this.#response === undefined && !this.#stalled) {
      // Between requests: an unfinished head is told why, and an idle connection goes silently, once its client has all of its last answer.
      if (this.#held !== undefined) this.#refuse({ status: 408, reason: 'DownstreamRequestTimeout', text: 'the request head was not complete in time' });
      else if (this.socket.writableLength > 0) this.#linger();
      else this.destroy();
    } else if (!this.#stalled && body !== undefined && body.waiting) {
      this.#mustClose = true;
      body.fail({ reason: 'DownstreamRequestTimeout', side: 'downstream', retry: 'no', status: 408 });
    } else if (this.#stalled || this.#response === undefined || !this.#response.started) {
      this.destroy();
    }
  }

  responseDone(reusable: boolean): void {
    const body = this.#body;
    // The endpoint has what it wanted, or answered early: the rest of the request is dropped.
    if (body !== undefined && !body.complete) body.skip();
    this.#response = undefined;
    // What the socket still has of the answer has the time of what comes next.
    this.#stalled = false;
    if (!reusable) {
      this.#linger();
    } else if (body !== undefined && !body.complete) {
      this.#context.deadlines.set(this, this.#context.limits.bodyTimeoutMs);
      this.socket.resume();
    } else {
      this.#next();
    }
  }

  /** Goes on to the next request: one that is already here, or the wait for it. */
  #next(): void {
    this.#body = undefined;
    if (this.#held !== undefined) {
      // A new turn: a client that pipelines thousands of requests must not starve the others.
      this.#turnAwaited = true;
      // Nor is anything asked for whose answer would have to wait here for a client that does not take those that it has.
      if (takesMore(this.socket)) setImmediate(parseLater, this);
      else this.stalled(true);
      return;
    }
    if (this.#halfClosed) {
      this.#linger();
      return;
    }
    this.#context.deadlines.set(this, this.#idleMs);
    if (this.socket.isPaused()) this.socket.resume();
  }

  /** The turn of the next request that is already here. */
  parseHeld(): void {
    this.#turnAwaited = false;
    const held = this.#held;
    if (held === undefined || this.socket.destroyed) return;
    this.#held = undefined;
    if (this.socket.isPaused()) this.socket.resume();
    this.#parse(held);
  }

  #read(chunk: Buffer): void {
    if (this.#lingering) return;
    const body = this.#body;
    if (body !== undefined && !body.complete) {
      body.push(chunk);
      return;
    }
    if (this.#response !== undefined || this.#turnAwaited) {
      this.#hold(chunk);
      return;
    }
    if (!takesMore(this.socket)) {
      this.#hold(chunk);
      this.#next();
      return;
    }
    this.#parse(this.#held === undefined ? chunk : Buffer.concat([this.#held, chunk]));
  }

  /** Keeps bytes of later requests until their turn. */
  #hold(chunk: Buffer): void {
    this.#held = kept(this.#held === undefined ? chunk : Buffer.concat([this.#held, chunk]));
    if (this.#held.length >= HELD_BYTES) this.socket.pause();
  }

  awaitBody(): void {
    if (this.#bodyHasDeadline()) this.#context.deadlines.set(this, this.#context.limits.bodyTimeoutMs);
  }

  bodyRests(): void {
    if (this.#bodyHasDeadline()) this.#context.deadlines.clear(this);
  }

  /** False: the deadline is that of a client that takes nothing of its answer, that will send nothing more, or whose last answer has gone out. */
  #bodyHasDeadline(): boolean {
    return !this.#stalled && !this.#halfClosed && !this.#lingering;
  }

  bodyComplete(rest: Buffer | undefined): void {
    // The last answer has gone out in the middle of the read.
    if (this.#lingering) return;
    this.bodyRests();
    if (rest !== undefined) this.#hold(rest);
    if (this.socket.isPaused() && (this.#held === undefined || this.#held.length < HELD_BYTES)) this.socket.resume();
    if (this.#response !== undefined) return;
    // The answer went out before; only the rest of the request was awaited.
    this.#next();
  }

  #parse(buffer: Buffer): void {
    const { limits } = this.#context;
    let start = 0;
    // RFC 9112 §2.2: an empty line before the request line is passed over.
    while (start < 4 && buffer[start] === 13 && buffer[start + 1] === 10) start += 2;
    if (this.#served === 0 && buffer[0] === 80 && buffer.length >= PREFACE.length && buffer.subarray(0, PREFACE.length).equals(PREFACE)) {
      this.#becomeHttp2(buffer);
      return;
    }
    // The whole of what came is most often one head: then it is looked for in the text, which is needed anyway.
    const alone = start === 0 && buffer.length <= limits.headBytes && endsHead(buffer);
    const text = alone ? buffer.toString('latin1') : '';
    const end = alone ? text.indexOf(HEAD_END) : buffer.indexOf(HEAD_END_BYTES, start);
    if (end === -1) {
      this.#awaitHead(buffer, start);
      return;
    }
    this.#held = undefined;
    if (end - start > limits.headBytes) {
      return this.#refuse({ status: 431, reason: 'RequestHeadersTooLarge', text: 'the request head is too long' });
    }
    const error = parseRequestHead(alone && end + 4 === buffer.length ? text : buffer.toString('latin1', start, end + 4), head, limits.requestLineBytes, limits.headerCount);
    if (error !== undefined) return this.#refuse({ ...error, reason: headRefusalReason(error.status) }, head.method, head.target);
    giveBackFraming(buffer, end + 4);
    this.#begin(end + 4 < buffer.length ? buffer.subarray(end + 4) : undefined);
  }

  /** Clear-text HTTP/2 with prior knowledge (RFC 9113 §3.3). */
  #becomeHttp2(buffer: Buffer): void {
    this.#detach();
    this.#context.closed(this);
    this.socket.off('close', this.#onClose);
    new Http2Connection(this.socket, this.#peer, this.#context, buffer);
  }

  /** Lets go of the socket: it belongs to somebody else from now on. */
  #detach(): void {
    const { socket } = this;
    this.#detached = true;
    this.#response = undefined;
    this.#context.deadlines.clear(this);
    socket.pause();
    this.#stopReading();
    socket.off('end', this.#onEnd);
    socket.off('drain', this.#onDrain);
  }

  /** The head is not complete: it is refused as soon as it cannot become a good one, else held until more comes. */
  #awaitHead(buffer: Buffer, start: number): void {
    const { limits } = this.#context;
    const refusal = refuseEarly(buffer, start, limits);
    if (refusal !== undefined) return this.#refuse(refusal);
    if (this.#halfClosed) {
      this.#linger();
    } else if (buffer.length === start) {
      this.#held = undefined;
      // Nothing but an empty line is here: the connection is as idle as without it.
      if (this.deadlineAt === 0) this.#context.deadlines.set(this, this.#idleMs);
    } else {
      if (this.#held === undefined) this.#context.deadlines.set(this, limits.headTimeoutMs);
      this.#held = kept(buffer);
    }
  }

  /** A well-formed head is here: makes the exchange of it. `rest` are the bytes behind the head. */
  #begin(rest: Buffer | undefined): void {
    this.#served++;
    const context = this.#context;
    context.deadlines.clear(this);
    const { method, minor } = head;
    if (minor === 0 ? !head.keepAlive || head.close : head.close) this.#mustClose = true;
    const read = readRequest(head);
    if ('refusal' in read) return this.#refuse(read.refusal, method, head.target);
    const response = new Http1Response(this, method, minor, head.teTrailers);
    this.#response = response;
    let body: Http1Body | undefined;
    if (head.chunked || head.contentLength > 0) {
      body = new Http1Body(this, context.limits, response, head.chunked ? undefined : head.contentLength, head.expect !== undefined && minor === 1);
      if (rest !== undefined) body.preload(rest);
      this.#body = body;
      read.request.body = body;
    } else if (rest !== undefined) {
      this.#hold(rest);
    }
    const exchange = newExchange(this.#peer, read.request, response, read.protocol === undefined ? undefined : this.#upgradeRequest(read.protocol));
    if (this.#halfClosed) this.#graceForHalfClosed();
    context.serve(exchange, this.#peer.listener);
  }

  #upgradeRequest(protocol: string): UpgradeRequest {
    return {
      protocol,
      take: () => {
        this.#detach();
        const early = this.#held ?? EMPTY;
        this.#held = undefined;
        return { socket: this.socket, head: early };
      },
    };
  }

  /** Answers a request that cannot be served as an exchange, and closes. */
  #refuse(refusal: RequestRefusal, method = '', target = ''): void {
    this.#context.refused(this.#peer, { ...refusal, method, target });
    this.socket.write(refusalText(refusal.status, refusal.text), 'latin1');
    this.#linger();
  }

  /** Closes our side and reads on for a moment, so that the last answer is not destroyed by a reset. */
  #linger(): void {
    const { socket } = this;
    this.#held = undefined;
    this.#lingering = true;
    endAndLinger(socket, this, this.#context, LINGER_MS);
    if (socket.isPaused()) socket.resume();
  }

  #clientEnded(): void {
    this.#halfClosed = true;
    const body = this.#body;
    const response = this.#response;
    if (body !== undefined && !body.complete && !body.unread) {
      body.fail({ reason: 'DownstreamConnectionTermination', side: 'downstream', retry: 'no', status: 499 });
      this.destroy();
    } else if (response === undefined) {
      // Whole requests that came before the end still have their turn.
      if (!this.#turnAwaited && !this.#lingering) this.#linger();
    } else if (!response.started) {
      this.#graceForHalfClosed();
    }
  }

  /** Gone, or only done with sending? Who is gone answers our first byte with a reset; until then a moment's grace. */
  #graceForHalfClosed(): void {
    this.#context.deadlines.set(this, HALF_CLOSED_MS);
  }

  #closed(): void {
    this.#context.deadlines.clear(this);
    this.#context.closed(this);
    const response = this.#response;
    const body = this.#body;
    this.#response = undefined;
    this.#body = undefined;
    if (body !== undefined && !body.complete) body.fail({ reason: 'DownstreamConnectionTermination', side: 'downstream', retry: 'no', status: 499 });
    if (response !== undefined && !response.ended) {
      response.ended = true;
      response.onClose?.('DownstreamConnectionTermination');
    }
  }
}

const EMPTY = Buffer.alloc(0);
function parseLater(connection: Http1Connection): void {
  connection.parseHeld();
}

/** 'close' follows and says all that matters. */
const ignore = (): void => {};
