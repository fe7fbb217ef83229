// Brings tables to the workers: keeps the published version, sends each worker a snapshot when it starts and deltas from
// then on, and knows from the acknowledgements which version serves where. It never sends what is equal.
import { liveSeries } from '../../proxy/table/live-series.ts';
import type { Delta, Sections, Snapshot } from '../../proxy/table/snapshot.ts';
import type { FromWorker, WorkerOptions, WorkerStats } from '../../proxy/table/messages.ts';
import { randomBytes } from 'node:crypto';
import { PortBook } from './ports.ts';
import { StatsCollector } from './stats.ts';
import { Versions } from './versions.ts';
import type { Edit, Touched } from './versions.ts';
import { WorkerPool } from './worker-pool.ts';

/** What its owner hears. */
export interface PublisherEvents {
  /** Every worker has applied a table for the first time. `ports`: where the listeners really listen, by name. */
  onReady(ports: Readonly<Record<string, number>>): void;
  /** Every running worker serves at least `version`, `liveMs` after the change that it came from was seen. */
  onLive(version: number, liveMs: number): void;
  /** A worker could not put `version` in force; what it had before still serves. */
  onRefused(index: number, version: number, error: string): void;
  onWorkerExit(index: number, reason: string, expected: boolean): void;
  /** A worker could not open the access log anew, and goes on with what was open. */
  onLogNotReopened(index: number, error: string): void;
}

export interface WorkerState {
  readonly index: number;
  /** Undefined: it is being replaced. */
  readonly pid: number | undefined;
  /** Version that it serves; 0: none yet. */
  readonly version: number;
  /** Processes that came after the first. */
  readonly restarts: number;
  /** Why it last refused a version; empty: the last one was applied. */
  readonly refused: string;
}

interface Acknowledged {
  version: number;
  /** A snapshot is on its way: deltas go out as well, requests for another one are not answered. */
  awaitsSnapshot: boolean;
  greeted: boolean;
  starts: number;
  refused: string;
  retry: NodeJS.Timeout | undefined;
}

/** After a table was refused, the whole of it is sent once more. */
const RETRY_MS = 5000;
/** Session tickets are encrypted under a new secret this often: whoever gets hold of one can read what was sent in that time. */
const TICKET_SECRET_MS = 4 * 3_600_000;
const TICKET_SECRET_BYTES = 32;

export class Publisher {
  readonly #versions = new Versions();
  readonly #ports = new PortBook();
  readonly #pool: WorkerPool;
  readonly #stats: StatsCollector;
  readonly #events: PublisherEvents;
  readonly #workers: Acknowledged[];
  /** When the change behind a version was seen, until it is live everywhere. */
  readonly #seenAt = new Map<number, number>();
  #ready = false;
  /** What drained workers said that they cut. */
  #cut = 0;
  /** The same for all workers, so that each resumes the sessions of the others. It is written down nowhere. */
  #ticketSecret = randomBytes(TICKET_SECRET_BYTES);
  readonly #ticketTimer = setInterval(() => this.rotateTicketSecret(), TICKET_SECRET_MS).unref();

