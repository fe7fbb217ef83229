// `run`: serves until a signal says stop. The first SIGTERM or SIGINT drains and exits with 0; a second one ends everything. SIGHUP and
// SIGUSR1 are what users of nginx send: the first has nothing to do, unless it tells of a terminal that is gone, the second opens the log anew.
import { closeSync, openSync, writeSync } from 'node:fs';
import { constants } from 'node:os';
import { FileSource } from '../files.ts';
import { whyNoIdentity } from '../kube/identity.ts';
import { checkPorts, listenersOf } from '../listeners.ts';
import { createLog } from '../log.ts';
import type { Log } from '../log.ts';
import { Fairlead } from '../main.ts';
import type { Ports, ServedSource } from '../main.ts';
import type { Settings } from '../settings.ts';
import { Failure } from './failure.ts';
import { checkFolders } from './folders.ts';
import { watchTerminal } from './terminal.ts';

/** What a shell reports for a process that a signal ended. */
const SIGNAL_EXIT = 128;
const STANDARD_OUTPUT = 1;

/** Resolves when it serves, or will as soon as its workers are up; the process then lives until a signal. Throws a Failure. */
export async function run(settings: Settings): Promise<void> {
  checkFolders(settings.manifests);
  checkCluster(settings);
  checkAccessLog(settings.accessLog);
  await checkPorts(listenersOf(settings)).catch((error: unknown) => {
    throw new Failure(1, error instanceof Error ? error.message : String(error));
  });
  const log = createLog(settings.logLevel);
  const fairlead = new Fairlead(settings, await sourceOf(settings, log), log, printReady);
  const exit = (code: number): void => {
    log.finish();
    if (fairlead.heldUp) process.kill(process.pid, 'SIGKILL');
    process.exit(code);
  };
  let stopping = false;
  const stop = (): void => {
    stopping = true;
    fairlead.drain().then(() => exit(0), (error: unknown) => {
      fairlead.failed(error);
      fairlead.abort();
      exit(1);
    });
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (stopping) {
        fairlead.abort();
        exit(SIGNAL_EXIT + constants.signals[signal]);
      }
      stop();
    });
  }
  const terminalIsGone = watchTerminal();
  process.on('SIGHUP', () => {
    if (!terminalIsGone()) fairlead.nothingToReload();
    // The system and the shell both tell of it, so a second one is not somebody's wish to end at once.
    else if (!stopping) stop();
  });
  process.on('SIGUSR1', () => fairlead.reopenAccessLog());
  // Traffic is served by the workers: a bug here must not take them down with it.
  process.on('uncaughtException', (error) => fairlead.failed(error));
  process.on('unhandledRejection', (error) => fairlead.failed(error));
  await fairlead.start().catch((error: unknown) => {
    fairlead.abort();
    log.finish();
    throw new Failure(1, error instanceof Error ? error.message : String(error));
  });
}

function checkCluster({ kube }: Settings): void {
  const wrong = kube === undefined ? undefined : whyNoIdentity(kube.kubeconfig);
  if (wrong !== undefined) throw new Failure(2, `run needs --manifests DIR or a cluster: ${wrong}`);
}

async function sourceOf(settings: Settings, log: Log): Promise<ServedSource> {
  if (settings.kube === undefined) return new FileSource(settings.manifests);
  // What talks to a cluster takes most of a second to load, and a folder does without.
  const { ClusterSource } = await import('../cluster.ts');
  return new ClusterSource(settings, settings.kube, log);
}

function checkAccessLog(target: string): void {
  if (target === 'stdout' || target === 'off') return;
  try {
    closeSync(openSync(target, 'a'));
  } catch (error) {
    throw new Failure(2, `--access-log ${target} cannot be written: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** The one line that whoever started this may wait for. */
function printReady(ports: Ports): void {
  try {
    writeSync(STANDARD_OUTPUT, `${JSON.stringify({ msg: 'ready', ...ports })}\n`);
  } catch {
    // Nobody reads standard output: that is no reason not to serve.
  }
}
