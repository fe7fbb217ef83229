// A worker's data plane as one value: table in, traffic served. It owns the listeners, the connections and what they share;
// serve.ts only carries messages to it, and tests use it in their own process.
import { randomBytes } from 'node:crypto';
import type { Exchange, Reply } from '../http/exchange.ts';
import { compileTable } from '../match/compile.ts';
import type { Compiled, RoutingTable } from '../match/compile.ts';
import type { ExchangeObserver, Passage } from '../observe/observer.ts';
import { applyInPlace, ownSnapshot } from '../table/own-snapshot.ts';
import type { OwnSnapshot } from '../table/own-snapshot.ts';
import type { WorkerOptions } from '../table/messages.ts';
import type { Delta, Snapshot } from '../table/snapshot.ts';
import { Dispatchers, behindBalancers } from '../upstream/dispatchers.ts';
import { selectUpstream } from '../upstream/select.ts';
import { tunneller } from '../upstream/upgrade.ts';
import { Clusters } from './forward/clusters.ts';
import type { Connection, Refusal, ServerContext } from './context.ts';
import { Deadlines } from '../time/deadlines.ts';
import { ForwardPlans } from './forward/plan.ts';
import { serve } from './handle.ts';
import type { Service } from './handle.ts';
import { completeLimits } from './limits.ts';
import type { Limits } from './limits.ts';
import { Listeners } from './listeners.ts';
import type { ConnectionObserver } from './listeners.ts';
import { collectGarbage, systemLoad } from './load-probe.ts';
import { misdirected } from './misdirected.ts';
import { Overload } from './overload.ts';
import type { LoadProbe } from './overload.ts';
import { DRAIN_TIMEOUT } from './passthrough.ts';
import type { Peer } from './peer.ts';
import { refusedExchange } from './refused.ts';
import { plainReply, sendReply } from './reply.ts';
import { SpecialHosts } from './special-hosts.ts';
import { SecureContexts } from './tls.ts';
import type { TlsState } from './tls.ts';
import { Staples } from './tls-staples.ts';
import { Tunnels } from './forward/tunnel.ts';

const OVERLOAD: Reply = { ...plainReply(503, 'Overload', 'this proxy has more to do than it can'), headers: ['content-type', 'text/plain; charset=utf-8', 'retry-after', '1'] };
/** How long an idle connection waits for one last request when the worker drains. */
const DRAIN_IDLE_MS = 4_000;
const CLOSING_TURNS = 10;

export class Server implements ServerContext {
  readonly limits: Limits;
  readonly deadlines = new Deadlines();
  draining = false;
  /** Of a monotonic clock: until then a drain waits for who has nothing under way. */
  #idleUntil = 0;
  readonly #connections = new Set<Connection>();
  readonly #listeners: Listeners;
  readonly #service: Service;
  readonly #dispatchers: Dispatchers;
  readonly #contexts = new SecureContexts();
  readonly #staples = new Staples();
  readonly #specialHosts = new SpecialHosts();
  #ticketSecret: Buffer = randomBytes(32);
  readonly #overload: Overload;
  #snapshot: OwnSnapshot;
  /** Every listener of the table accepts. */
  #listens = true;

