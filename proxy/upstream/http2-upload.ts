// A request body on its way into a stream, with backpressure, and its trailers. END_STREAM is sent only when the client
// completed the message and, where a length was declared, sent exactly that much.
import type { ClientHttp2Stream } from 'node:http2';
import type { BodySink, BodySource, ProxyError, RawHeaders } from '../http/exchange.ts';
import { trailerFields } from '../http/fields.ts';
import { Deadline } from './deadline.ts';
import type { Expirable } from './deadline.ts';
import { failure } from './errors.ts';

export interface UploadOwner {
  /** All of it was given to the connection. */
  uploadSent(): void;
  /** The message can never be complete. */
  uploadFailed(error: ProxyError): void;
}

export class Http2Upload implements BodySink, Expirable {
  readonly #stream: ClientHttp2Stream;
  readonly #source: BodySource;
  readonly #sendIdleMs: number;
  readonly #owner: UploadOwner;
  /** Runs while the endpoint does not take what is there. */
  readonly #sending = new Deadline(this);
  #received = 0;
  #trailers: RawHeaders = [];
  /** The client has completed or cut its message. */
  #sourceOver = false;
  #over = false;

  /** `sendIdleMs`: longest time in which the endpoint takes nothing; 0: no limit. */
  constructor(stream: ClientHttp2Stream, source: BodySource, sendIdleMs: number, owner: UploadOwner) {
    this.#stream = stream;
    this.#source = source;
    this.#sendIdleMs = sendIdleMs;
    this.#owner = owner;
  }

  start(): void {
    this.#stream.on('drain', () => this.#drained());
    this.#stream.once('wantTrailers', () => this.#finish());
    this.#source.start(this);
  }

  /** No more of it is wanted. What is left is for the client's connection to deal with. */
  stop(): void {
    if (this.#over) return;
    this.#over = true;
    this.#sending.clear();
    if (!this.#sourceOver) this.#source.pause();
  }

  onData(chunk: Buffer): void {
    if (this.#over) return;
    this.#received += chunk.length;
    if (this.#source.length !== undefined && this.#received > this.#source.length) {
      this.#fail(failure('DownstreamProtocolError', 'the body is longer than its declared length'));
    } else if (!this.#stream.write(chunk)) {
      this.#source.pause();
      this.#sending.set(this.#sendIdleMs);
    }
  }

  onEnd(trailers: RawHeaders): void {
    this.#sourceOver = true;
    if (this.#over) return;
    if (this.#source.length !== undefined && this.#received !== this.#source.length) {
      this.#fail(failure('DownstreamProtocolError', 'the body is shorter than its declared length'));
      return;
    }
    this.#trailers = trailers;
    this.#sending.set(this.#sendIdleMs);
    this.#stream.end();
  }

  onAbort(error: ProxyError): void {
    this.#sourceOver = true;
    this.#fail(error);
  }

  expired(): void {
    this.#fail(failure('StreamIdleTimeout', 'the endpoint does not take the request body'));
  }

  #drained(): void {
    if (this.#over) return;
    if (this.#sourceOver) {
      this.#sending.extend();
      return;
    }
    this.#sending.clear();
    this.#source.resume();
  }

  /** All data is sent: END_STREAM follows, on the trailers or on an empty frame. */
  #finish(): void {
    if (this.#over) return;
    try {
      this.#stream.sendTrailers(fieldsObject(trailerFields(this.#trailers)));
    } catch (error) {
      this.#fail(failure('InvalidUpstreamRequest', error));
      return;
    }
    this.#over = true;
    this.#sending.clear();
    this.#owner.uploadSent();
  }

  #fail(error: ProxyError): void {
    if (this.#over) return;
    this.stop();
    this.#owner.uploadFailed(error);
  }
}

/** As node:http2 takes trailers: repeated fields are lists. */
function fieldsObject(list: RawHeaders): Record<string, string[]> {
  const fields: Record<string, string[]> = Object.create(null) as Record<string, string[]>;
  for (let i = 0; i < list.length; i += 2) (fields[(list[i] as string).toLowerCase()] ??= []).push(list[i + 1] as string);
  return fields;
}
