// What an observer of the data path looks like. The life of a request ends with one call; whoever wants to know about
// requests (access log, metrics) is called then, and the server knows no more of it than this interface.
import type { Exchange } from '../http/exchange.ts';

export interface ExchangeObserver {
  /** Called once, when the exchange is over. Byte counts are of bodies; `elapsedMs` from the head's end to the last byte. Must not throw. */
  observeExchange(exchange: Exchange, bytesIn: number, bytesOut: number, elapsedMs: number): void;
}
