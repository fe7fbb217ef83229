// Worker process entry: messages from the primary in, acknowledgements out. Everything else is in server/server.ts. A worker
// holds no state that the primary could not give to its successor, so that it may die at any time.
import { AccessLog } from './observe/access-log.ts';
import { Metrics } from './observe/metrics.ts';
import { Server } from './server/server.ts';
import { apply } from './table/diff.ts';
import type { FromWorker, ToWorker, WorkerOptions } from './table/messages.ts';
import { EMPTY_SNAPSHOT } from './table/snapshot.ts';
import type { Delta, Snapshot } from './table/snapshot.ts';

const options = JSON.parse(process.env['FAIRLEAD_WORKER'] ?? '') as WorkerOptions;
const metrics = new Metrics(options.index);
const accessLog = options.accessLog === 'off' ? undefined : new AccessLog(options.accessLog);
if (accessLog !== undefined) metrics.countDroppedLogLines(() => accessLog.dropped);
const server = new Server(options, EMPTY_SNAPSHOT, accessLog === undefined ? [metrics] : [metrics, accessLog], metrics);

/** Tables are put in force one after the other: opening a listener takes a moment. */
let applying: Promise<void> = Promise.resolve();
let exiting = false;

function tell(message: FromWorker): void {
  if (process.connected) process.send?.(message);
}

async function put(snapshot: Snapshot | undefined, delta?: Delta): Promise<void> {
  if (snapshot === undefined) {
    tell({ type: 'resync', have: server.version });
    return;
  }
  try {
    const ports = await server.apply(snapshot, delta);
    tell({ type: 'applied', version: snapshot.version, ports });
  } catch (error) {
    tell({ type: 'refused', version: snapshot.version, error: error instanceof Error ? error.message : String(error) });
  }
}

async function drain(graceMs: number): Promise<void> {
  if (exiting) return;
  exiting = true;
  await server.drain(graceMs);
  await accessLog?.close();
  process.exit(0);
}

process.on('message', (raw) => {
  const message = raw as ToWorker;
  switch (message.type) {
    case 'snapshot':
      applying = applying.then(() => put(message.snapshot));
      break;
    case 'delta':
      applying = applying.then(() => put(apply(server.snapshot, message.delta), message.delta));
      break;
    case 'collect':
      tell({ type: 'stats', id: message.id, stats: metrics.stats() });
      break;
    case 'ping':
      tell({ type: 'pong', id: message.id });
      break;
    case 'drain':
      void drain(message.graceMs);
      break;
  }
});

// The primary is gone: nobody would tell this worker of a change any more, and the container is about to be restarted.
process.on('disconnect', () => void drain(1_000));
// The primary says when to go; a signal to the whole process group must not take workers down under it.
process.on('SIGTERM', () => undefined);
process.on('SIGINT', () => undefined);

tell({ type: 'hello' });
