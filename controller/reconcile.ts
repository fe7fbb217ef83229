// Turns what a source tells into published tables, in two lanes. Endpoints and certificates go at once: a pod that went
// away must not wait. Routes: the first change after quiet goes at once, and of a burst one table per pause, where the pause
// grows with what a table costs. A run that throws is a bug: it is logged, and the table before stays in force.
import type { Problem } from './model/problem.ts';
import type { Change, Source } from './kube/state.ts';
import type { Pipeline, PipelineResult } from './pipeline.ts';
import type { DnsWatcher } from './dns.ts';

const FAST_KINDS: ReadonlySet<Change['kind']> = new Set<Change['kind']>(['EndpointSlice', 'Endpoints', 'Secret']);
/** Shortest time between two tables of a burst of route changes. */
const PAUSE_MS = 10;
/** Route changes take at most about a third of this process's time. */
const PAUSE_PER_COST = 2;
const LONGEST_PAUSE_MS = 1000;

export interface ReconcilerEvents {
  /** A table was made. `seenAt`: `performance.now()` when the oldest change in it was seen; `tookMs`: what making it took. */
  onResult(result: PipelineResult, seenAt: number, tookMs: number): void;
  onFailure(error: unknown): void;
}

export class Reconciler {
  readonly #source: Source;
  readonly #pipeline: Pipeline;
  readonly #dns: DnsWatcher;
  readonly #events: ReconcilerEvents;
  /** Changes that no run has seen; undefined: everything may have changed. */
  #pending: Change[] | undefined = undefined;
  #seenAt: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #restUntil = 0;
  #problems: readonly Problem[] = [];

  constructor(source: Source, pipeline: Pipeline, dns: DnsWatcher, events: ReconcilerEvents) {
    this.#source = source;
    this.#pipeline = pipeline;
    this.#dns = dns;
    this.#events = events;
  }

  /** What is wrong, as of the last run. */
  get problems(): readonly Problem[] {
    return [...this.#source.problems(), ...this.#problems];
  }

  /** All objects are there, or all may have changed. */
  runAll(): void {
    this.#pending = undefined;
    this.#run();
  }

  /** What a source reports. */
  changed(changes: readonly Change[]): void {
    this.#seenAt ??= performance.now();
    const waiting = this.#pending;
    if (waiting !== undefined) for (const change of changes) waiting.push(change);
    const fast = changes.every((change) => FAST_KINDS.has(change.kind));
    if (fast || performance.now() >= this.#restUntil) this.#run();
    else this.#timer ??= setTimeout(() => this.#run(), this.#restUntil - performance.now());
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #run(): void {
    this.stop();
    const changes = this.#pending;
    const startedAt = performance.now();
    const seenAt = this.#seenAt ?? startedAt;
    this.#seenAt = undefined;
    try {
      const result = this.#pipeline.run(this.#source.state, this.#dns.answers, changes);
      this.#pending = [];
      this.#problems = result.problems;
      this.#events.onResult(result, seenAt, performance.now() - startedAt);
    } catch (error) {
      this.#pending = undefined;
      this.#events.onFailure(error);
    }
    const now = performance.now();
    this.#restUntil = now + Math.min(Math.max(PAUSE_MS, (now - startedAt) * PAUSE_PER_COST), LONGEST_PAUSE_MS);
  }
}
