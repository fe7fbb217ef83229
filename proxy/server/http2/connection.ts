// One downstream HTTP/2 connection (RFC 9113): frames in, exchanges out, one for each stream. What breaks the protocol costs
// the stream or the connection; so does what costs the client little and us much, if it does that too often. A client that
// does not read what it is sent is not read from.
import type { Socket } from 'node:net';
import type { ProxyError, RawHeaders, SharedConnection } from '../../http/exchange.ts';
import { CODE, DEFAULT_WINDOW, FLAG, FRAME, MAX_FRAME_BYTES, SETTING, SETTINGS_ACK, frame, goawayFrame, settingsFrame } from '../../http2/frames.ts';
import { ReceiveWindow } from '../../http2/receive-window.ts';
import { Http2Receiver, Http2Violation } from '../../http2/receiver.ts';
import type { ReceiverEvents } from '../../http2/receiver.ts';
import type { FrameWriter } from '../../http2/writer.ts';
import { readDirectly } from '../../net/direct-read.ts';
import type { Expiring } from '../../time/deadlines.ts';
import type { Connection, ServerContext } from '../context.ts';
import { GONE, Http2Body, MALFORMED, OVERDUE, connectionWindow } from './body.ts';
import { Http2Conduct } from './conduct.ts';
import { Farewell } from './farewell.ts';
import { Http2Outlet } from './outlet.ts';
import { Http2RequestHead, TOO_LARGE, readHead } from './request.ts';
import type { Http2Refusal } from './request.ts';
import { Http2Stream } from './stream.ts';
import type { StreamLine } from './stream.ts';
import { ReadTurn } from './turn.ts';
import { endAndLinger } from '../linger.ts';
import { newExchange } from '../new-exchange.ts';
import type { Peer } from '../peer.ts';
import { refusalReply } from '../refused.ts';
import { sendWhole } from '../reply.ts';

/** How long the client may take to close its side of a connection that is over. */
const LINGER_MS = 1_000;
/** One for all connections: what is needed of a head is taken at once. */
const head = new Http2RequestHead();

export class Http2Connection implements Connection, SharedConnection, StreamLine, ReceiverEvents, Expiring {
  readonly context: ServerContext;
  readonly outlet: Http2Outlet;
  deadlineAt = 0;
  wheelTurn = 0;
  wheelPlace = 0;
  readonly #socket: Socket;
  readonly #peer: Peer;
  readonly #receiver: Http2Receiver;
  readonly #streams = new Map<number, Http2Stream>();
  readonly #window: ReceiveWindow;
  readonly #conduct: Http2Conduct;
  readonly #turn: ReadTurn;
  readonly #writer: FrameWriter;
  readonly #farewell: Farewell;
  #greeted = false;
  #acknowledged = false;
  #lastId = 0;
  /** SETTINGS_INITIAL_WINDOW_SIZE of the client. */
  #streamWindow = DEFAULT_WINDOW;
  /** When the last stream ended, or a block of fields began. */
  #since = performance.now();
  #withinBlock = false;
  /** Its last stream is told as soon as all that waits was read. */
  #leaves = false;
  /** Nothing is read any more. */
  #over = false;

