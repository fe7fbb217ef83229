// Which replica writes status and Events: the one that holds the Lease. Routing never asks. Whoever cannot renew for two
// thirds of the Lease's time no longer takes itself for the leader, before anybody else can.
import { errorText, isConflict, isNotFound } from './api-error.ts';
import type { KubeClient } from './client.ts';
import { sleep } from './gate.ts';
import { leaseSpec, look, mayTake, microTime, readLease } from './lease.ts';
import type { Lease, Sighting } from './lease.ts';
import type { KubeLog } from './notes.ts';
import { Seldom } from './seldom.ts';

export interface LeaderOptions {
  readonly client: KubeClient;
  readonly log: KubeLog;
  readonly namespace: string;
  /** Of the Lease. */
  readonly name: string;
  /** Who this replica is; no two are the same. */
  readonly identity: string;
  readonly ttlMs: number;
  /** Called when this replica becomes leader (true), and when it is no longer. */
  onChange(leader: boolean): void;
  /** For what is written into the Lease; nothing is decided by it. */
  readonly wallClock?: () => Date;
}

export class LeaderElection {
  readonly #options: LeaderOptions;
  readonly #abort = new AbortController();
  readonly #wallClock: () => Date;
  readonly #seldom = new Seldom();
  #running: Promise<void> = Promise.resolve();
  #sighting: Sighting | undefined;
  #acquired = '';
  /** When the last renewal that succeeded was begun; undefined: the Lease is not ours. */
  #renewedAt: number | undefined;
  #announced = false;
  #deadline: NodeJS.Timeout | undefined;

  constructor(options: LeaderOptions) {
    this.#options = options;
    this.#wallClock = options.wallClock ?? (() => new Date());
  }

  get isLeader(): boolean {
    return this.#renewedAt !== undefined && performance.now() - this.#renewedAt < this.#renewWithinMs;
  }

  start(): void {
    this.#running = this.#run().catch((error: unknown) => {
      if (!this.#abort.signal.aborted) throw error;
    });
  }

  /** Gives the Lease back if it is ours, so that another replica need not wait for it to run out. */
  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#running;
    clearTimeout(this.#deadline);
    const held = this.isLeader ? this.#sighting?.lease : undefined;
    this.#renewedAt = undefined;
    this.#announce();
    if (held !== undefined) await this.#put(held, '', AbortSignal.timeout(2000)).catch(() => undefined);
  }

  get #renewWithinMs(): number {
    return (this.#options.ttlMs * 2) / 3;
  }

  async #run(): Promise<void> {
    const { ttlMs } = this.#options;
    for (;;) {
      const done = await this.#round().then(() => true, (error: unknown) => {
        this.#abort.signal.throwIfAborted();
        this.#failed(error);
        return false;
      });
      this.#announce();
      // A leader whose connection was cut has time for more than one other try before somebody else may lead.
      const pauseMs = !this.isLeader ? ttlMs / 4 : done ? ttlMs / 3 : ttlMs / 15;
      await sleep(pauseMs * (0.9 + Math.random() / 5), this.#abort.signal);
    }
  }

  /** Somebody else was faster: that is what a conflict says, and it is no failure. */
  #failed(error: unknown): void {
    const more = isConflict(error) ? undefined : this.#seldom.pass('lease');
    if (more !== undefined) this.#options.log.warn({ reason: errorText(error), ...more }, 'leader election: the Lease cannot be read or written');
  }

  async #round(): Promise<void> {
    const startedAt = performance.now();
    const signal = AbortSignal.any([this.#abort.signal, AbortSignal.timeout(Math.ceil(this.#options.ttlMs / 3))]);
    const lease = await this.#read(signal);
    if (lease === undefined) {
      await this.#take(undefined, startedAt, signal);
      return;
    }
    this.#sighting = look(this.#sighting, lease, startedAt);
    if (lease.holder !== this.#options.identity) this.#renewedAt = undefined;
    if (mayTake(this.#sighting, this.#options.identity, startedAt)) await this.#take(lease, startedAt, signal);
  }

  async #take(before: Lease | undefined, startedAt: number, signal: AbortSignal): Promise<void> {
    const { identity } = this.#options;
    if (before?.holder !== identity || this.#acquired === '') this.#acquired = microTime(this.#wallClock());
    const lease = await this.#put(before, identity, signal);
    this.#sighting = { lease, since: startedAt };
    this.#renewedAt = startedAt;
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.#announce(), startedAt + this.#renewWithinMs - performance.now() + 1);
  }

  async #read(signal: AbortSignal): Promise<Lease | undefined> {
    try {
      return readLease(await this.#options.client.request({ path: this.#path, signal }));
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  /** Throws a conflict if it has changed since it was read. */
  async #put(before: Lease | undefined, holder: string, signal: AbortSignal): Promise<Lease> {
    const { client, namespace, name, ttlMs } = this.#options;
    const spec = leaseSpec(before, holder, ttlMs, microTime(this.#wallClock()), this.#acquired);
    const metadata = { name, namespace, ...(before === undefined ? {} : { resourceVersion: before.version }) };
    const body = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec };
    const answer = await client.request(before === undefined
      ? { method: 'POST', path: this.#path.slice(0, this.#path.lastIndexOf('/')), body, signal }
      : { method: 'PUT', path: this.#path, body, signal });
    const lease = readLease(answer);
    if (lease === undefined) throw new TypeError('the answer to a Lease is no Lease');
    return lease;
  }

  get #path(): string {
    const { namespace, name } = this.#options;
    return `/apis/coordination.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/leases/${encodeURIComponent(name)}`;
  }

  #announce(): void {
    const leader = this.isLeader;
    if (leader === this.#announced) return;
    this.#announced = leader;
    this.#options.log.info({ identity: this.#options.identity, holder: leader ? this.#options.identity : (this.#sighting?.lease.holder ?? '') }, leader ? 'leader election: this replica leads' : 'leader election: this replica no longer leads');
    this.#options.onChange(leader);
  }
}
