// Keeps a fixed number of worker processes alive: whatever ends without having been told to is replaced, at once the first
// time and with a growing pause if the replacements die young. Knows nothing of tables; messages go to its owner.
import type { FromWorker, ToWorker, WorkerOptions } from '../../proxy/table/messages.ts';
import { WorkerProcess } from './worker-process.ts';

/** A process that lives shorter than this makes its replacement wait. */
const YOUNG_MS = 1000;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 1000;
/** What a drained worker may take beyond its grace before it is killed. */
const DRAIN_MARGIN_MS = 2000;

export interface PoolEvents {
  onMessage(index: number, message: FromWorker): void;
  /** A worker is gone; `expected`: it was drained. The replacement of any other is on its way. */
  onExit(index: number, reason: string, expected: boolean): void;
}

interface Slot {
  process: WorkerProcess | undefined;
  pauseMs: number;
  timer: NodeJS.Timeout | undefined;
}

export class WorkerPool {
  readonly size: number;
  readonly #options: (index: number) => WorkerOptions;
  readonly #events: PoolEvents;
  readonly #file: string | undefined;
  readonly #slots: Slot[];
  #draining = false;
  #onEmpty: (() => void) | undefined;

  /** `file`: the worker's program, proxy/worker.ts if it is left out. */
  constructor(size: number, options: (index: number) => WorkerOptions, events: PoolEvents, file?: string) {
    this.size = size;
    this.#options = options;
    this.#events = events;
    this.#file = file;
    this.#slots = Array.from({ length: size }, () => ({ process: undefined, pauseMs: 0, timer: undefined }));
  }

  /** Starts worker `index`, unless it runs or is about to. */
  start(index: number): void {
    const slot = this.#slots[index];
    if (slot === undefined || slot.process !== undefined || slot.timer !== undefined || this.#draining) return;
    try {
      slot.process = new WorkerProcess(this.#options(index), {
        onMessage: (message) => this.#events.onMessage(index, message),
        onExit: (reason) => this.#exited(index, slot, reason),
      }, this.#file);
    } catch (error) {
      // `fork` throws some of what the system says against a new process, want of memory above all.
      this.#exited(index, slot, error instanceof Error ? error.message : String(error));
    }
  }

  startAll(): void {
    for (const index of this.#slots.keys()) this.start(index);
  }

  /** False: it is not running, so nothing was sent. */
  send(index: number, message: ToWorker): boolean {
    const process = this.#slots[index]?.process;
    process?.send(message);
    return process !== undefined;
  }

  /** Undefined: it is not running at the moment. */
  pid(index: number): number | undefined {
    return this.#slots[index]?.process?.pid;
  }

  /** Nobody is replaced from here on. Resolves when all processes are gone: of themselves within `graceMs`, or killed. */
  drain(graceMs: number): Promise<void> {
    this.#draining = true;
    for (const slot of this.#slots) {
      clearTimeout(slot.timer);
      slot.process?.send({ type: 'drain', graceMs });
    }
    if (this.#empty()) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.killAll('did not end in time'), graceMs + DRAIN_MARGIN_MS);
      this.#onEmpty = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Ends all processes at once. */
  killAll(reason: string): void {
    this.#draining = true;
    for (const slot of this.#slots) {
      clearTimeout(slot.timer);
      slot.process?.kill(reason);
    }
  }

  #exited(index: number, slot: Slot, reason: string): void {
    const livedMs = slot.process === undefined ? 0 : performance.now() - slot.process.startedAt;
    slot.process = undefined;
    this.#events.onExit(index, reason, this.#draining);
    if (this.#draining) {
      if (this.#empty()) this.#onEmpty?.();
      return;
    }
    slot.pauseMs = livedMs >= YOUNG_MS ? 0 : Math.min(Math.max(slot.pauseMs * 2, FIRST_PAUSE_MS), LONGEST_PAUSE_MS);
    slot.timer = setTimeout(() => {
      slot.timer = undefined;
      this.start(index);
    }, slot.pauseMs);
  }

  #empty(): boolean {
    return this.#slots.every((slot) => slot.process === undefined);
  }
}
