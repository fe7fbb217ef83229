// One connection of the lean client: one request after the other, answers read with the same strict parser as the server
// side. What could be understood in two ways is an error, and a connection that said one byte too many is never used again.
import type net from 'node:net';
import { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import { ChunkedDecoder } from '../../http/chunked.ts';
import type { RawHeaders } from '../../http/exchange.ts';
import { HEAD_END_BYTES, ResponseHead, parseResponseHead } from '../../http/message-head.ts';
import { readDirectly } from '../../net/direct-read.ts';
import { hearOut } from '../../net/hear-out.ts';
import { kept } from '../../net/kept.ts';
import { giveBackFraming } from '../../net/read-blocks.ts';
import { MAX_ANSWER_FIELDS } from './answer-check.ts';
import { Deadline } from '../deadline.ts';
import type { Line } from './guarded-client.ts';
import { Http1ClientError } from './error.ts';
import { sendBody } from './upload.ts';
import { headersObject, keepAliveOf, mayBecomeHead } from './answer.ts';

export interface Http1ClientOptions {
  /** Opens a connection; calls back exactly once. */
  readonly open: (opened: (error: Error | null, socket: net.Socket | null) => void) => void;
  /** Idle connections are closed after this time; a shorter `Keep-Alive: timeout` of the endpoint wins. */
  readonly keepAliveMs: number;
  /** Largest response head in bytes. */
  readonly maxHeadBytes: number;
}

/** Whoever keeps connections for later. */
export interface ConnectionOwner {
  /** The connection has finished a request and may serve another. */
  park(connection: Http1Connection): void;
  /** It is closed. */
  forget(connection: Http1Connection): void;
}

/** Handlers that take header fields as the flat list of `controller.rawHeaders` alone, and want to know their connection. */
export interface LeanHandler extends Dispatcher.DispatchHandler {
  readonly rawHeadersOnly?: true;
  carriedBy?(line: Line): void;
}

const MAX_CHUNK_OVERHEAD = 16 * 1024;
const MEANS_BODY: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH']);

const head = new ResponseHead();

type Framing = 'head' | 'length' | 'chunked' | 'close';

/** One request on its connection, which is also what its handler controls it with. */
class Ongoing implements Dispatcher.DispatchController {
  readonly options: Dispatcher.DispatchOptions;
  readonly handler: LeanHandler;
  readonly connection: Http1Connection;
  rawHeaders: RawHeaders = [];
  rawTrailers: RawHeaders = [];
  aborted = false;
  paused = false;
  reason: Error | null = null;
  /** The first byte of the answer has come. */
  answered = false;
  /** The whole request has been written. */
  sent = false;
  framing: Framing = 'head';
  /** Bytes of the body still to come, with framing `length`. */
  left = 0;
  decoder: ChunkedDecoder | undefined;

  constructor(options: Dispatcher.DispatchOptions, handler: LeanHandler, connection: Http1Connection) {
    this.options = options;
    this.handler = handler;
    this.connection = connection;
  }

  deliver(data: Buffer): void {
    this.handler.onResponseData?.(this, data);
  }

  abort(reason: Error): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    this.connection.fail(reason, this);
  }

  pause(): void {
    this.paused = true;
    this.connection.pause(this);
  }

  resume(): void {
    this.paused = false;
    this.connection.resume(this);
  }
}

export class Http1Connection {
  readonly #deadline = new Deadline(NOBODY);
  readonly #line: Line = { served: 0, broken: false, strict: true, deadline: this.#deadline };
  readonly #owner: ConnectionOwner;
  readonly #options: Http1ClientOptions;
  #socket: net.Socket | undefined;
  #current: Ongoing | undefined;
  #held: Buffer | undefined;
  #reusable = false;
  #keepAliveMs = 0;
  #idleTimer: NodeJS.Timeout | undefined;
  #idleSince = 0;

  constructor(owner: ConnectionOwner, options: Http1ClientOptions) {
    this.#owner = owner;
    this.#options = options;
  }

  /** False: closed, or about to be closed by the endpoint. */
  usable(): boolean {
    const socket = this.#socket;
    if (socket === undefined || socket.destroyed || socket.readableEnded || !socket.writable) return false;
    return performance.now() - this.#idleSince < this.#keepAliveMs;
  }

