// Signs of life under a burst: the event loop takes thousands of requests that come at once in one turn, and a ping of the
// primary waits behind them. As long as requests are being finished the worker is busy, and not stuck.
import type { Exchange } from '../http/exchange.ts';
import type { ExchangeObserver } from './observer.ts';

const EVERY_MS = 500;

/** An observer that calls `sign` at the end of a request, twice a second at most. */
export class Pulse implements ExchangeObserver {
  readonly #sign: () => void;
  #signedAt = 0;

  constructor(sign: () => void) {
    this.#sign = sign;
  }

  observeExchange({ startedAt }: Pick<Exchange, 'startedAt'>, _bytesIn: number, _bytesOut: number, elapsedMs: number): void {
    const now = startedAt + elapsedMs;
    if (now - this.#signedAt < EVERY_MS) return;
    this.#signedAt = now;
    this.#sign();
  }
}