  constructor(
    options: Omit<WorkerOptions, 'index' | 'accessLog'>,
    empty: Snapshot,
    observers: readonly ExchangeObserver[],
    connections: ConnectionObserver,
    probe: LoadProbe = systemLoad(options.memory),
  ) {
    this.limits = completeLimits(options.limits);
    this.#snapshot = ownSnapshot(empty);
    const { timeouts, forwarding } = options;
    this.#dispatchers = new Dispatchers(behindBalancers(forwarding.endpointRequests));
    this.#service = {
      table: compileTable(empty).table,
      clusters: new Clusters(this.#snapshot, forwarding),
      upstream: selectUpstream(this.#dispatchers),
      tunnels: new Tunnels(tunneller(this.#dispatchers.connector, this.limits.writeStallMs)),
      plans: new ForwardPlans({ timeouts, maxBodyBytes: options.limits.bodyBytes, forwarding }),
      observers,
      cuts: { begun: false, count: 0 },
    };
    const host = { specialHosts: this.#specialHosts, clusters: this.#service.clusters, connector: this.#dispatchers.connector, tlsState: () => this.#tlsState() };
    this.#listeners = new Listeners(this, host, connections);
    this.deadlines.start();
    this.#overload = new Overload(probe, collectGarbage);
    this.#overload.start();
  }

  /** 0: none; 1: nothing new on connections that are there; 2: new requests are refused, all or some of them. */
  get overload(): 0 | 1 | 2 {
    return this.#overload.critical || this.#overload.share > 0 ? 2 : this.#overload.high ? 1 : 0;
  }

  get overloaded(): boolean {
    return this.#overload.high;
  }

  get version(): number {
    return this.#snapshot.version;
  }

  get snapshot(): Snapshot {
    return this.#snapshot;
  }

  /** Connections that were upgraded and are open. */
  get upgraded(): number {
    return this.#service.tunnels.size;
  }

  /** What the keys of session tickets are made from: shared by all workers, so that each resumes the sessions of the others. */
  setTicketSecret(secret: Buffer): void {
    this.#ticketSecret = secret;
  }

  #tlsState(): TlsState {
    return {
      table: this.#service.table,
      certificates: this.#snapshot.certificates,
      contexts: this.#contexts,
      staples: this.#staples,
      ticketSecret: this.#ticketSecret,
    };
  }

  /** Puts a whole table in force. Resolves to the ports once every listener accepts; rejects if one cannot, or a route does not compile. */
  async apply(snapshot: Snapshot): Promise<Record<string, number>> {
    const service = this.#service;
    service.table = compiled(compileTable(snapshot, service.table));
    const own = ownSnapshot(snapshot);
    this.#snapshot = own;
    service.clusters.swap(own);
    this.#dispatchers.retain(own);
    this.#specialHosts.replace(own.virtualHosts);
    this.#staples.replace(own.certificates);
    return this.#listen();
  }

  /** Puts a change in force, at a cost that follows the change; its base must be the present version. Rejects as `apply` does. */
  async applyDelta(delta: Delta): Promise<Record<string, number>> {
    const service = this.#service;
    const { set, remove } = delta;
    const listenersChange = set.listeners !== undefined || remove.listeners !== undefined;
    if (set.virtualHosts !== undefined || remove.virtualHosts !== undefined) {
      service.table = compiled(service.table.with({ set: set.virtualHosts, remove: remove.virtualHosts }));
    }
    applyInPlace(this.#snapshot, delta);
    this.#specialHosts.update(set.virtualHosts ?? {}, remove.virtualHosts ?? []);
    this.#staples.update(set.certificates ?? {}, remove.certificates ?? []);
    const touched = [...Object.keys(set.clusters ?? {}), ...Object.keys(set.endpoints ?? {}), ...(remove.clusters ?? []), ...(remove.endpoints ?? [])];
    service.clusters.changed(touched);
    if (touched.length > 0) this.#dispatchers.retain(this.#snapshot, touched);
    if (listenersChange) service.table = compiled(compileTable(this.#snapshot, service.table));
    // A listener that could not be opened before is tried again with whatever comes: a table is not in force without it.
    else if (this.#listens) return this.#listeners.ports();
    return this.#listen();
  }

  async #listen(): Promise<Record<string, number>> {
    if (!this.draining) {
      this.#listens = false;
      await this.#listeners.apply(Object.values(this.#snapshot.listeners));
      this.#listens = true;
    }
    return this.#listeners.ports();
  }

  serve(exchange: Exchange, listener: string): void {
    if (this.#overload.refuses()) return this.#refuse(exchange, OVERLOAD);
    const reply = this.#specialHosts.unshared ? misdirected(exchange, listener, this.#service.table) : undefined;
    if (reply === undefined) serve(exchange, listener, this.#service);
    else this.#refuse(exchange, reply);
  }

  #refuse(exchange: Exchange, reply: Reply): void {
    sendReply(exchange, reply);
    for (const observer of this.#service.observers) observer.observeExchange(exchange, 0, exchange.response.bytes, performance.now() - exchange.startedAt);
  }

  refused(peer: Peer, refusal: Refusal): void {
    const exchange = refusedExchange(peer, refusal);
    for (const observer of this.#service.observers) observer.observeExchange(exchange, 0, 0, 0);
  }

  passed(passage: Passage): void {
    if (passage.reason === DRAIN_TIMEOUT) this.#service.cuts.count++;
    for (const observer of this.#service.observers) observer.observePassage?.(passage);
  }

  opened(connection: Connection): void {
    this.#connections.add(connection);
    // It hears what the others have heard, as soon as it is made.
    if (this.draining) setImmediate(() => this.#connections.has(connection) && connection.drain(Math.max(0, this.#idleUntil - performance.now())));
  }

  closed(connection: Connection): void {
    this.#connections.delete(connection);
  }

  /** Stops accepting, lets what is open finish, cuts what is left after `graceMs`. Resolves to the number of requests and upgraded connections that were cut. */
  async drain(graceMs: number): Promise<number> {
    this.draining = true;
    this.#listeners.close();
    const idleMs = Math.min(DRAIN_IDLE_MS, graceMs / 2);
    this.#idleUntil = performance.now() + idleMs;
    for (const connection of this.#connections) connection.drain(idleMs);
    this.#service.tunnels.drain(graceMs);
    const deadline = performance.now() + graceMs;
    while (this.#awaited(performance.now()) && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await this.close();
    // A socket tells of its end a turn or two later.
    for (let turn = 0; turn < CLOSING_TURNS && this.#connections.size + this.#service.tunnels.size > 0; turn++) await new Promise(setImmediate);
    return this.#service.cuts.count;
  }

  /** Something is open that a drain waits for. Whoever is still in its handshake may have a request, as an idle connection may. */
  #awaited(now: number): boolean {
    return this.#connections.size + this.#service.tunnels.size > 0 || (this.#listeners.pending > 0 && now < this.#idleUntil);
  }

  /** Cuts everything. */
  async close(): Promise<void> {
    this.draining = true;
    this.#service.cuts.begun = true;
    this.#listeners.close();
    this.#listeners.destroyPending();
    for (const connection of this.#connections) connection.destroy();
    this.#service.tunnels.destroy();
    this.deadlines.stop();
    this.#overload.stop();
    await this.#dispatchers.close();
  }
}

/** A table with an error is not put in force: the controller compiles what it publishes, so this is a bug on one side. */
function compiled({ table, errors }: Compiled): RoutingTable {
  const first = errors[0];
  if (first !== undefined) throw new Error(`route ${first.route} of ${first.virtualHost}: ${first.message}`);
  return table;
}
