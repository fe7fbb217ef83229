// A request body of unknown length under a limit: what the client sends is counted as it arrives, and with the first byte
// too many the upload ends as one that was cut off, so that no endpoint takes a part of it for the whole.
import type { BodySink, BodySource, ProxyError, RawHeaders } from '../../http/exchange.ts';
import { WrappedBody } from '../../http/wrapped-body.ts';

const TOO_LARGE: ProxyError = { reason: 'RequestBodyTooLarge', side: 'downstream', retry: 'no', status: 413 };

export class LimitedBody extends WrappedBody {
  started = false;
  readonly #maxBytes: number;
  #sink: BodySink | undefined;
  #received = 0;

  constructor(source: BodySource, maxBytes: number) {
    super(source);
    this.#maxBytes = maxBytes;
  }

  start(sink: BodySink): void {
    this.started = true;
    this.#sink = sink;
    this.source.start(this);
  }

  pause(): void {
    this.source.pause(this);
  }

  resume(): void {
    if (this.#sink !== undefined) this.source.resume(this);
  }

  onData(chunk: Buffer): void {
    const sink = this.#sink;
    if (sink === undefined) return;
    this.#received += chunk.length;
    if (this.#received <= this.#maxBytes) {
      sink.onData(chunk);
      return;
    }
    this.#sink = undefined;
    this.source.pause(this);
    sink.onAbort(TOO_LARGE);
  }

  onEnd(trailers: RawHeaders): void {
    const sink = this.#sink;
    this.#sink = undefined;
    sink?.onEnd(trailers);
  }

  onAbort(error: ProxyError): void {
    const sink = this.#sink;
    this.#sink = undefined;
    sink?.onAbort(error);
  }
}
