// The HTTP/2 connections to one endpoint, and a bounded queue before them. Connections are opened when the present ones
// have as many streams as the endpoint allows, the first ones are filled first, so that those no longer needed fall idle.
import type { ProxyError } from '../../http/exchange.ts';
import type { Cluster, Endpoint } from '../../table/cluster.ts';
import type { Connector, SessionStore } from '../connector.ts';
import { failure } from '../errors.ts';
import { Http2Line } from './line.ts';
import type { LineOwner } from './line.ts';
import type { LineOptions } from './line-options.ts';

export interface Http2Limits extends Omit<LineOptions, 'connectTimeoutMs'> {
  /** Requests under way at one endpoint. */
  readonly maxConnections: number;
  /** Requests waiting for a stream at one endpoint. */
  readonly maxWaiting: number;
  /** HTTP/2 connections to one endpoint that take new streams. */
  readonly maxLines: number;
}

/** A request that wants a stream. */
export interface LineUser {
  /** There is room on `line` for it, now. */
  carry(line: Http2Line): void;
  /** There is no connection. */
  unserved(error: ProxyError): void;
}

const NEVER_USED = failure('UpstreamConnectionFailure', 'the endpoint ended the connection before it took a request');

export class Http2Pool implements SessionStore, LineOwner {
  /** As the table last had it; the same connections serve as long as `profile` does not change. */
  cluster: Cluster;
  readonly endpoint: Endpoint;
  readonly profile: string;
  /** `performance.now()` of the end of the last request. */
  usedAt = performance.now();
  /** As in `EndpointPool`. */
  touchedAt = Number.NEGATIVE_INFINITY;
  session: Buffer | undefined;
  readonly #connector: Connector;
  readonly #limits: Http2Limits;
  readonly #lines = new Set<Http2Line>();
  /** Take no new streams, but are not closed yet. */
  readonly #left = new Set<Http2Line>();
  readonly #waiting = new Set<LineUser>();
  /** Streams that a new connection will probably allow: what the last one did. */
  #expected: number;
  #closed: PromiseWithResolvers<void> | undefined;

  constructor(cluster: Cluster, endpoint: Endpoint, profile: string, connector: Connector, limits: Http2Limits) {
    this.cluster = cluster;
    this.endpoint = endpoint;
    this.profile = profile;
    this.#connector = connector;
    this.#limits = limits;
    this.#expected = limits.maxStreams;
  }

  /** Requests that have a stream. */
  get active(): number {
    let streams = 0;
    for (const line of this.#lines) streams += line.open;
    for (const line of this.#left) streams += line.open;
    return streams;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** The endpoint is no longer meant to get requests that could go elsewhere. */
  get closing(): boolean {
    return this.#closed !== undefined;
  }

  /** `started`: it was given to a connection; `connecting`: one is being made for it; `waiting`: all are busy; `full`: not taken. */
  submit(user: LineUser): 'started' | 'connecting' | 'waiting' | 'full' {
    const line = this.#waiting.size === 0 ? this.#roomy() : undefined;
    if (line !== undefined) {
      user.carry(line);
      return 'started';
    }
    if (this.#waiting.size >= this.#limits.maxWaiting) return 'full';
    this.#waiting.add(user);
    this.#grow();
    for (const each of this.#lines) if (each.connecting) return 'connecting';
    return 'waiting';
  }

  /** True: the request was waiting, and no longer is. */
  withdraw(user: LineUser): boolean {
    const waited = this.#waiting.delete(user);
    if (waited) this.#settle();
    return waited;
  }

  /** Closes idle connections now and the others when their streams have ended; what waits is still served. */
  close(): Promise<void> {
    this.#closed ??= Promise.withResolvers();
    this.#settle();
    return this.#closed.promise;
  }

  /** Cuts everything. */
  destroy(): Promise<void> {
    const closed = this.close();
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const line of [...this.#lines, ...this.#left]) line.destroy();
    for (const user of waiting) user.unserved(failure('UpstreamConnectionTermination', 'the pool is destroyed', 'yes'));
    this.#settle();
    return closed;
  }

  lineHasRoom(line: Http2Line): void {
    if (this.#lines.has(line)) this.#expected = Math.max(1, line.limit);
    this.usedAt = performance.now();
    this.#serve();
    this.#settle();
  }

  lineLeft(line: Http2Line, error: ProxyError | undefined): void {
    this.#lines.delete(line);
    this.#left.add(line);
    // One that ended before it took anything of what waits is no better than one that never began: the next would end like that, too.
    const reason = error ?? (line.used ? undefined : NEVER_USED);
    if (reason === undefined) {
      this.#grow();
    } else if (this.#lines.size === 0) {
      // Nobody else is left who could serve them.
      const waiting = [...this.#waiting];
      this.#waiting.clear();
      for (const user of waiting) user.unserved(reason);
    }
  }

  lineClosed(line: Http2Line): void {
    this.#left.delete(line);
    this.usedAt = performance.now();
    this.#serve();
    this.#settle();
  }

  #serve(): void {
    for (const user of this.#waiting) {
      const line = this.#roomy();
      if (line === undefined) break;
      this.#waiting.delete(user);
      user.carry(line);
    }
    this.#grow();
  }

  #roomy(): Http2Line | undefined {
    if (this.active >= this.#limits.maxConnections) return undefined;
    for (const line of this.#lines) if (line.freeStreams > 0) return line;
    return undefined;
  }

  /** Opens as many connections as what waits needs. */
  #grow(): void {
    if (this.#waiting.size === 0) return;
    let coming = 0;
    for (const line of this.#lines) {
      if (line.connecting) coming += this.#expected;
      // Where one takes no streams from its beginning, another one would take none either; one that has taken some may just be done with it.
      else if (line.limit === 0 && !line.used) return;
    }
    let allowed = this.#limits.maxConnections - this.active;
    while (coming < Math.min(this.#waiting.size, allowed) && this.#lines.size < this.#limits.maxLines) {
      this.#lines.add(this.#open());
      coming += this.#expected;
      allowed = this.#limits.maxConnections - this.active;
    }
  }

  #open(): Http2Line {
    const options = { ...this.#limits, connectTimeoutMs: this.cluster.connectTimeoutMs };
    return new Http2Line(this, options, (connected) => this.#connector.connect(this.cluster, this.endpoint, connected, this));
  }

  /** A pool that is closed lets go of its connections once nobody waits for them. */
  #settle(): void {
    if (this.#closed === undefined || this.#waiting.size > 0) return;
    for (const line of this.#lines) line.leave();
    if (this.#left.size === 0) this.#closed.resolve();
  }
}
