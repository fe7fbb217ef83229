// Processes that cannot even be started: the system has no memory for them, or no process ids.
import { fileURLToPath } from 'node:url';
import { setTimeout as pause } from 'node:timers/promises';
import test from 'ava';
import { WorkerPool } from '../../../controller/publish/worker-pool.ts';
import type { WorkerOptions } from '../../../proxy/table/messages.ts';

const WORKER = fileURLToPath(new URL('../../support/fairlead-tiny-worker.ts', import.meta.url));
/** No process takes an environment of this length: `fork` throws, as it does for want of memory. */
const TOO_LONG = 'x'.repeat(3_000_000);

test('a start that fails at once is a process that died young: it is told, and tried again after a pause that grows', async (t) => {
  const exits: string[] = [];
  const starts: number[] = [];
  let greeted = false;
  const options = (index: number): WorkerOptions => {
    starts.push(performance.now());
    return { index, accessLog: starts.length <= 2 ? TOO_LONG : 'off' } as WorkerOptions;
  };
  const pool = new WorkerPool(1, options, { onMessage: (_, { type }) => void (greeted ||= type === 'hello'), onExit: (index, reason, expected) => exits.push(`${index} ${reason} ${expected}`) }, WORKER);
  t.teardown(() => pool.killAll('the test is over'));
  t.notThrows(() => pool.startAll());
  for (let waited = 0; !greeted && waited < 10_000; waited += 10) await pause(10);
  t.true(greeted);
  t.deepEqual(exits, ['0 spawn E2BIG false', '0 spawn E2BIG false']);
  const [first = 0, second = 0, third = 0] = starts;
  t.true(second - first >= 95 && third - second >= 195, starts.join());
});
