// Writes `status.loadBalancer` of the Ingresses that are ours: by the leader alone, and only where it differs from what it
// should be. What should be is worked out elsewhere (addresses.ts); this compares, writes, and tries again.
import { ApiError, errorText, isNotFound } from './api-error.ts';
import { samePoints } from './addresses.ts';
import type { IngressPoint } from './arrived.ts';
import type { KubeClient } from './client.ts';
import { sleep } from './gate.ts';
import type { KubeLog } from './notes.ts';
import { objectPath } from './resources.ts';
import { Seldom } from './seldom.ts';

export interface StatusOptions {
  readonly client: KubeClient;
  readonly log: KubeLog;
  /** `namespace/name` of every Ingress that is ours. */
  own(): Iterable<string>;
  /** What the status says now; undefined: there is no such Ingress. */
  current(key: string): readonly IngressPoint[] | undefined;
  /** What it should say; undefined: not known, so leave it alone. */
  desired(): readonly IngressPoint[] | undefined;
  isLeader(): boolean;
}

/** Writes under way at once. */
const CONCURRENCY = 8;
/** Changes that come together are looked at together. Milliseconds. */
const SETTLE_MS = 100;
/** How long a write may take to come back as an event before it is written again. */
const ECHO_MS = 5_000;
/** Between two writes of one Ingress: somebody else may want it otherwise, and for ever. */
const REWRITE_MS = 1_000;
const RETRY_MS = 1_000;
const MAX_RETRY_MS = 30_000;

export class StatusWriter {
  readonly #options: StatusOptions;
  readonly #abort = new AbortController();
  readonly #seldom = new Seldom();
  /** What was written last, over what, and when. */
  readonly #written = new Map<string, { readonly points: readonly IngressPoint[]; readonly over: readonly IngressPoint[]; readonly at: number }>();
  #timer: NodeJS.Timeout | undefined;
  /** When it goes off. */
  #dueAt = 0;
  #running: Promise<void> | undefined;
  /** Ingresses whose write failed: how often in a row, and until when it is not tried again. */
  readonly #failed = new Map<string, { readonly failures: number; readonly until: number }>();
  /** Nothing is written before, because the server asked for it. */
  #quietUntil = 0;
  /** Statuses written since the start. */
  writes = 0;

  constructor(options: StatusOptions) {
    this.#options = options;
  }

  /** Something may differ now: Ingresses, addresses or leadership changed. */
  check(): void {
    this.#schedule(SETTLE_MS);
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    clearTimeout(this.#timer);
    await this.#running;
  }

  /** Makes the status of every own Ingress empty: only ever on request, at shutdown. Gives up after `withinMs`. */
  async clear(withinMs: number): Promise<void> {
    const signal = AbortSignal.timeout(withinMs);
    const keys = [...this.#options.own()].filter((key) => (this.#options.current(key)?.length ?? 0) > 0);
    await inParallel(keys, (key) => this.#write(key, [], signal).catch(() => undefined));
  }

  /** Looks after `delayMs`, or sooner if that was due before. */
  #schedule(delayMs: number): void {
    const dueAt = Math.max(performance.now() + delayMs, this.#quietUntil);
    if (this.#abort.signal.aborted || (this.#timer !== undefined && this.#dueAt <= dueAt)) return;
    clearTimeout(this.#timer);
    this.#dueAt = dueAt;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#running !== undefined || performance.now() < this.#quietUntil) return this.#schedule(SETTLE_MS);
      this.#running = this.#round().finally(() => (this.#running = undefined));
    }, dueAt - performance.now());
  }

  async #round(): Promise<void> {
    const { isLeader, desired } = this.#options;
    const points = desired();
    if (!isLeader() || points === undefined) return;
    const own = new Set(this.#options.own());
    for (const key of this.#written.keys()) if (this.#options.current(key) === undefined) this.#written.delete(key);
    for (const key of this.#failed.keys()) if (!own.has(key)) this.#failed.delete(key);
    const now = performance.now();
    const keys = [...own].filter((key) => this.#differs(key, points) && now >= (this.#failed.get(key)?.until ?? 0));
    await inParallel(keys, (key) => this.#try(key, points));
    const waits = [...this.#failed.values()].map(({ until }) => until - performance.now());
    if (this.#written.size > 0) waits.push(REWRITE_MS);
    if (waits.length > 0) this.#schedule(Math.max(SETTLE_MS, waits.reduce((a, b) => Math.min(a, b))));
  }

  async #try(key: string, points: readonly IngressPoint[]): Promise<void> {
    // Whoever asks to be left alone is, by all that still wait in this round.
    if (!this.#options.isLeader() || this.#abort.signal.aborted || performance.now() < this.#quietUntil) return;
    try {
      await this.#write(key, points, this.#abort.signal);
      this.#failed.delete(key);
    } catch (error) {
      if (this.#abort.signal.aborted) return;
      if (isNotFound(error)) return void this.#failed.delete(key);
      const more = this.#seldom.pass('status');
      if (more !== undefined) this.#options.log.warn({ ingress: key, reason: errorText(error), ...more }, 'the status of an Ingress cannot be written');
      const failures = (this.#failed.get(key)?.failures ?? 0) + 1;
      this.#failed.set(key, { failures, until: performance.now() + Math.min(MAX_RETRY_MS, RETRY_MS * 2 ** Math.min(failures - 1, 5)) });
      if (error instanceof ApiError && error.retryAfterMs !== undefined) this.#quietUntil = performance.now() + error.retryAfterMs;
      // A server that says no to one will say no to the next: no more than a few at a time.
      await sleep(RETRY_MS, this.#abort.signal).catch(() => undefined);
    }
  }

  #differs(key: string, points: readonly IngressPoint[]): boolean {
    const current = this.#options.current(key);
    if (current === undefined || samePoints(current, points)) {
      this.#written.delete(key);
      this.#failed.delete(key);
      return false;
    }
    const written = this.#written.get(key);
    if (written === undefined || !samePoints(written.points, points)) return true;
    return performance.now() - written.at >= (samePoints(written.over, current) ? ECHO_MS : REWRITE_MS);
  }

  async #write(key: string, points: readonly IngressPoint[], signal: AbortSignal): Promise<void> {
    const [namespace = '', name = ''] = key.split('/');
    const body = { status: { loadBalancer: { ingress: points.length === 0 ? null : points } } };
    await this.#options.client.request({ method: 'PATCH', path: `${objectPath('Ingress', namespace, name)}/status`, query: { fieldManager: 'fairlead' }, contentType: 'application/merge-patch+json', body, signal });
    this.writes++;
    this.#written.set(key, { points, over: this.#options.current(key) ?? [], at: performance.now() });
  }
}

async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let item = items[next++]; item !== undefined; item = items[next++]) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(CONCURRENCY, items.length) }, worker));
}
