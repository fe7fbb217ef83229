// A lean HTTP/1.1 client for clear-text endpoints behind undici's own Dispatcher interface: connections to one origin, the
// most recently used first, one request at a time on each. Nothing that a request line or field cannot hold reaches the wire.
import { Dispatcher } from 'undici';
import { isFieldValue, isToken } from '../../http/syntax.ts';
import { Http1Connection } from './connection.ts';
import { Http1ClientError } from './error.ts';
import type { ConnectionOwner, Http1ClientOptions, LeanHandler } from './connection.ts';

export class Http1Client extends Dispatcher implements ConnectionOwner {
  readonly options: Http1ClientOptions;
  readonly #idle: Http1Connection[] = [];
  readonly #connections = new Set<Http1Connection>();
  #closing = false;
  #closed: (() => void)[] = [];

  constructor(options: Http1ClientOptions) {
    super();
    this.options = options;
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const refused = problemOf(options);
    if (refused !== undefined || this.#closing) {
      const error = this.#closing ? new Http1ClientError('UND_ERR_DESTROYED', 'the client is closed') : new Http1ClientError('UND_ERR_INVALID_ARG', refused as string);
      handler.onResponseError?.(null as unknown as Dispatcher.DispatchController, error);
      return true;
    }
    let connection = this.#idle.pop();
    while (connection !== undefined && !connection.usable()) connection = this.#idle.pop();
    if (connection === undefined) {
      connection = new Http1Connection(this, this.options);
      this.#connections.add(connection);
    }
    connection.start(options, handler as LeanHandler);
    return true;
  }

  /** A connection has finished a request and may serve another. */
  park(connection: Http1Connection): void {
    if (this.#closing) connection.destroy();
    else this.#idle.push(connection);
  }

  forget(connection: Http1Connection): void {
    this.#connections.delete(connection);
    const at = this.#idle.indexOf(connection);
    if (at !== -1) this.#idle.splice(at, 1);
    if (this.#closing && this.#connections.size === 0) for (const resolve of this.#closed.splice(0)) resolve();
  }

  /** Closes idle connections now, the others when their requests have ended. */
  override close(): Promise<void>;
  override close(callback: () => void): void;
  override close(callback?: () => void): Promise<void> | void {
    this.#closing = true;
    for (const connection of this.#idle.splice(0)) connection.destroy();
    const done = new Promise<void>((resolve) => (this.#connections.size === 0 ? resolve() : this.#closed.push(resolve)));
    return callback === undefined ? done : void done.then(callback);
  }

  /** Cuts everything. */
  override destroy(error?: Error | null | (() => void), callback?: () => void): Promise<void> {
    const done = this.close();
    const cause = error instanceof Error ? error : undefined;
    for (const connection of this.#connections) connection.destroy(cause);
    return done.then(() => (typeof error === 'function' ? error() : callback?.()));
  }
}

/** Why the options are refused; nothing that a request line or field cannot hold ever reaches the wire. */
function problemOf(options: Dispatcher.DispatchOptions): string | undefined {
  if (!isToken(options.method)) return 'the method is not a token';
  if (!/^\/[\x21-\x7e\x80-\xff]*$/.test(options.path)) return 'the path is not visible';
  const headers = options.headers;
  if (!Array.isArray(headers)) return 'header fields that are no flat list';
  let hosts = 0;
  let lengths = 0;
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    const value = headers[i + 1] as string;
    if (!isToken(name) || !isFieldValue(value)) return `a malformed field ${JSON.stringify(name.slice(0, 50))}`;
    if (name.length === 4 && name.toLowerCase() === 'host') hosts++;
    else if (name.length === 14 && name.toLowerCase() === 'content-length') lengths++;
    else if (OWN_FIELDS.has(name.length) && OWN_NAMES.has(name.toLowerCase())) return `the field ${name}, which is the client's own business`;
  }
  return hosts === 1 && lengths <= 1 ? undefined : 'not exactly one Host, or more than one Content-Length';
}

/** Framing and connection are decided here and nowhere else. */
const OWN_NAMES = new Set(['transfer-encoding', 'connection', 'keep-alive', 'upgrade']);
const OWN_FIELDS = new Set([...OWN_NAMES].map((name) => name.length));
