// A request body as undici takes it. It ends cleanly only if the client completed the message and, where a length was
// declared, sent exactly that much; everything else destroys it with an error, because undici makes a complete message of
// any stream that has ended. Nothing is read before undici reads, and no more than undici takes.
import { Readable } from 'node:stream';
import type { BodySink, BodySource, ProxyError } from '../../http/exchange.ts';
import { Deadline } from '../deadline.ts';
import { failure } from '../errors.ts';

const BUFFER_BYTES = 64 * 1024;

export class UploadStream extends Readable implements BodySink {
  /** Why it ended early; undefined: it has not, or it is no longer wanted. */
  failure: ProxyError | undefined;
  readonly #source: BodySource;
  readonly #sendIdleMs: number;
  /** Runs while the endpoint does not take what is there. */
  readonly #sending: Deadline;
  #started = false;
  #completed = false;
  #received = 0;

  /** `sendIdleMs`: longest time in which the endpoint takes nothing; 0: no limit. */
  constructor(source: BodySource, sendIdleMs: number) {
    super({ highWaterMark: BUFFER_BYTES });
    this.#source = source;
    this.#sendIdleMs = sendIdleMs;
    this.#sending = new Deadline({ expired: () => this.#fail(failure('StreamIdleTimeout')) });
    // undici listens too, but not at all times.
    this.on('error', () => {});
  }

  override _read(): void {
    if (this.#completed || this.destroyed) return;
    if (this.#started) {
      this.#source.resume(this);
    } else {
      this.#started = true;
      this.#source.start(this);
    }
  }

  /** undici pauses exactly while the connection takes no more. */
  override pause(): this {
    this.#sending.set(this.#sendIdleMs);
    return super.pause();
  }

  override resume(): this {
    this.#sending.clear();
    return super.resume();
  }

  onData(chunk: Buffer): void {
    if (this.destroyed) return;
    this.#received += chunk.length;
    if (this.#source.length !== undefined && this.#received > this.#source.length) {
      this.#fail(failure('DownstreamProtocolError', 'the body is longer than its declared length'));
    } else if (!this.push(chunk)) {
      this.#source.pause(this);
    }
  }

  /** Trailers of requests are not sent on: undici cannot. */
  onEnd(): void {
    this.#completed = true;
    if (this.destroyed) return;
    if (this.#source.length !== undefined && this.#received !== this.#source.length) {
      this.#fail(failure('DownstreamProtocolError', 'the body is shorter than its declared length'));
    } else {
      this.push(null);
    }
  }

  onAbort(error: ProxyError): void {
    this.#completed = true;
    this.#fail(error);
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#sending.clear();
    // What is left of an upload that nobody wants any more is for the client's connection to deal with.
    if (this.#started && !this.#completed) this.#source.pause(this);
    callback(error);
  }

  #fail(error: ProxyError): void {
    if (this.destroyed) return;
    this.failure = error;
    this.destroy(new Error(error.reason));
  }
}
