// Workers that do not answer: one that could is stuck, one that the system does not let run is not.
import { spawn } from 'node:child_process';
import { setPriority } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { hadItsChance, processorUse } from '../../../controller/publish/processor-use.ts';
import { WorkerPool } from '../../../controller/publish/worker-pool.ts';
import type { FromWorker, WorkerOptions } from '../../../proxy/table/messages.ts';
import { EMPTY_SNAPSHOT } from '../../../proxy/table/snapshot.ts';
import { eventually } from '../../support/fairlead-http.ts';
import { processors } from '../../support/processors.ts';
import { has, run } from '../../support/program.ts';

const WORKER = fileURLToPath(new URL('../../support/burning-worker.ts', import.meta.url));
const [CPU = '0'] = processors();

interface Heard {
  readonly pool: WorkerPool;
  readonly pid: number;
  readonly messages: FromWorker['type'][];
  readonly exits: string[];
}

async function start(t: ExecutionContext): Promise<Heard> {
  const messages: FromWorker['type'][] = [];
  const exits: string[] = [];
  const pool = new WorkerPool(1, (index) => ({ index, accessLog: 'off' }) as WorkerOptions, { onMessage: (_, { type }) => void messages.push(type), onExit: (_, reason) => exits.push(reason) }, WORKER);
  t.teardown(() => pool.killAll('the test is over'));
  pool.startAll();
  await eventually('it is up', () => messages.includes('hello'));
  pool.send(0, { type: 'snapshot', snapshot: EMPTY_SNAPSHOT });
  await eventually('it serves', () => messages.includes('applied'));
  return { pool, pid: pool.pid(0) ?? 0, messages, exits };
}

test('a worker that has a processor and does not answer is killed', async (t) => {
  const { pool, exits } = await start(t);
  pool.send(0, { type: 'collect', id: 60_000 });
  await eventually('it is gone', () => exits.length > 0);
  t.regex(exits[0] ?? '', /^stuck: no answer for \d+ ms \(signal SIGKILL\)$/);
});

test('a worker that the system does not let run is given time, and answers when it comes to it', async (t) => {
  if (!has(t, 'taskset', 'util-linux')) return t.pass();
  const { pool, pid, messages, exits } = await start(t);
  // Its main thread gets one part in seventy of a processor that somebody else wants all of.
  await run('taskset', ['-p', '-c', CPU, String(pid)]);
  setPriority(pid, 19);
  const hog = spawn('taskset', ['-c', CPU, process.execPath, '-e', 'for (;;);'], { stdio: 'ignore' });
  t.teardown(() => hog.kill('SIGKILL'));
  await pause(500);
  const before = processorUse(pid);
  pool.send(0, { type: 'collect', id: 4_000 });
  await eventually('it answers, or is gone', () => messages.includes('stats') || exits.length > 0);
  t.deepEqual(exits, []);
  t.log(`it used ${(processorUse(pid)?.usedMs ?? 0) - (before?.usedMs ?? 0)} ms of 4 s`);
});

test('what the system says of a process: what it has used, and whether it waits for more', async (t) => {
  const child = spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' });
  t.teardown(() => child.kill('SIGKILL'));
  const { pid = 0 } = child;
  await eventually('it has used some', () => (processorUse(pid)?.usedMs ?? 0) > 100);
  const running = processorUse(pid);
  t.true(running?.wantsToRun);
  t.false(hadItsChance(1_000, running, { usedMs: running!.usedMs + 900, wantsToRun: true }));
  t.true(hadItsChance(1_000, running, { usedMs: running!.usedMs + 1_100, wantsToRun: true }));
  child.kill('SIGSTOP');
  await eventually('it is stopped', () => processorUse(pid)?.wantsToRun === false);
  t.true(hadItsChance(1_000, running, processorUse(pid)));
  t.true(hadItsChance(1_000, undefined, running), 'where nothing is known');
  t.is(processorUse(2 ** 22 + 1), undefined);
});
