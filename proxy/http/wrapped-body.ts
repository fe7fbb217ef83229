// A request body that another body comes through: what is asked of it about the client it asks the body that it wraps. What
// extends it decides when and how the bytes go on.
import type { BodySink, BodySource, ProxyError, RawHeaders } from './exchange.ts';

export abstract class WrappedBody implements BodySource, BodySink {
  protected readonly source: BodySource;

  constructor(source: BodySource) {
    this.source = source;
  }

  get length(): number | undefined {
    return this.source.length;
  }

  get bytes(): number {
    return this.source.bytes;
  }

  get awaitsContinue(): boolean {
    return this.source.awaitsContinue;
  }

  proceed(): void {
    this.source.proceed();
  }

  get waiting(): boolean {
    return this.source.waiting;
  }

  abstract get started(): boolean;
  abstract start(sink: BodySink): void;
  abstract pause(sink: BodySink): void;
  abstract resume(sink: BodySink): void;
  abstract onData(chunk: Buffer): void;
  abstract onEnd(trailers: RawHeaders): void;
  abstract onAbort(error: ProxyError): void;
}
