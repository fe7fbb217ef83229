// One worker process, from its start to its end. It is watched: a process that does not answer pings is killed, because a
// worker that hangs still holds its share of the listening sockets' connections. One that the system does not let run is given
// time: to kill it would cost its connections, and its successor would be let run no more.
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { FromWorker, ToWorker, WorkerOptions } from '../../proxy/table/messages.ts';
import { hadItsChance, processorUse } from './processor-use.ts';
import type { ProcessorUse } from './processor-use.ts';

const WORKER_FILE = fileURLToPath(new URL('../../proxy/worker.ts', import.meta.url));
/**
 * V8 sees the tables and compiled routes of the start live on, concludes that objects made at the same places always do, and
 * goes on to make those of every request in the old generation, which then takes a full collection twice a second: a third
 * of a worker's time. The young generation is large enough for a few thousand requests between two of its collections.
 * `gc` is there for a worker that is short of memory (proxy/server/overload.ts).
 */
export const V8_FLAGS = ['--no-allocation-site-pretenuring', '--min-semi-space-size=8', '--max-semi-space-size=8', '--expose-gc'];
/**
 * glibc keeps what is freed between blocks that are in use, and a worker that was short of memory once would be so for ever. The blocks
 * that bodies are read into (proxy/net/read-blocks.ts) get pages of their own, which go back at once (mallopt(3), M_MMAP_THRESHOLD); what TLS
 * takes for its records is smaller, and comes and goes with each of them.
 */
export const MALLOC = { MALLOC_MMAP_THRESHOLD_: '20000' };
/** SIGUSR1 would start Node's debugger, and does nothing with this. */
const NODE_FLAGS = ['--disable-sigusr1'];
const PING_MS = 500;
/** Silence after which a process counts as stuck. */
const STUCK_MS = 2000;
/** The same while it starts, or compiles a whole table. */
const BUSY_MS = 20_000;
/** One that the system does not let run is given so much more. */
const PATIENCE = 10;
/** What has been said is heard within this time. */
const UNHEARD_MS = 100;
/** What a process may take to its end once it has drained: its work is done. */
const LEAVE_MS = 500;

export interface WorkerEvents {
  onMessage(message: Exclude<FromWorker, { readonly type: 'pong' }>): void;
  /** The process is gone. `reason` is for people: exit code, signal, or why it was killed. */
  onExit(reason: string): void;
}

export class WorkerProcess {
  readonly pid: number;
  readonly startedAt = performance.now();
  readonly #child: ChildProcess;
  readonly #events: WorkerEvents;
  readonly #timer: NodeJS.Timeout;
  #lastTick = performance.now();
  #heardAt = performance.now();
  /** Soon after that, if it was silent since. */
  #usedThen: ProcessorUse | undefined;
  #busy = true;
  #killedFor = '';
  #gone = false;
  #leaving: NodeJS.Timeout | undefined;

  constructor(options: WorkerOptions, events: WorkerEvents, file: string = WORKER_FILE) {
    this.#events = events;
    // JSON: a table of 10,000 hosts (16 MB) takes 0.25 s from end to end, and 0.4 s with the 'advanced' serialization.
    this.#child = fork(file, [], { env: { ...MALLOC, ...process.env, FAIRLEAD_WORKER: JSON.stringify(options) }, serialization: 'json', execArgv: [...process.execArgv, ...NODE_FLAGS, ...V8_FLAGS] });
    this.pid = this.#child.pid ?? 0;
    this.#child.on('message', (message) => this.#receive(message as FromWorker));
    this.#child.once('exit', (code, signal) => this.#exited(signal === null ? `exit code ${code}` : `signal ${signal}`));
    // Without a process id it could not even be started, and no exit will follow.
    this.#child.on('error', (error) => {
      if (this.#child.pid === undefined) this.#exited(error.message);
    });
    this.#timer = setInterval(() => this.#watch(), PING_MS);
  }

  get gone(): boolean {
    return this.#gone;
  }

  /** To a process that is gone: nothing happens. */
  send(message: ToWorker): void {
    if (this.#gone || !this.#child.connected) return;
    if (message.type === 'snapshot') this.#busy = true;
    // A send fails only when the process has just gone, and then its exit is what counts.
    this.#child.send(message, () => undefined);
  }

  kill(reason: string): void {
    if (this.#gone) return;
    this.#killedFor = reason;
    this.#child.kill('SIGKILL');
  }

  #receive(message: FromWorker): void {
    if (this.#gone) return;
    this.#heardAt = performance.now();
    this.#usedThen = undefined;
    if (message.type === 'pong') return;
    if (message.type === 'drained') this.#leaving = setTimeout(() => this.kill('did not end when it had drained'), LEAVE_MS);
    if (message.type === 'applied' || message.type === 'refused') this.#busy = false;
    this.#events.onMessage(message);
  }

  #watch(): void {
    const now = performance.now();
    // When this process itself has been held up, answers may lie unread: nobody is to blame for that.
    if (now - this.#lastTick > 2 * PING_MS) this.#heardAt = now;
    this.#lastTick = now;
    const silentMs = now - this.#heardAt;
    if (this.#isStuck(silentMs)) this.#killUnlessHeard(this.#heardAt);
    else this.send({ type: 'ping' });
  }

  /** It may have answered just now, and sleep because it has nothing else to do. */
  #killUnlessHeard(heardAt: number): void {
    setTimeout(() => {
      if (this.#heardAt === heardAt) this.kill(`stuck: no answer for ${Math.round(performance.now() - heardAt)} ms`);
    }, UNHEARD_MS);
  }

  #isStuck(silentMs: number): boolean {
    if (silentMs > PING_MS) this.#usedThen ??= processorUse(this.pid);
    const limitMs = this.#busy ? BUSY_MS : STUCK_MS;
    return silentMs > PATIENCE * limitMs || (silentMs > limitMs && hadItsChance(limitMs / 2, this.#usedThen, processorUse(this.pid)));
  }

  #exited(how: string): void {
    if (this.#gone) return;
    this.#gone = true;
    clearInterval(this.#timer);
    clearTimeout(this.#leaving);
    this.#events.onExit(this.#killedFor === '' ? how : `${this.#killedFor} (${how})`);
  }
}
