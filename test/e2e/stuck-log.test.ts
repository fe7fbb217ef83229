// A reader of the access log that reads no more: a thread of the worker sits in a write then, and an orderly exit would wait for it.
import { execFileSync } from 'node:child_process';
import { closeSync, constants, existsSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { eventually, get } from '../support/fairlead-http.ts';
import { startFairlead, temporaryFolder } from '../support/fairlead-run.ts';
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
  const { pid } = fairlead.child;
  const workers = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number);
  t.teardown(() => workers.filter((worker) => existsSync(`/proc/${worker}`)).forEach((worker) => process.kill(worker, 'SIGKILL')));
  t.is(workers.length, 1);
  fairlead.child.kill('SIGKILL');
  await eventually('no worker is left', () => workers.every((worker) => !existsSync(`/proc/${worker}`)));
  t.pass();
});
