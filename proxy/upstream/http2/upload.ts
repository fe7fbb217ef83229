// A request body on its way into a stream, with backpressure, and its trailers. The stream is ended only when the client
// completed the message and, where a length was declared, sent exactly that much.
import type { BodySink, BodySource, ProxyError, RawHeaders } from '../../http/exchange.ts';
import { trailerFields } from '../../http/fields.ts';
import { Deadline } from '../deadline.ts';
import type { Expirable } from '../deadline.ts';
import { failure } from '../errors.ts';
import type { Http2Stream } from './stream.ts';

export class Http2Upload implements BodySink, Expirable {
  readonly #stream: Http2Stream;
  readonly #source: BodySource;
  readonly #sendIdleMs: number;
  readonly #failed: (error: ProxyError) => void;
  /** Runs while the endpoint does not take what is there. */
  readonly #sending = new Deadline(this);
  #received = 0;
  /** The client has completed or cut its message. */
  #sourceOver = false;
  #over = false;

  /** `sendIdleMs`: longest time in which the endpoint takes nothing; 0: no limit. `failed`: the message can never be complete. */
  constructor(stream: Http2Stream, source: BodySource, sendIdleMs: number, failed: (error: ProxyError) => void) {
    this.#stream = stream;
    this.#source = source;
    this.#sendIdleMs = sendIdleMs;
    this.#failed = failed;
  }

  start(): void {
    this.#source.start(this);
  }

  /** No more of it is wanted. What is left is for the client's connection to deal with. */
  stop(): void {
    if (this.#over) return;
    this.#over = true;
    this.#sending.clear();
    if (!this.#sourceOver) this.#source.pause(this);
  }

  /** The stream takes more. */
  drained(): void {
    if (this.#over || this.#sourceOver) return;
    this.#sending.clear();
    this.#source.resume(this);
  }

  onData(chunk: Buffer): void {
    if (this.#over) return;
    this.#received += chunk.length;
    if (this.#source.length !== undefined && this.#received > this.#source.length) {
      this.#fail(failure('DownstreamProtocolError', 'the body is longer than its declared length'));
    } else if (!this.#stream.write(chunk)) {
      this.#source.pause(this);
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
    this.#sending.set(this.#sendIdleMs);
    this.#stream.end(trailerFields(trailers));
  }

  onAbort(error: ProxyError): void {
    this.#sourceOver = true;
    this.#fail(error);
  }

  expired(): void {
    this.#fail(failure('StreamIdleTimeout', 'the endpoint does not take the request body'));
  }

  #fail(error: ProxyError): void {
    if (this.#over) return;
    this.stop();
    this.#failed(error);
  }
}
