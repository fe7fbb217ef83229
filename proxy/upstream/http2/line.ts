// One HTTP/2 connection to an endpoint (RFC 9113): ready once the endpoint's SETTINGS are there, so that nothing is sent to
// who does not speak it and no limit is broken; left when the endpoint says GOAWAY, when it is idle or used up. Streams that
// are open on a connection that is left finish. Written by hand, because node:http2 ends the process on answers that a
// broken endpoint can send (too many fields, a head that does not end), and cannot tell END_STREAM from a reset.
import type net from 'node:net';
import type { ProxyError, RawHeaders } from '../../http/exchange.ts';
import { NO_TABLE, encodeFields } from '../../http2/hpack-encoder.ts';
import { CODE, DEFAULT_WINDOW, FLAG, FRAME, MAX_WINDOW, PREFACE, SETTING, SETTINGS_ACK, codeName, frame, goawayFrame, headersFrames, settingsFrame } from '../../http2/frames.ts';
import { FrameWriter } from '../../http2/writer.ts';
import type { WriterHost } from '../../http2/writer.ts';
import { readDirectly } from '../../net/direct-read.ts';
import { hearOut } from '../../net/hear-out.ts';
import type { Connected } from '../connector.ts';
import { Deadline } from '../deadline.ts';
import type { Expirable } from '../deadline.ts';
import { failure } from '../errors.ts';
import { Keepalive } from './keepalive.ts';
import type { Watched } from './keepalive.ts';
import type { LineOptions } from './line-options.ts';
import { Http2Receiver, Http2Violation } from '../../http2/receiver.ts';
import type { ReceiverEvents } from '../../http2/receiver.ts';
import { Http2Stream, STREAM_WINDOW } from './stream.ts';
import type { StreamLine, StreamUser } from './stream.ts';

/** Whoever opens connections. */
export interface LineOwner {
  /** It may have room for more streams than before; one that has been left, for streams of others. */
  lineHasRoom(line: Http2Line): void;
  /** It takes no new streams any more. `error`: it never did. */
  lineLeft(line: Http2Line, error: ProxyError | undefined): void;
  /** The connection is closed. */
  lineClosed(line: Http2Line): void;
}

const LAST_STREAM_ID = 2 ** 31 - 1;
/** What all streams together may have on the way. */
const LINE_WINDOW = 4 * 1024 * 1024;
/** Answers to PING and SETTINGS that an endpoint may leave unread. */
const MAX_UNREAD_BYTES = 1024 * 1024;
const MAX_FIELDS = 256;
const MAX_BLOCK_BYTES = 256 * 1024;
/** Data that waits for the endpoint's socket, from which on streams keep theirs. */
const WAITING_BYTES = 64 * 1024;
/** How long the endpoint may take to close its side of a connection that is over. */
const LINGER_MS = 1_000;

type State = 'connecting' | 'open' | 'left' | 'closed';

export class Http2Line implements StreamLine, ReceiverEvents, Watched, WriterHost, Expirable {
  heard = 0;
  readonly #owner: LineOwner;
  readonly #options: LineOptions;
  readonly #connectDeadline = new Deadline(this);
  readonly #streams = new Map<number, Http2Stream>();
  /** Streams that have data for a connection that takes none. */
  readonly #waiting = new Set<Http2Stream>();
  #state: State = 'connecting';
  #socket: net.Socket | undefined;
  #writer: FrameWriter | undefined;
  #keepalive: Keepalive | undefined;
  #limit = 0;
  #nextId = 1;
  /** From this stream on nothing has left. */
  #unwrittenFrom = 1;
  #sendWindow = DEFAULT_WINDOW;
  /** SETTINGS_INITIAL_WINDOW_SIZE of the endpoint. */
  #streamWindow = DEFAULT_WINDOW;
  #receiveWindow = LINE_WINDOW;
  #idleSince = performance.now();
  /** Why the connection broke. */
  #error: ProxyError | undefined;

  /** `connect`: opens the connection, TLS included. */
  constructor(owner: LineOwner, options: LineOptions, connect: (connected: Connected) => void) {
    this.#owner = owner;
    this.#options = options;
    connect((error, socket) => {
      if (socket !== null) this.#connected(socket);
      else this.#fail(failure(error?.reason ?? 'UpstreamConnectionFailure', error));
    });
    this.#connectDeadline.set(options.connectTimeoutMs);
  }

