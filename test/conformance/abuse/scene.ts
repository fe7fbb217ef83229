// The scene of the abuse tests: a real `fairlead run` with two workers and two services, one of which is attacked; honest
// clients of the other one on every worker, and an eye on memory and on who listens.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';
import { startBackend } from '../../support/fairlead-backend.ts';
import { documents, endpoints, ingress, service } from '../../support/fairlead-manifests.ts';
import { startFairlead, temporaryFolder } from '../../support/fairlead-run.ts';
import type { FairleadRun } from '../../support/fairlead-run.ts';
import { listening } from '../../support/sockets.ts';
import type { Order } from './attacker.ts';
import { startHonest } from './honest.ts';
import type { HonestClients } from './honest.ts';

export interface Scene {
  readonly fairlead: FairleadRun;
  readonly honest: HonestClients;
  /** They ask the application that is attacked. */
  readonly honestOfAttacked: HonestClients;
  /** Resolves when the attack is over, with the number of requests that reached the application. */
  attack(order: Omit<Order, 'port' | 'secure'> & { readonly secure?: boolean }): Promise<number>;
  /** Asks the application that was attacked, on several connections of their own; gives the statuses. */
  askAttacked(): Promise<readonly (number | undefined)[]>;
  workers(): readonly number[];
  /** Most growth of any worker's resident memory, in MB: since the last call, and since the first one, whatever is given back in between. */
  growth(): Growth;
  /** Longest time in ms, since the last call, that not all workers listened, and that none did. */
  down(): { readonly one: number; readonly all: number };
  stop(): Promise<void>;
}

export interface Growth {
  readonly once: number;
  readonly inAll: number;
}

const WORKERS = 2;
const LOOK_MS = 20;

export async function startScene(t: ExecutionContext): Promise<Scene> {
  const backend = await startBackend(t, 'web', (_request, response) => response.end('ok'));
  const attacker = fork(fileURLToPath(new URL('attacker.ts', import.meta.url)));
  t.teardown(() => attacker.kill('SIGKILL'));
  const [{ port }] = (await once(attacker, 'message')) as [{ port: number }];
  const site = documents(ingress('web', { paths: { '/': 'web', '/attack': 'attacked' } }), service('web'), endpoints('web', backend), service('attacked'), endpoints('attacked', port));
  // In a file: a line for each of a hundred thousand requests would be read by the process whose honest clients are timed.
  const accessLog = join(temporaryFolder(t), 'access.log');
  const fairlead = await startFairlead(t, { files: { 'site.yaml': site }, args: ['--workers', String(WORKERS), '--access-log', accessLog] });
  const workers = (): readonly number[] => childrenOf(fairlead.child.pid as number);
  const watch = startWatch(fairlead.http, workers);
  const honest = startHonest(fairlead.http, workers, '/honest');
  const honestOfAttacked = startHonest(fairlead.http, workers, '/attack/over');
  t.teardown(() => {
    watch.stop();
    void honest.stop();
    void honestOfAttacked.stop();
  });
  return {
    fairlead,
    honest,
    honestOfAttacked,
    attack: async ({ secure = false, ...order }) => {
      attacker.send({ ...order, secure, port: secure ? fairlead.https : fairlead.http });
      const [{ dispatched }] = (await once(attacker, 'message')) as [{ dispatched: number }];
      return dispatched;
    },
    askAttacked: () => Promise.all(Array.from({ length: 8 }, () => statusOf(fairlead.http, '/attack/over'))),
    workers,
    growth: watch.growth,
    down: watch.down,
    stop: async () => {
      watch.stop();
      await Promise.all([honest.stop(), honestOfAttacked.stop()]);
      await fairlead.stop();
    },
  };
}

async function statusOf(port: number, path: string): Promise<number | undefined> {
  const request = http.get({ port, host: '127.0.0.1', path, agent: false, headers: { host: 'shop.example.com' } });
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  response.resume();
  return response.statusCode;
}

/** Empty once the process is gone. */
function childrenOf(pid: number): readonly number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

function residentMb(pid: number): number {
  try {
    return (Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * 4096) / 1e6;
  } catch {
    return 0;
  }
}

interface Watch {
  growth(): Growth;
  down(): { readonly one: number; readonly all: number };
  stop(): void;
}

function startWatch(port: number, workers: () => readonly number[]): Watch {
  const residents = (): Map<number, number> => new Map(workers().map((pid) => [pid, residentMb(pid)]));
  let base = residents();
  /** The same at the first call of `growth`, and of workers that came later, when they served. */
  let first: Map<number, number> | undefined;
  let most = 0;
  let mostInAll = 0;
  let down = { one: 0, all: 0 };
  const since = { one: 0, all: 0 };
  const note = (what: 'one' | 'all', yes: boolean, now: number): void => {
    if (!yes) since[what] = 0;
    else if (since[what] === 0) since[what] = now;
    else down[what] = Math.max(down[what], now - since[what]);
  };
  /** The workers that were seen to listen, all of them; whoever is one of them listens still. */
  let steady = '';
  const look = (): void => {
    const now = performance.now();
    const pids = workers().join();
    const count = pids === steady ? WORKERS : listening(port);
    if (count === WORKERS) steady = pids;
    note('one', count < WORKERS, now);
    note('all', count === 0, now);
    for (const pid of workers()) {
      const resident = residentMb(pid);
      const before = base.get(pid);
      // What a new process takes to begin is no growth.
      if (before === undefined && pids === steady) {
        base.set(pid, resident);
        first?.set(pid, resident);
      } else if (before !== undefined) {
        most = Math.max(most, resident - before);
        mostInAll = Math.max(mostInAll, resident - (first?.get(pid) ?? resident));
      }
    }
  };
  const timer = setInterval(look, LOOK_MS);
  return {
    growth: () => {
      look();
      const seen = { once: most, inAll: mostInAll };
      most = 0;
      base = residents();
      first ??= residents();
      return seen;
    },
    down: () => {
      const seen = down;
      down = { one: 0, all: 0 };
      return seen;
    },
    stop: () => clearInterval(timer),
  };
}
