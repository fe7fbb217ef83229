// A worker's work: messages from the primary in, acknowledgements out. Everything else is in server/server.ts. A worker
// holds no state that the primary could not give to its successor, so that it may die at any time.
import { Buffer } from 'node:buffer';
import { flushCompileCache, getCompileCacheDir } from 'node:module';
import { AccessLog } from './observe/access-log.ts';
import { Metrics } from './observe/metrics.ts';
import { Pulse } from './observe/pulse.ts';
import { Server } from './server/server.ts';
import type { FromWorker, ToWorker, WorkerOptions } from './table/messages.ts';
import { EMPTY_SNAPSHOT } from './table/snapshot.ts';
import type { Delta } from './table/snapshot.ts';

// Small buffers are cut from slabs of this size, and who keeps one of them keeps its slab.
Buffer.poolSize = 16 * 1024;

const options = JSON.parse(process.env['FAIRLEAD_WORKER'] ?? '') as WorkerOptions;
const metrics = new Metrics(options.index);
const accessLog = options.accessLog === 'off' ? undefined : new AccessLog(options.accessLog);
if (accessLog !== undefined) metrics.countDroppedLogLines(() => accessLog.dropped);
const pulse = new Pulse(() => tell({ type: 'pong' }));
const server = new Server(options, EMPTY_SNAPSHOT, accessLog === undefined ? [metrics, pulse] : [metrics, accessLog, pulse], metrics);
metrics.watchTable(() => server.snapshot);
metrics.countUpgraded(() => server.upgraded);
metrics.watchOverload(() => server.overload);

/** Tables are put in force one after the other: opening a listener takes a moment. */
let applying: Promise<void> = Promise.resolve();
let exiting = false;
/** Compiled sources are kept for the worker that comes after this one (NODE_COMPILE_CACHE), which then starts in two thirds of the time. */
let keepsCompiled = getCompileCacheDir() !== undefined;

/** Once the first requests have been served: by then the functions that matter are compiled. */
const COMPILED_MS = 1_000;

function tell(message: FromWorker): void {
  if (process.connected) process.send?.(message);
}

/** Acknowledges the table that `put` puts in force, or says why it was not. */
async function acknowledge(version: number, put: () => Promise<Record<string, number>>): Promise<void> {
  try {
    const ports = await put();
    tell({ type: 'applied', version, ports });
    if (keepsCompiled) setTimeout(flushCompileCache, COMPILED_MS).unref();
    keepsCompiled = false;
  } catch (error) {
    tell({ type: 'refused', version, error: error instanceof Error ? error.message : String(error) });
  }
}

async function change(delta: Delta): Promise<void> {
  if (delta.base !== server.version) tell({ type: 'resync', have: server.version });
  else await acknowledge(delta.version, () => server.applyDelta(delta));
}

async function drain(graceMs: number): Promise<void> {
  if (exiting) return;
  exiting = true;
  const cut = await server.drain(graceMs);
  const written = (await accessLog?.close()) ?? true;
  // An exit waits for threads that sit in a system call, such as a write that nobody reads; without a primary, nobody would end that.
  const exit = (): void => {
    if (written && process.connected) process.exit(0);
    process.kill(process.pid, 'SIGKILL');
  };
  if (process.connected) process.send?.({ type: 'drained', cut } satisfies FromWorker, exit);
  else exit();
}

process.on('message', (raw) => {
  const message = raw as ToWorker;
  switch (message.type) {
    case 'snapshot':
      applying = applying.then(() => acknowledge(message.snapshot.version, () => server.apply(message.snapshot)));
      break;
    case 'delta':
      applying = applying.then(() => change(message.delta));
      break;
    case 'ticketSecret':
      server.setTicketSecret(Buffer.from(message.secret, 'base64'));
      break;
    case 'collect':
      tell({ type: 'stats', id: message.id, stats: metrics.stats() });
      break;
    case 'ping':
      tell({ type: 'pong' });
      break;
    case 'reopenLog':
      accessLog?.reopen().catch((error: Error) => tell({ type: 'logNotReopened', error: error.message }));
      break;
    case 'drain':
      void drain(message.graceMs);
      break;
  }
});

// The primary is gone: nobody would tell this worker of a change any more, and the container is about to be restarted.
process.on('disconnect', () => void drain(1_000));

tell({ type: 'hello' });