  get connecting(): boolean {
    return this.#state === 'connecting';
  }

  /** Streams open now. */
  get open(): number {
    return this.#streams.size;
  }

  /** It has carried a stream before. */
  get used(): boolean {
    return this.#nextId > 1;
  }

  /** Streams that may be open at a time, as far as is known. */
  get limit(): number {
    return this.#limit;
  }

  /** Number of streams that can be opened now. */
  get freeStreams(): number {
    return this.#state === 'open' ? this.#limit - this.#streams.size : 0;
  }

  /** Sends a head as `encodeFields` makes it; only while there are free streams. `bodiless`: it is the whole request. */
  request(head: Buffer, request: { readonly bodiless: boolean; readonly isHead: boolean }, user: StreamUser): Http2Stream {
    const id = this.#nextId;
    const stream = new Http2Stream(id, this, user, { ...request, sendWindow: this.#streamWindow });
    this.#streams.set(id, stream);
    this.#write(headersFrames(id, id === 1 ? Buffer.concat([NO_TABLE, head]) : head, request.bodiless));
    this.#nextId += 2;
    if (this.#nextId > LAST_STREAM_ID) this.leave();
    return stream;
  }

  /** Takes no new streams, and closes when the last one has ended. */
  leave(): void {
    if (this.#state === 'connecting') {
      this.#fail(failure('UpstreamConnectionFailure', 'no longer needed'));
    } else if (this.#state === 'open') {
      this.#write(goawayFrame(0, CODE.NO_ERROR));
      this.#left(undefined);
      this.#endIfOver();
    }
  }

  /** Cuts everything. */
  destroy(): void {
    this.#break(failure('UpstreamConnectionTermination', 'the connection was no longer wanted'));
  }

  unresponsive(): void {
    this.#break(failure('UpstreamConnectionTermination', 'no answer to PING'));
  }

  ping(): void {
    this.#write(frame(FRAME.PING, 0, 0, Buffer.alloc(8)));
  }

  tick(): void {
    if (this.#streams.size === 0 && performance.now() - this.#idleSince >= this.#options.lineIdleMs) this.leave();
  }

  expired(): void {
    this.#fail(failure('UpstreamConnectionTimeout', `no connection with SETTINGS within ${this.#options.connectTimeoutMs} ms`));
  }

  get room(): number {
    return this.#writer !== undefined && this.#writer.waiting < WAITING_BYTES ? this.#sendWindow : 0;
  }

  awaitRoom(stream: Http2Stream): void {
    this.#waiting.add(stream);
  }

  sendData(stream: Http2Stream, data: Buffer, end: boolean): void {
    this.#sendWindow -= data.length;
    this.#writer?.data(stream.id, data, end);
  }

  sendTrailers(stream: Http2Stream, trailers: RawHeaders): void {
    this.#write(headersFrames(stream.id, encodeFields(trailers), true));
  }

  sendCredit(stream: Http2Stream, octets: number): void {
    this.#writer?.number(FRAME.WINDOW_UPDATE, stream.id, octets);
  }

  sendReset(stream: Http2Stream, code: number): void {
    if (!this.#streams.has(stream.id)) return;
    this.#writer?.number(FRAME.RST_STREAM, stream.id, code);
    this.streamOver(stream);
  }

  streamOver(stream: Http2Stream): void {
    this.#waiting.delete(stream);
    if (!this.#streams.delete(stream.id)) return;
    this.#idleSince = performance.now();
    this.#endIfOver();
    this.#owner.lineHasRoom(this);
  }

  takeData(id: number, data: Buffer, octets: number, end: boolean): void {
    const stream = this.#streamOf(id);
    this.#receiveWindow -= octets;
    // Given back at once: a stream that is not read must not hold up the others, and has a window of its own.
    if (this.#receiveWindow < LINE_WINDOW / 2) {
      this.#writer?.number(FRAME.WINDOW_UPDATE, 0, LINE_WINDOW - this.#receiveWindow);
      this.#receiveWindow = LINE_WINDOW;
    }
    stream?.takeData(data, octets, end);
  }

  takeFields(id: number, fields: RawHeaders, tooLarge: boolean, end: boolean): void {
    this.#streamOf(id)?.takeFields(fields, tooLarge, end);
  }

  takeReset(id: number, code: number): void {
    const stream = this.#streamOf(id);
    if (stream === undefined) return;
    this.streamOver(stream);
    stream.takeReset(code);
  }

  takeSettings(settings: readonly (readonly [id: number, value: number])[]): void {
    let limit = this.#state === 'connecting' ? this.#options.maxStreams : this.#limit;
    for (const [id, value] of settings) {
      if (id === SETTING.MAX_CONCURRENT_STREAMS) limit = Math.min(this.#options.maxStreams, value);
      else if (id === SETTING.INITIAL_WINDOW_SIZE) this.#setStreamWindow(value);
      else if (id === SETTING.ENABLE_PUSH && value !== 0) throw new Http2Violation(CODE.PROTOCOL_ERROR, 'a server that wants to be pushed to');
    }
    this.#limit = limit;
    this.#answer(SETTINGS_ACK);
    if (this.#state === 'connecting') {
      this.#state = 'open';
      this.#connectDeadline.clear();
      this.#idleSince = performance.now();
      this.#keepalive = new Keepalive(this.#options, this);
    }
    if (this.#state === 'open') this.#owner.lineHasRoom(this);
  }

  takePing(payload: Buffer): void {
    this.#answer(frame(FRAME.PING, FLAG.ACK, 0, payload));
  }

  takePong(): void {
    this.#keepalive?.pong();
  }

  takeGoaway(lastStream: number, code: number): void {
    const text = `the endpoint said GOAWAY: ${codeName(code)}`;
    if (code !== CODE.NO_ERROR) this.#error ??= failure('UpstreamConnectionTermination', text);
    if (this.#state === 'open') this.#left(undefined);
    for (const stream of this.#streams.values()) {
      if (stream.id <= lastStream) continue;
      this.streamOver(stream);
      stream.fail(failure('UpstreamRemoteReset', text, 'yes'), 'connection');
    }
    this.#endIfOver();
  }

  takeWindow(id: number, octets: number): void {
    if (id !== 0) {
      const stream = this.#streamOf(id);
      if (stream !== undefined && (octets === 0 || !stream.addWindow(octets))) stream.windowImpossible();
      return;
    }
    this.#sendWindow += octets;
    if (octets === 0 || this.#sendWindow > MAX_WINDOW) throw new Http2Violation(CODE.FLOW_CONTROL_ERROR, 'a window that cannot be');
    this.#flushWaiting();
  }

  /** An endpoint may say it as often as it likes. */
  takeNothing(): void {}

  #setStreamWindow(value: number): void {
    const change = value - this.#streamWindow;
    this.#streamWindow = value;
    for (const stream of this.#streams.values()) {
      if (!stream.addWindow(change)) throw new Http2Violation(CODE.FLOW_CONTROL_ERROR, 'a window that cannot be');
    }
  }

  /** Undefined: it has ended here already. */
  #streamOf(id: number): Http2Stream | undefined {
    if (id % 2 === 0 || id >= this.#nextId) throw new Http2Violation(CODE.PROTOCOL_ERROR, 'a frame of a stream that was never opened');
    return this.#streams.get(id);
  }

  #connected(socket: net.Socket): void {
    if (this.#state !== 'connecting') {
      socket.destroy();
      return;
    }
    this.#socket = socket;
    socket.once('close', () => this.#closed());
    if ('alpnProtocol' in socket && socket.alpnProtocol !== 'h2') {
      this.#fail(failure('UpstreamProtocolError', 'the endpoint does not offer HTTP/2 by ALPN', 'yes'));
      return;
    }
    const receiver = new Http2Receiver(this, { headBytes: this.#options.maxHeadBytes, fields: MAX_FIELDS, blockBytes: MAX_BLOCK_BYTES, preface: false });
    this.#writer = new FrameWriter(socket, this);
    socket.on('error', (error) => this.#broken(failure('UpstreamConnectionTermination', error)));
    socket.on('drain', () => this.#flushWaiting());
    const release = readDirectly(socket, (chunk) => this.#receive(socket, receiver, chunk, release));
    hearOut(socket);
    // Its end may never come to be closed, if the endpoint takes nothing of what was written before it.
    socket.once('end', () => this.#state !== 'connecting' && this.#break(failure('UpstreamConnectionTermination', 'the endpoint closed the connection')));
    this.#write(PREFACE);
    this.#write(settingsFrame([[SETTING.ENABLE_PUSH, 0], [SETTING.INITIAL_WINDOW_SIZE, STREAM_WINDOW], [SETTING.MAX_HEADER_LIST_SIZE, this.#options.maxHeadBytes]]));
    this.#writer?.number(FRAME.WINDOW_UPDATE, 0, LINE_WINDOW - DEFAULT_WINDOW);
  }

  /** `release`: what still comes is not looked at. */
  #receive(socket: net.Socket, receiver: Http2Receiver, chunk: Buffer, release: () => void): void {
    this.heard++;
    try {
      receiver.push(chunk);
    } catch (error) {
      if (!(error instanceof Http2Violation)) throw error;
      release();
      socket.resume();
      this.#break(failure('UpstreamProtocolError', error, this.#state === 'connecting' ? 'yes' : 'no'), goawayFrame(0, error.code));
    }
  }

  #write(bytes: Buffer): void {
    this.#writer?.write(bytes);
  }

  /** Answers what the endpoint may ask at any time. */
  #answer(bytes: Buffer): void {
    if (this.#writer !== undefined && this.#writer.waiting > MAX_UNREAD_BYTES) throw new Http2Violation(CODE.ENHANCE_YOUR_CALM, 'questions without an ear for answers');
    this.#write(bytes);
  }

  beforeWrite(): void {}

  afterWrite(): void {
    // A failure that is known at once let nothing through; one that comes later may have let a part.
    if (this.#socket?.writable === true) this.#unwrittenFrom = this.#nextId;
    this.#flushWaiting();
  }

  #flushWaiting(): void {
    for (const stream of this.#waiting) {
      if (this.room <= 0) return;
      this.#waiting.delete(stream);
      stream.flush();
    }
  }

  /** Before it was ready. */
  #fail(error: ProxyError): void {
    if (this.#state !== 'connecting') return;
    this.#left(error);
    if (this.#socket === undefined) this.#closed();
    else this.#endSocket();
  }

  /** `last`: what the endpoint is still told. Requests that have not left must not do so any more: they are sent again. */
  #break(error: ProxyError, last?: Buffer): void {
    this.#error ??= error;
    this.#writer?.discard();
    if (last !== undefined) this.#write(last);
    if (this.#state === 'connecting') this.#fail(error);
    if (this.#state === 'closed' || this.#socket === undefined) return;
    if (this.#state === 'open') this.#left(undefined);
    this.#loseStreams();
    this.#endSocket();
  }

  /** A write has failed. What the endpoint said before is still to come: it may be GOAWAY, and answers. */
  #broken(error: ProxyError): void {
    this.#error ??= error;
    if (this.#state === 'open') this.#left(undefined);
  }

  #left(error: ProxyError | undefined): void {
    this.#state = 'left';
    this.#connectDeadline.clear();
    this.#owner.lineLeft(this, error);
  }

  #endIfOver(): void {
    if (this.#state === 'left' && this.#streams.size === 0) this.#endSocket();
  }

  /** What was written last is still sent if the endpoint reads it. */
  #endSocket(): void {
    const socket = this.#socket;
    if (socket === undefined || socket.writableEnded) return;
    this.#writer?.flush();
    socket.end();
    setTimeout(() => socket.destroy(), LINGER_MS).unref();
  }

  #closed(): void {
    // However it broke, nothing was sent before SETTINGS came.
    if (this.#state === 'connecting') this.#left(failure('UpstreamConnectionFailure', this.#error?.cause ?? 'closed before SETTINGS'));
    else if (this.#state === 'open') this.#left(undefined);
    this.#state = 'closed';
    this.#keepalive?.stop();
    this.#loseStreams();
    this.#owner.lineClosed(this);
  }

  #loseStreams(): void {
    const error = this.#error ?? failure('UpstreamConnectionTermination', 'the endpoint closed the connection');
    for (const stream of this.#streams.values()) {
      const unsent = stream.id >= this.#unwrittenFrom;
      this.streamOver(stream);
      stream.fail(unsent ? { ...error, retry: 'yes' } : error, unsent ? 'connection' : undefined);
    }
  }
}
