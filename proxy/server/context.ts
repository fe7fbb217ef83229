// What a connection's codec needs from the worker around it. Codecs (http1/, http2/) turn bytes into exchanges and
// hand them over here; they know nothing of routes, and handle.ts knows nothing of sockets.
import type { Exchange, Request } from '../http/exchange.ts';
import type { Passage } from '../observe/observer.ts';
import type { Deadlines } from '../time/deadlines.ts';
import type { Limits } from './limits.ts';
import type { Peer } from './peer.ts';

export interface ServerContext {
  readonly limits: Limits;
  readonly deadlines: Deadlines;
  /** True once the worker drains: answers close their connection. */
  readonly draining: boolean;
  /** True while nothing new is to be begun on connections that are there (overload.ts). */
  readonly overloaded: boolean;
  /** A connection that can be asked to go; removed by `closed`. */
  opened(connection: Connection): void;
  closed(connection: Connection): void;
  /** Serves one request; every outcome ends in the exchange's response. Never throws. */
  serve(exchange: Exchange, listener: string): void;
  /** A message that was refused before it became an exchange: for the access log and metrics. */
  refused(peer: Peer, refusal: Refusal): void;
  /** A connection that was passed through is over. */
  passed(passage: Passage): void;
}

export interface Connection {
  /** Finish what is under way, answer what is on its way within `idleMs`, then close. */
  drain(idleMs: number): void;
  destroy(): void;
}

/** A request that the codec answered itself because it could not be understood. */
export interface Refusal {
  readonly status: number;
  readonly reason: string;
  readonly text: string;
  readonly method: string;
  readonly target: string;
  /** Absent: HTTP/1.1. */
  readonly version?: Request['version'];
}
