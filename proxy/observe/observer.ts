// What an observer of the data path looks like. The life of a request ends with one call; whoever wants to know about
// requests (access log, metrics) is called then, and the server knows no more of it than this interface.
import type { Exchange } from '../http/exchange.ts';
import type { Endpoint } from '../table/cluster.ts';
import type { Origin } from '../table/origin.ts';

export interface ExchangeObserver {
  /** Called once, when the exchange is over. Byte counts are of bodies; `elapsedMs` from the head's end to the last byte. Must not throw. */
  observeExchange(exchange: Exchange, bytesIn: number, bytesOut: number, elapsedMs: number): void;
  /** Called once, when the connection is over. Must not throw. */
  observePassage?(passage: Passage): void;
}

/** A TLS connection that was passed through unread. */
export interface Passage {
  /** Address. */
  readonly client: string;
  readonly serverName: string;
  /** Who wanted it so. */
  readonly origin: Origin;
  readonly cluster: string;
  /** The one that was tried last; undefined: none was. */
  readonly endpoint: Endpoint | undefined;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly elapsedMs: number;
  readonly endedBy: 'client' | 'endpoint' | 'proxy';
  /** Why the proxy ended it; empty: it did not. */
  readonly reason: string;
}