  start(options: Dispatcher.DispatchOptions, handler: LeanHandler): void {
    const current = new Ongoing(options, handler, this);
    this.#current = current;
    handler.carriedBy?.(this.#line);
    if (this.#socket === undefined) this.#options.open((error, socket) => this.#opened(error, socket));
    else this.#write(current);
  }

  pause(request: Ongoing): void {
    if (request === this.#current) this.#socket?.pause();
  }

  resume(request: Ongoing): void {
    if (request === this.#current) this.#socket?.resume();
  }

  destroy(error?: Error): void {
    this.fail(error ?? new Http1ClientError('UND_ERR_DESTROYED', 'the client is destroyed'), this.#current);
    this.#gone();
  }

  /** Ends the request with an error, and the connection with it. */
  fail(error: Error, request: Ongoing | undefined): void {
    if (request === undefined || request !== this.#current) return;
    this.#current = undefined;
    stopBody(request.options);
    this.#gone();
    request.handler.onResponseError?.(request, error);
  }

  #opened(error: Error | null, socket: net.Socket | null): void {
    const current = this.#current;
    if (socket === null) {
      this.#current = undefined;
      this.#owner.forget(this);
      current?.handler.onResponseError?.(null as unknown as Dispatcher.DispatchController, error as Error);
      return;
    }
    if (current === undefined) {
      socket.destroy();
      return;
    }
    this.#socket = socket;
    readDirectly(socket, (chunk) => this.#read(chunk));
    hearOut(socket);
    socket.on('end', () => this.#ended());
    // Before `close` comes what the endpoint said before it broke off: it may be the answer.
    let broken: Error | undefined;
    socket.on('error', (cause) => {
      this.#line.broken = true;
      broken = cause;
    });
    socket.on('close', () => {
      this.fail(broken ?? new Http1ClientError('UND_ERR_SOCKET', 'other side closed'), this.#current);
      this.#gone();
    });
    this.#write(current);
  }

  /** Sends the head, and the body if it is here; a stream follows as it comes. */
  #write(current: Ongoing): void {
    const { handler, options } = current;
    const socket = this.#socket as net.Socket;
    handler.onRequestStart?.(current, null);
    if (this.#current !== current) return;
    let length: number | undefined;
    let text = `${options.method} ${options.path} HTTP/1.1\r\n`;
    const headers = options.headers as readonly string[];
    for (let i = 0; i < headers.length; i += 2) {
      const name = headers[i] as string;
      const value = headers[i + 1] as string;
      if (name.length === 14 && name.toLowerCase() === 'content-length') length = Number(value);
      text += `${name}: ${value}\r\n`;
    }
    const body = options.body as Readable | Buffer | string | null | undefined;
    if (body === null || body === undefined) {
      // RFC 9110 §8.6: where a body is the rule, its absence is said; some endpoints answer 411 else.
      if (length === undefined && MEANS_BODY.has(options.method)) text += 'content-length: 0\r\n';
      socket.write(`${text}\r\n`, 'latin1');
      this.#requestSent(current);
    } else if (body instanceof Readable) {
      if (length === undefined) text += 'transfer-encoding: chunked\r\n';
      sendBody(socket, body, length, `${text}\r\n`, {
        wanted: () => this.#current === current,
        sent: () => this.#requestSent(current),
        failed: (error) => this.fail(error, current),
      });
    } else {
      const bytes = typeof body === 'string' ? Buffer.from(body) : body;
      if (length === undefined) text += `content-length: ${bytes.length}\r\n`;
      socket.write(Buffer.concat([Buffer.from(`${text}\r\n`, 'latin1'), bytes]));
      this.#requestSent(current);
    }
  }

  #requestSent(current: Ongoing): void {
    current.sent = true;
    current.handler.onRequestSent?.();
  }

  #read(chunk: Buffer): void {
    const current = this.#current;
    if (current === undefined) {
      // Nobody asked: whatever this is, the next request must not get it as its answer.
      this.#gone();
      return;
    }
    if (!current.answered) {
      current.answered = true;
      current.handler.onResponseStarted?.();
    }
    let bytes = chunk;
    if (this.#held !== undefined) {
      bytes = Buffer.concat([this.#held, chunk]);
      this.#held = undefined;
    }
    let at = 0;
    while (current.framing === 'head') {
      at = this.#readHead(current, bytes, at);
      if (at === -1) return;
    }
    if (current.framing === 'length' && current.left === 0) this.#complete(current, at < bytes.length);
    else if (at < bytes.length) this.#readBody(current, bytes, at);
  }

  /** Returns the offset behind the head, or -1 if there is no more to do with these bytes. */
  #readHead(current: Ongoing, bytes: Buffer, at: number): number {
    const end = bytes.indexOf(HEAD_END_BYTES, at);
    const length = (end === -1 ? bytes.length : end + 4) - at;
    if (length > this.#options.maxHeadBytes) return this.#malformed(current, 'a response head that is too long');
    if (end === -1) {
      if (length > 0) this.#held = kept(at === 0 ? bytes : bytes.subarray(at));
      return mayBecomeHead(bytes, at) ? -1 : this.#malformed(current, 'bytes that are no response head');
    }
    const error = parseResponseHead(bytes.toString('latin1', at, end + 4), head, MAX_ANSWER_FIELDS);
    if (error !== undefined) return this.#malformed(current, error.text);
    const { status, headers } = head;
    if (status === 101) return this.#malformed(current, 'an upgrade that was not asked for');
    giveBackFraming(bytes, end + 4 - at);
    if (status >= 200) this.#frame(current, status);
    current.rawHeaders = headers;
    const { handler } = current;
    handler.onResponseStart?.(current, status, handler.rawHeadersOnly === true ? EMPTY_HEADERS : headersObject(headers), '');
    return this.#current === current ? end + 4 : -1;
  }

  #frame(current: Ongoing, status: number): void {
    const { method } = current.options;
    this.#reusable = !head.close && (head.minor === 1 || head.keepAlive);
    this.#keepAliveMs = keepAliveOf(head.headers, this.#options.keepAliveMs);
    if (method === 'HEAD' || status === 204 || status === 304) {
      current.framing = 'length';
      // Some endpoints send the body all the same; the next request would get it as its answer.
      if (head.chunked || head.contentLength > 0) this.#reusable = false;
    } else if (head.chunked) {
      current.framing = 'chunked';
      current.decoder = new ChunkedDecoder(MAX_CHUNK_OVERHEAD, MAX_ANSWER_FIELDS);
    } else if (head.contentLength !== -1) {
      current.framing = 'length';
      current.left = head.contentLength;
    } else {
      current.framing = 'close';
      this.#reusable = false;
    }
  }

  #readBody(current: Ongoing, bytes: Buffer, at: number): void {
    if (current.framing === 'close') {
      current.deliver(at === 0 ? bytes : bytes.subarray(at));
      return;
    }
    if (current.framing === 'length') {
      const take = Math.min(current.left, bytes.length - at);
      current.left -= take;
      current.deliver(at === 0 && take === bytes.length ? bytes : bytes.subarray(at, at + take));
      if (current.left === 0) this.#complete(current, at + take < bytes.length);
      return;
    }
    const decoder = current.decoder as ChunkedDecoder;
    let delivered = 0;
    const next = decoder.push(bytes, at, (data) => {
      delivered += data.length;
      current.deliver(data);
    });
    giveBackFraming(bytes, next - at - delivered);
    if (decoder.error !== undefined) {
      this.#malformed(current, decoder.error);
    } else if (decoder.trailers !== undefined) {
      current.rawTrailers = decoder.trailers;
      this.#complete(current, next < bytes.length);
    }
  }

  /** The answer is whole. `surplus`: more bytes came than belong to it. */
  #complete(current: Ongoing, surplus: boolean): void {
    if (this.#current !== current) return;
    this.#current = undefined;
    const socket = this.#socket as net.Socket;
    if (this.#reusable && current.sent && !surplus && !socket.destroyed && this.#keepAliveMs > 0) {
      if (current.paused) socket.resume();
      this.#idleSince = performance.now();
      this.#awaitIdle();
      this.#owner.park(this);
    } else {
      if (!current.sent) stopBody(current.options);
      this.#gone();
    }
    current.handler.onResponseEnd?.(current, EMPTY_HEADERS);
  }

  /** One timer for the idle times between all requests: it is only pushed back, and looks when it fires. */
  #awaitIdle(): void {
    if (this.#idleTimer !== undefined) return;
    this.#idleTimer = setTimeout(idleOver, this.#keepAliveMs, this).unref();
  }

  /** Called by the timer: closes the connection if it has been idle for its time, else looks again later. */
  idleOver(): void {
    this.#idleTimer = undefined;
    if (this.#current !== undefined) return;
    const left = this.#keepAliveMs - (performance.now() - this.#idleSince);
    if (left <= 0) this.#gone();
    else this.#idleTimer = setTimeout(idleOver, left, this).unref();
  }

  #ended(): void {
    const current = this.#current;
    if (current?.framing === 'close') {
      this.#complete(current, false);
      return;
    }
    this.fail(new Http1ClientError('UND_ERR_SOCKET', 'other side closed'), current);
    this.#gone();
  }

  #malformed(current: Ongoing, text: string): -1 {
    this.fail(new Http1ClientError('HPE_INVALID_RESPONSE', text), current);
    return -1;
  }

  #gone(): void {
    clearTimeout(this.#idleTimer);
    this.#idleTimer = undefined;
    this.#deadline.clear();
    this.#socket?.destroy();
    this.#owner.forget(this);
  }
}

const EMPTY_HEADERS = {};

const NOBODY = { expired: () => {} };

function idleOver(connection: Http1Connection): void {
  connection.idleOver();
}

function stopBody(options: Dispatcher.DispatchOptions | undefined): void {
  const body = options?.body;
  if (body instanceof Readable && !body.destroyed) body.destroy();
}