  constructor(workers: number, options: (index: number) => WorkerOptions, events: PublisherEvents, workerFile?: string) {
    this.#events = events;
    this.#workers = Array.from({ length: workers }, () => ({ version: 0, awaitsSnapshot: false, greeted: false, starts: 0, refused: '', retry: undefined }));
    this.#pool = new WorkerPool(workers, options, {
      onMessage: (index, message) => this.#receive(index, message),
      onExit: (index, reason, expected) => this.#exited(index, reason, expected),
    }, workerFile);
    this.#stats = new StatsCollector(workers, (index, message) => this.#pool.send(index, message), () => liveSeries(this.#versions.snapshot()));
  }

  /** Of the last published table; 0: none yet. */
  get version(): number {
    return this.#versions.version;
  }

  /** True from the moment when every worker has applied a table, for as long as at least one serves. */
  get ready(): boolean {
    return this.#ready && this.#workers.some((worker) => worker.version > 0);
  }

  /**
   * Publishes the next table and returns what changed; undefined: it is equal to the one before. `touched`: see Versions.
   * `seenAt`: `performance.now()` when the change was seen. The first call starts the workers.
   */
  publish(sections: Sections, touched: Touched | undefined, seenAt: number): { readonly version: number; readonly edits: readonly Edit[] } | undefined {
    const first = this.#versions.version === 0;
    const next = this.#versions.advance(sections, touched);
    if (next === undefined) return undefined;
    this.#seenAt.set(next.delta.version, seenAt);
    if (first) this.#begin(sections);
    else this.#broadcast(next.delta);
    return { version: next.delta.version, edits: next.edits };
  }

  /** Starts the workers' processes, so that they are there when the first table is, which will have these listeners. */
  prepare(listeners: Sections['listeners']): void {
    this.#startWorkers(listeners);
  }

  /** The published table, with the ports where its listeners really are. */
  snapshot(): Snapshot {
    const snapshot = this.#versions.snapshot();
    return { ...snapshot, listeners: this.#ports.fix(snapshot.listeners) };
  }

  /** Counters of all workers added up, those of workers that are gone included. */
  collect(): Promise<WorkerStats> {
    return this.#stats.collect();
  }

  workers(): readonly WorkerState[] {
    return this.#workers.map(({ version, starts, refused }, index) => ({ index, pid: this.#pool.pid(index), version, restarts: Math.max(0, starts - 1), refused }));
  }

  /** To workers that are just starting, too: they may have opened the file before it was moved away. */
  reopenLogs(): void {
    for (const index of this.#workers.keys()) this.#pool.send(index, { type: 'reopenLog' });
  }

  /** From here on every session begins anew. */
  rotateTicketSecret(): void {
    this.#ticketSecret = randomBytes(TICKET_SECRET_BYTES);
    for (const [index, worker] of this.#workers.entries()) if (worker.greeted) this.#sendTicketSecret(index);
  }

  #sendTicketSecret(index: number): void {
    this.#pool.send(index, { type: 'ticketSecret', secret: this.#ticketSecret.toString('base64') });
  }

  /** Resolves when all workers have finished what was open, or `graceMs` is over: to the number of requests and upgraded connections that they cut. */
  async drain(graceMs: number): Promise<number> {
    clearInterval(this.#ticketTimer);
    await this.#pool.drain(graceMs);
    return this.#cut;
  }

  killAll(): void {
    clearInterval(this.#ticketTimer);
    this.#pool.killAll('told to stop at once');
  }

  /** With a port that the system chooses, one worker must have chosen before the others can share it. */
  #startWorkers(listeners: Sections['listeners']): void {
    if (this.#ports.covers(listeners)) this.#pool.startAll();
    else this.#pool.start(0);
  }

  /** The first table is there: for workers that wait for it, and for those that are still to start. */
  #begin({ listeners }: Sections): void {
    this.#startWorkers(listeners);
    for (const [index, worker] of this.#workers.entries()) if (worker.greeted) this.#sendSnapshot(index, worker);
  }

  #broadcast(next: Delta): void {
    const listeners = next.set.listeners;
    const delta = listeners === undefined ? next : { ...next, set: { ...next.set, listeners: this.#ports.fix(listeners) } };
    for (const [index, worker] of this.#workers.entries()) {
      if (worker.greeted) this.#pool.send(index, { type: 'delta', delta });
    }
  }

  #receive(index: number, message: FromWorker): void {
    const worker = this.#workers[index];
    if (worker === undefined) return;
    switch (message.type) {
      case 'hello':
        worker.greeted = true;
        worker.starts++;
        this.#sendTicketSecret(index);
        if (this.version > 0) this.#sendSnapshot(index, worker);
        return;
      case 'resync':
        if (!worker.awaitsSnapshot) this.#sendSnapshot(index, worker);
        return;
      case 'applied':
        this.#applied(worker, message.version, message.ports);
        return;
      case 'refused':
        worker.awaitsSnapshot = false;
        worker.refused = message.error;
        this.#retry(index, worker);
        this.#events.onRefused(index, message.version, message.error);
        return;
      case 'stats':
        this.#stats.receive(index, message.id, message.stats);
        return;
      case 'logNotReopened':
        this.#events.onLogNotReopened(index, message.error);
        return;
      case 'drained':
        this.#cut += message.cut;
        return;
      case 'pong':
        return;
    }
  }

  /** What was refused for a reason outside the table (a port that another process holds) may go well later. */
  #retry(index: number, worker: Acknowledged): void {
    clearTimeout(worker.retry);
    worker.retry = setTimeout(() => {
      if (worker.greeted && worker.refused !== '') this.#sendSnapshot(index, worker);
    }, RETRY_MS).unref();
  }

  #sendSnapshot(index: number, worker: Acknowledged): void {
    worker.awaitsSnapshot = true;
    this.#pool.send(index, { type: 'snapshot', snapshot: this.snapshot() });
  }

  #applied(worker: Acknowledged, version: number, ports: Readonly<Record<string, number>>): void {
    worker.version = version;
    worker.awaitsSnapshot = false;
    worker.refused = '';
    this.#ports.learn(ports);
    this.#pool.startAll();
    if (!this.#ready && this.#workers.every((each) => each.version > 0)) {
      this.#ready = true;
      this.#events.onReady(ports);
    }
    this.#reportLive();
  }

  #reportLive(): void {
    const serving = this.#workers.filter((worker) => worker.greeted).map((worker) => worker.version);
    const oldest = Math.min(...serving);
    const now = performance.now();
    for (const [version, seenAt] of this.#seenAt) {
      if (version > oldest) break;
      this.#seenAt.delete(version);
      this.#events.onLive(version, now - seenAt);
    }
  }

  #exited(index: number, reason: string, expected: boolean): void {
    const worker = this.#workers[index];
    if (worker === undefined) return;
    worker.version = 0;
    worker.greeted = false;
    worker.awaitsSnapshot = false;
    this.#stats.retire(index);
    this.#events.onWorkerExit(index, reason, expected);
  }
}
