// How an HTTP/2 connection to an endpoint is kept.
import type { KeepaliveOptions } from './keepalive.ts';

export interface LineOptions extends KeepaliveOptions {
  /** Streams on one connection at a time, where the endpoint does not allow fewer. */
  readonly maxStreams: number;
  /** A connection without streams for this long is closed. */
  readonly lineIdleMs: number;
  /** Largest response head in bytes. */
  readonly maxHeadBytes: number;
  readonly connectTimeoutMs: number;
}