  /** `early`: what was read of the socket already. */
  constructor(socket: Socket, peer: Peer, context: ServerContext, early?: Buffer) {
    const { limits } = context;
    this.#socket = socket;
    this.#peer = peer;
    this.context = context;
    this.#conduct = new Http2Conduct(limits.maxConcurrentStreams);
    const windowBytes = connectionWindow(limits.maxConcurrentStreams);
    this.#window = new ReceiveWindow(windowBytes, windowBytes);
    this.outlet = new Http2Outlet(socket, this.#conduct, () => {
      this.#awaitNext();
      this.#turn.resume();
    });
    this.#turn = new ReadTurn(socket, (rest) => this.#read(rest), () => !this.outlet.deaf && !socket.destroyed);
    this.#writer = this.outlet.writer;
    this.#farewell = new Farewell(this.#writer, limits.keepAliveRequests, () => this.#leave());
    // Of a head in HTTP/2 four fields are what the request line is in HTTP/1.1.
    this.#receiver = new Http2Receiver(this, { headBytes: limits.headBytes, fields: limits.headerCount + 4, blockBytes: limits.headBytes * 2 + MAX_FRAME_BYTES, preface: true });
    readDirectly(socket, (chunk) => this.#read(chunk));
    socket.on('error', ignore);
    // HTTP/2 has no half-closed connections: who ends it has left, though answers still wait for room at the client.
    socket.on('end', () => socket.destroy());
    socket.on('close', () => this.#closed());
    context.opened(this);
    context.deadlines.set(this, limits.headTimeoutMs);
    this.#writer.write(settingsFrame([[SETTING.MAX_CONCURRENT_STREAMS, limits.maxConcurrentStreams], [SETTING.MAX_HEADER_LIST_SIZE, limits.headBytes]]));
    this.#writer.number(FRAME.WINDOW_UPDATE, 0, windowBytes - DEFAULT_WINDOW);
    socket.resume();
    if (early !== undefined) this.#read(early);
  }

  get unheard(): boolean {
    return this.#turn.waits && !this.outlet.deaf;
  }

  drain(idleMs: number): void {
    if (!this.#over) this.#farewell.begin(idleMs);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** What waits for its turn was on its way before, and is served; so is what came while the socket was paused, which is read next. */
  #leave(): void {
    this.#leaves = this.unheard;
    if (!this.#over && !this.#leaves && this.#farewell.say(this.#lastId)) this.#endIfOver();
  }

  onDeadline(): void {
    const { limits, deadlines } = this.context;
    if (this.#over) return this.destroy();
    if (this.outlet.deaf) {
      if (!this.outlet.hasRead()) return this.destroy();
      deadlines.set(this, limits.writeStallMs);
      return;
    }
    if (!this.#greeted) return this.#break(CODE.SETTINGS_TIMEOUT, OVERDUE, 'no SETTINGS in time');
    const most = this.#withinBlock ? limits.headTimeoutMs : limits.keepAliveTimeoutMs;
    const left = this.#since + most - performance.now();
    if (left > 0) deadlines.set(this, left);
    else if (this.#withinBlock) this.#break(CODE.ENHANCE_YOUR_CALM, OVERDUE, 'the request head was not complete in time');
    else if (this.#streams.size === 0) this.#leave();
  }

  #read(chunk: Buffer): void {
    if (this.#over) return;
    let rest: Buffer | undefined;
    try {
      rest = this.#receiver.push(chunk);
    } catch (error) {
      if (!(error instanceof Http2Violation)) throw error;
      this.#break(error.code, MALFORMED, error.message);
      return;
    }
    if (this.#over) return;
    const { withinBlock } = this.#receiver;
    if (withinBlock !== this.#withinBlock) {
      this.#withinBlock = withinBlock;
      this.#awaitNext();
    }
    if (this.outlet.stopReading()) this.context.deadlines.set(this, this.context.limits.writeStallMs);
    this.#turn.over(rest);
    if (this.#leaves && rest === undefined) setImmediate(() => this.#leave());
  }

  /** The rest of a block of fields, or the next stream. */
  #awaitNext(): void {
    const { limits, deadlines } = this.context;
    this.#since = performance.now();
    deadlines.set(this, this.#withinBlock ? limits.headTimeoutMs : limits.keepAliveTimeoutMs);
  }

  takeFields(id: number, fields: RawHeaders, tooLarge: boolean, end: boolean): void {
    this.#withinBlock = false; // The next one may begin in what was read with it.
    if (this.#turn.served(this.#receiver.fieldBytes)) this.#receiver.stop();
    const stream = this.#streams.get(id);
    if (stream !== undefined) {
      stream.takeTrailers(fields, tooLarge, end);
    } else if (id % 2 === 0) {
      throw new Http2Violation(CODE.PROTOCOL_ERROR, 'a stream of an even number');
    } else if (id <= this.#lastId) {
      this.#late(id);
    } else {
      this.#lastId = id;
      this.#begin(id, fields, tooLarge, end);
    }
  }

  #begin(id: number, fields: RawHeaders, tooLarge: boolean, end: boolean): void {
    const { context } = this;
    const { limits } = context;
    if (this.#farewell.said) {
      this.#conduct.idled();
      this.#reset(id, CODE.REFUSED_STREAM);
      return;
    }
    if (this.#streams.size >= limits.maxConcurrentStreams) {
      this.#reset(id, CODE.REFUSED_STREAM);
      // Before it knows the limit it cannot keep it.
      if (this.#acknowledged) this.#conduct.provoked();
      else this.#conduct.idled();
      return;
    }
    if (context.overloaded) {
      // Nothing of it was looked at: the client may send it again (RFC 9113 §8.7).
      context.refused(this.#peer, { status: 503, reason: 'Overload', text: '', method: '', target: '', version: '2' });
      this.#reset(id, CODE.REFUSED_STREAM);
      this.#conduct.idled();
      return;
    }
    this.#conduct.opened();
    this.#farewell.served();
    const refusal = readHead(fields, end, limits, head);
    const { request, method, length } = head;
    if (tooLarge || refusal !== undefined || request === undefined) {
      this.#refuse(id, end, tooLarge || refusal === undefined ? TOO_LARGE : refusal);
      return;
    }
    const stream = this.#open(id, method, end, length, head.awaitsContinue);
    request.body = stream.body;
    context.serve(newExchange(this.#peer, request, stream, undefined, this), this.#peer.listener);
  }

  #open(id: number, method: string, ended: boolean, length: number | undefined, awaitsContinue: boolean): Http2Stream {
    const stream = new Http2Stream(id, this, { method, ended, sendWindow: this.#streamWindow });
    if (!ended) stream.body = new Http2Body(stream, length, awaitsContinue);
    this.#streams.set(id, stream);
    return stream;
  }

  #refuse(id: number, end: boolean, refusal: Http2Refusal): void {
    const { method, path } = head;
    const { status, reason, text } = refusal;
    this.context.refused(this.#peer, { status, reason, text, method, target: path, version: '2' });
    if (refusal.malformed === true) {
      this.#reset(id, CODE.PROTOCOL_ERROR);
      this.#conduct.provoked();
      return;
    }
    const stream = this.#open(id, method, end, undefined, false);
    stream.body?.skip();
    sendWhole(stream, refusalReply(status, text), method === 'HEAD');
  }

  takeData(id: number, data: Buffer, octets: number, end: boolean): void {
    if (!this.#window.receive(octets)) throw new Http2Violation(CODE.FLOW_CONTROL_ERROR, 'more data than it may send');
    const stream = this.#streams.get(id);
    if (data.length > 0) this.#conduct.carried();
    else if (!end) this.#conduct.idled();
    if (stream !== undefined) {
      stream.takeData(data, octets, end);
      return;
    }
    this.giveBack(octets);
    this.#expectUsed(id);
    this.#late(id);
  }

  takeReset(id: number, _code: number): void {
    const stream = this.#streams.get(id);
    if (stream === undefined) {
      this.#expectUsed(id);
      this.#conduct.idled();
      return;
    }
    const early = !stream.answered;
    this.#forget(stream);
    stream.closed(GONE);
    if (early) this.#conduct.provoked();
    else this.#conduct.idled();
    this.#endIfOver();
  }

  takeSettings(settings: readonly (readonly [id: number, value: number])[]): void {
    if (!this.#greeted) {
      this.#greeted = true;
      this.#awaitNext();
    }
    this.#conduct.idled();
    for (const [id, value] of settings) {
      this.#conduct.idled();
      if (id === SETTING.INITIAL_WINDOW_SIZE) this.#setStreamWindow(value);
      // It is to be said even if the table has grown again since (RFC 7541 §4.2).
      else if (id === SETTING.HEADER_TABLE_SIZE && value < 4096) this.#writer.tableChanged = true;
    }
    this.#writer.write(SETTINGS_ACK);
  }

  takePing(payload: Buffer): void {
    this.#conduct.idled();
    this.#writer.write(frame(FRAME.PING, FLAG.ACK, 0, payload));
  }

  takePong(): void {
    this.#conduct.idled();
  }

  takeNothing(type: number): void {
    if (type === FRAME.SETTINGS) this.#acknowledged = true;
    this.#conduct.idled();
  }

  /** The client begins nothing more. */
  takeGoaway(): void {
    this.#conduct.idled();
    this.#leave();
  }

  takeWindow(id: number, octets: number): void {
    this.#conduct.returned(octets);
    if (id === 0) {
      if (octets === 0) throw new Http2Violation(CODE.PROTOCOL_ERROR, 'a window that does not grow');
      if (!this.outlet.addWindow(octets)) throw new Http2Violation(CODE.FLOW_CONTROL_ERROR, 'a window that cannot be');
      return;
    }
    const stream = this.#streams.get(id);
    if (stream === undefined) this.#expectUsed(id);
    else if (octets === 0) this.violated(stream, CODE.PROTOCOL_ERROR);
    else if (!stream.addWindow(octets)) this.violated(stream, CODE.FLOW_CONTROL_ERROR);
  }

  #setStreamWindow(value: number): void {
    const change = value - this.#streamWindow;
    this.#streamWindow = value;
    for (const stream of this.#streams.values()) {
      if (!stream.addWindow(change)) throw new Http2Violation(CODE.FLOW_CONTROL_ERROR, 'a window that cannot be');
    }
  }

  #expectUsed(id: number): void {
    if (id % 2 === 0 || id > this.#lastId) throw new Http2Violation(CODE.PROTOCOL_ERROR, 'a frame of a stream that was never opened');
  }

  /** A message goes on on a stream that is no more: excused only where the client cannot have known. */
  #late(id: number): void {
    if (this.#conduct.excused(id)) return;
    this.#reset(id, CODE.STREAM_CLOSED);
    this.#conduct.provoked();
  }

  violated(stream: Http2Stream, code: number): void {
    this.#forget(stream);
    this.#reset(stream.id, code);
    stream.closed(MALFORMED);
    this.#conduct.provoked();
    this.#endIfOver();
  }

  sendReset(stream: Http2Stream, code: number): void {
    this.#reset(stream.id, code);
    this.streamOver(stream);
  }

  #reset(id: number, code: number): void {
    this.#conduct.reset(id);
    this.#writer.number(FRAME.RST_STREAM, id, code);
  }

  streamOver(stream: Http2Stream): void {
    if (this.#forget(stream)) this.#endIfOver();
  }

  giveBack(octets: number): void {
    const credit = this.#window.take(octets);
    if (credit > 0) this.#writer.number(FRAME.WINDOW_UPDATE, 0, credit);
  }

  sendCredit(stream: Http2Stream, octets: number): void {
    this.#writer.number(FRAME.WINDOW_UPDATE, stream.id, octets);
  }

  /** The client broke the protocol, or is late: it is told why, as is the log, and nothing more is read. */
  #break(code: number, error: ProxyError, text: string): void {
    if (this.#over) return;
    this.context.refused(this.#peer, { status: error === OVERDUE ? 408 : 400, reason: error.reason, text, method: '', target: '', version: '2' });
    this.#loseStreams(error);
    this.#writer.write(goawayFrame(this.#lastId, code, text));
    this.#end();
  }

  #endIfOver(): void {
    if (this.#farewell.said && this.#streams.size === 0) this.#end();
  }

  /** What was written last is still sent if the client reads it; its own end is to be seen, though the socket may be paused. */
  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#writer.flush();
    endAndLinger(this.#socket, this, this.context, LINGER_MS);
    this.#socket.resume();
  }

  #closed(): void {
    this.#over = true;
    this.context.deadlines.clear(this);
    this.context.closed(this);
    this.#loseStreams(GONE);
  }

  #loseStreams(error: ProxyError): void {
    for (const stream of this.#streams.values()) {
      this.#streams.delete(stream.id);
      stream.closed(error);
    }
  }

  #forget(stream: Http2Stream): boolean {
    this.outlet.forget(stream);
    if (!this.#streams.delete(stream.id)) return false;
    if (this.#streams.size === 0 && !this.#withinBlock && !this.#over) this.#awaitNext();
    return true;
  }
}

function ignore(): void {
  // 'close' follows and says all that matters
}
