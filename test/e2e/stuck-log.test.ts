// A reader of the access log that reads no more: a thread of the worker sits in a write then, and an orderly exit would wait for it. And
// a log on a disk that is full.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, existsSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { eventually, get } from '../support/fairlead-http.ts';
import { childrenOf, CLI, startFairlead, temporaryFolder } from '../support/fairlead-run.ts';
import type { FairleadRun } from '../support/fairlead-run.ts';

/** More than the pipe holds. */
const REQUESTS = 600;

async function startStuck(t: ExecutionContext): Promise<FairleadRun> {
  const pipe = join(temporaryFolder(t), 'pipe');
  execFileSync('mkfifo', [pipe]);
  const reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
  t.teardown(() => closeSync(reader));
  const fairlead = await startFairlead(t, { args: ['--access-log', pipe, '--drain-timeout', '10s'] });
  for (let nth = 0; nth < REQUESTS; nth += 20) await Promise.all(Array.from({ length: 20 }, () => get(fairlead.http, `/${'x'.repeat(200)}`)));
  await pause(300);
  return fairlead;
}

test('a drain gives the reader one second and ends with 0', async (t) => {
  const fairlead = await startStuck(t);
  const startedAt = performance.now();
  t.is(await fairlead.stop(), 0);
  const tookMs = performance.now() - startedAt;
  t.true(tookMs > 900 && tookMs < 2500, `${Math.round(tookMs)} ms`);
});

test('a worker whose primary was killed ends all the same', async (t) => {
  const fairlead = await startStuck(t);
  const workers = childrenOf(fairlead.child.pid);
  t.teardown(() => workers.filter((worker) => existsSync(`/proc/${worker}`)).forEach((worker) => process.kill(worker, 'SIGKILL')));
  t.is(workers.length, 1);
  fairlead.child.kill('SIGKILL');
  await eventually('no worker is left', () => workers.every((worker) => !existsSync(`/proc/${worker}`)));
  t.pass();
});

test('a log that cannot be written is no work for the primary, and keeps it from nothing', async (t) => {
  const full = openSync('/dev/full', 'w');
  const args = ['--manifests', temporaryFolder(t), '--http-port', '0', '--https-port', '0', '--admin-port', '0', '--bind', '127.0.0.1', '--workers', '1'];
  const child = spawn(process.execPath, [CLI, 'run', ...args], { stdio: ['ignore', 'pipe', full] });
  closeSync(full);
  const ended = once(child, 'exit');
  t.teardown(() => child.kill('SIGKILL'));
  t.regex(String((await once(child.stdout!, 'data') as unknown[])[0]), /"msg":"ready"/);
  const before = ticksOf(child.pid);
  await pause(1000);
  const ticks = ticksOf(child.pid) - before;
  t.true(ticks < 30, `${ticks} hundredths of a second`);
  child.kill('SIGTERM');
  t.deepEqual(await ended, [0, null]);
});

/** Processor time of a process in hundredths of a second. */
function ticksOf(pid: number | undefined): number {
  const [user, system] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ').slice(13, 15);
  return Number(user) + Number(system);
}
