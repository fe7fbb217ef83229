// Request bodies under the control of a test.
import type { BodySink, BodySource, ProxyError } from '../../proxy/http/exchange.ts';

export const CLIENT_GONE: ProxyError = { reason: 'DownstreamConnectionTermination', side: 'downstream', retry: 'no', status: 499 };

export class ManualBody implements BodySource {
  readonly length: number | undefined;
  paused = false;
  sink: BodySink | undefined;
  bytes = 0;
  awaitsContinue = false;
  readonly waiting = false;
  #onStart: (() => void) | undefined;

  /** `onStart`: called when the body is wanted. */
  constructor(length: number | undefined, onStart?: (body: ManualBody) => void) {
    this.length = length;
    this.#onStart = onStart === undefined ? undefined : () => onStart(this);
  }

  get started(): boolean {
    return this.sink !== undefined;
  }

  start(sink: BodySink): void {
    if (this.sink !== undefined) throw new Error('started twice');
    this.sink = sink;
    this.#onStart?.();
  }

  proceed(): void {
    this.awaitsContinue = false;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  push(chunk: Buffer | string): void {
    const data = Buffer.from(chunk);
    this.bytes += data.length;
    this.sink?.onData(data);
  }

  end(): void {
    this.sink?.onEnd([]);
  }

  abort(): void {
    this.sink?.onAbort(CLIENT_GONE);
  }
}

/** A body that is all there when it is asked for. */
export function readyBody(text: string, length: number | undefined = Buffer.byteLength(text)): ManualBody {
  return new ManualBody(length, (body) => {
    body.push(text);
    body.end();
  });
}

/** A body of `total` bytes in chunks of 64 KiB that honours `pause`, and counts what it was asked for. */
export class EndlessBody implements BodySource {
  readonly length: number | undefined;
  bytes = 0;
  started = false;
  readonly awaitsContinue = false;
  readonly waiting = false;
  readonly #total: number;
  #sink: BodySink | undefined;
  #paused = false;
  #running = false;

  constructor(total: number, length?: number) {
    this.#total = total;
    this.length = length;
  }

  start(sink: BodySink): void {
    this.started = true;
    this.#sink = sink;
    this.#run();
  }

  proceed(): void {
    // It does not wait.
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#run();
  }

  #run(): void {
    if (this.#running) return;
    this.#running = true;
    setImmediate(() => {
      this.#running = false;
      if (this.#paused) return;
      if (this.bytes >= this.#total) {
        this.#sink?.onEnd([]);
        return;
      }
      const chunk = Buffer.alloc(Math.min(64 * 1024, this.#total - this.bytes), 'x');
      this.bytes += chunk.length;
      this.#sink?.onData(chunk);
      this.#run();
    });
  }
}
