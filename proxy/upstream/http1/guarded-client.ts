// undici's Client with two additions. It tells each request which connection carries it (and whether that one was used
// before), and it keeps a request that undici refuses from taking a place in the Pool for good: the refusal looks like a
// client that needs to drain, and a client without requests never drains.
import { Client } from 'undici';
import type { Dispatcher } from 'undici';
import type net from 'node:net';
import type { Deadline } from '../deadline.ts';
import type { Connected } from '../connector.ts';

/** The one connection that a client has at a time. */
export interface Line {
  /** Requests that the present socket has been given. */
  served: number;
  /** The present socket failed: what ends from now on was cut. */
  broken: boolean;
  /** Answers are read by our own parser; false: by undici's, which lets more pass. */
  readonly strict: boolean;
  /** Timer of the connection, for whichever request it carries; undefined: each request has its own. */
  readonly deadline: Deadline | undefined;
}

/** A request that is dispatched to a Pool of guarded clients. */
export interface Carried extends Dispatcher.DispatchHandler {
  carriedBy(line: Line): void;
  /** True after `onResponseEnd` or `onResponseError`. */
  readonly finished: boolean;
}

export type Open = (connected: Connected) => void;

/** For `Pool.Options.factory`. `open` makes the connections. */
export function guardedClient(origin: URL, options: Client.Options, open: Open): GuardedClient {
  const line: Line = { served: 0, broken: false, strict: false, deadline: undefined };
  const connect = (_options: object, connected: (error: Error | null, socket: net.Socket | null) => void): void => {
    open((error, socket) => {
      if (socket !== null) {
        line.served = 0;
        line.broken = false;
        // Before undici's own listener: it may end the response in it.
        socket.once('error', () => (line.broken = true));
      }
      connected(error, socket);
    });
  };
  return new GuardedClient(origin, { ...options, connect: connect as Client.Options['connect'] }, line);
}

export class GuardedClient extends Client {
  readonly #line: Line;

  constructor(origin: URL, options: Client.Options, line: Line) {
    super(origin, options);
    this.#line = line;
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const carried = handler as Carried;
    carried.carriedBy(this.#line);
    const ready = super.dispatch(options, handler);
    // A request that was refused is over already and left the client as it was.
    return ready || carried.finished;
  }
}
