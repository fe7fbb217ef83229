// The response on one HTTP/2 stream: head, body with backpressure, trailers. What was cut never looks complete to the client.
import { constants } from 'node:http2';
import type { ServerHttp2Stream } from 'node:http2';
import type { RawHeaders, ResponseWriter } from '../http/exchange.ts';
import { getField, trailerFields } from '../http/fields.ts';
import type { Expiring } from '../time/deadlines.ts';
import type { ServerContext } from './context.ts';

/** Bytes of an answer that wait for the client, until the endpoint is stopped. Node's own measure lets a second piece of 64 KiB in. */
const WAITING_BYTES = 32 * 1024;

/** `reset`: called if the stream ended before the response did. */
export class Http2Response implements ResponseWriter, Expiring {
  onDrain: (() => void) | undefined;
  onClose: (() => void) | undefined;
  started = false;
  bytes = 0;
  deadlineAt = 0;
  wheelTurn = 0;
  wheelPlace = 0;
  readonly #stream: ServerHttp2Stream;
  readonly #context: ServerContext;
  readonly #isHead: boolean;
  readonly #hasBody: boolean;
  readonly #reset: () => void;
  #ended = false;
  #bodiless = false;
  #left: number | undefined;
  #trailers: RawHeaders | undefined;
  /** Not sent yet. */
  #head: (string | number)[] | undefined;
  #mayTrail = false;
  /** The endpoint was stopped. */
  #stalled = false;
  readonly #written = (): void => {
    if (!this.#stalled || this.#stream.writableLength >= WAITING_BYTES) return;
    this.#stalled = false;
    this.#context.deadlines.clear(this);
    if (!this.#ended) this.onDrain?.();
  };

  constructor(stream: ServerHttp2Stream, method: string, hasBody: boolean, reset: () => void, context: ServerContext) {
    this.#stream = stream;
    this.#context = context;
    this.#hasBody = hasBody;
    this.#isHead = method === 'HEAD';
    this.#reset = reset;
    stream.on('close', () => {
      context.deadlines.clear(this);
      if (this.#ended) return;
      this.#ended = true;
      reset();
      this.onClose?.();
    });
  }

  inform(status: number, headers: RawHeaders): void {
    const stream = this.#stream;
    if (this.started || this.#ended || stream.destroyed || stream.closed) return;
    const interim = Object.create(null) as Record<string, string | number | string[]>;
    interim[':status'] = status;
    for (let i = 0; i < headers.length; i += 2) {
      const name = (headers[i] as string).toLowerCase();
      const before = interim[name];
      const value = headers[i + 1] as string;
      if (before === undefined) interim[name] = value;
      else interim[name] = Array.isArray(before) ? [...before, value] : [String(before), value];
    }
    stream.additionalHeaders(interim);
  }

  head(status: number, headers: RawHeaders, length: number | undefined): void {
    const stream = this.#stream;
    if (this.started || this.#ended || stream.destroyed || stream.closed) return;
    this.started = true;
    // 205 has no content (RFC 9110 §15.3.6), whatever an endpoint says; Node would announce it and send none.
    const empty = status === 204 || status === 205;
    this.#bodiless = this.#isHead || empty || status === 304;
    const out: (string | number)[] = [':status', status];
    for (let i = 0; i < headers.length; i += 2) out.push((headers[i] as string).toLowerCase(), headers[i + 1] as string);
    if (length !== undefined && !empty) out.push('content-length', String(length));
    this.#left = this.#bodiless ? 0 : length;
    this.#head = out;
    // Trailers of gRPC are announced by its content type alone, also behind a body of known length.
    this.#mayTrail = this.#left === undefined || getField(headers, 'trailer') !== undefined || getField(headers, 'content-type')?.startsWith('application/grpc') === true;
    // A response that ends at once is its head alone: gRPC takes what is said there for trailers only then.
    if (this.#left === undefined) queueMicrotask(() => this.#sendHead(false));
    else this.#sendHead(this.#left === 0);
  }

  /** Sends the head that waits. A body that may follow keeps the stream open for trailers too. */
  #sendHead(endStream: boolean): void {
    const head = this.#head;
    const stream = this.#stream;
    this.#head = undefined;
    if (head === undefined || stream.destroyed || stream.closed) return;
    const waitForTrailers = !endStream && this.#mayTrail;
    if (waitForTrailers) stream.on('wantTrailers', () => this.#sendTrailers());
    stream.respond(head as unknown as Record<string, string>, { endStream, waitForTrailers });
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
    this.#sendHead(false);
    // The stream may be closed already, and its 'close' still to come: then there is no head, and Node throws if a body is written.
    if (!this.#stream.headersSent) return true;
    this.bytes += chunk.length;
    this.#stream.write(chunk, this.#written);
    if (this.#stream.writableLength < WAITING_BYTES) return true;
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
    this.#trailers = trailers;
    this.#sendHead(trailers === undefined || trailers.length === 0);
    const stream = this.#stream;
    if (!stream.headersSent) return;
    stream.end();
    if (stream.writableLength > 0) this.#awaitClient();
    if (!stream.readableFlowing) stream.resume();
    // What the client still sends is not wanted by anybody: the stream is told so (RFC 9113 §8.1).
    if (this.#hasBody && !stream.readableEnded) stream.once('finish', () => setTimeout(() => stream.close(constants.NGHTTP2_NO_ERROR), 100).unref());
  }

  abort(): void {
    if (this.#ended) return;
    this.#ended = true;
    // Whoever reads the body hears of a reset before we do, and gives up the response.
    if (this.#stream.closed) this.#reset();
    // Not close(code): that can end the stream as if it were complete.
    this.#stream.destroy(new Error('response cut'));
  }

  /** The client has taken no byte for too long. */
  onDeadline(): void {
    this.#stream.destroy(new Error('client stalled'));
  }

  #awaitClient(): void {
    this.#context.deadlines.set(this, this.#context.limits.writeStallMs);
  }

  #sendTrailers(): void {
    const stream = this.#stream;
    const trailers = Object.create(null) as Record<string, string[]>;
    const list = trailerFields(this.#trailers ?? [], true);
    for (let i = 0; i < list.length; i += 2) (trailers[(list[i] as string).toLowerCase()] ??= []).push(list[i + 1] as string);
    if (!stream.destroyed && !stream.closed) stream.sendTrailers(trailers);
  }
}
