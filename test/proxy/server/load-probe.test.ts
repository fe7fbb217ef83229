// Where the share of used memory comes from: the accounts of the container, of either version, and what counts where it has none.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { residentMemory } from '../../../proxy/observe/own-process.ts';
import { systemLoad } from '../../../proxy/server/load-probe.ts';
import { Overload } from '../../../proxy/server/overload.ts';

const MB = 1024 * 1024;
const UNLIMITED = '9223372036854771712\n';

/** The share of memory that is used, with these files of the control group. */
function share(t: ExecutionContext, files: Readonly<Record<string, string>>, memory = { limitBytes: 0, processes: 3 }): number {
  const root = mkdtempSync(join(tmpdir(), 'fairlead-cgroup-'));
  t.teardown(() => rmSync(root, { recursive: true }));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
  return systemLoad(memory, root)().memory;
}

const v2 = (limit: string): Record<string, string> => ({ 'memory.max': limit, 'memory.current': `${95 * MB}\n`, 'memory.stat': `anon ${60 * MB}\ninactive_file ${10 * MB}\nactive_file ${20 * MB}\n` });
const v1 = (limit: string): Record<string, string> => ({ 'memory/memory.limit_in_bytes': limit, 'memory/memory.usage_in_bytes': `${52 * MB}\n`, 'memory/memory.stat': `inactive_file ${40 * MB}\ntotal_inactive_file ${2 * MB}\n` });

test('version 2: what is used, but for the file cache that the kernel gives up first, of the limit', (t) => {
  t.is(share(t, v2(`${100 * MB}\n`)), 0.85);
  t.is(share(t, { 'memory.max': `${100 * MB}\n`, 'memory.current': `${92 * MB}\n` }), 0.92, 'without memory.stat all of it counts');
  t.is(share(t, { ...v2(`${100 * MB}\n`), 'memory.current': '5\n' }), 0, 'never less than nothing');
});

test('version 1: the same by its own names, the groups below included', (t) => {
  t.is(share(t, v1(`${100 * MB}\n`)), 0.5);
  t.is(share(t, { ...v1(`${100 * MB}\n`), 'memory.max': 'max\n' }), 0.5, 'where version 2 has no limit');
});

test('without a limit memory counts as free', (t) => {
  for (const files of [{}, v2('max\n'), v1(UNLIMITED), v2(''), v2('0\n'), v2('-1\n')]) t.is(share(t, files), 0, JSON.stringify(files));
});

test('a limit of the flags takes the place of the container\'s, and its accounts still say what is used', (t) => {
  t.is(share(t, v2(`${100 * MB}\n`), { limitBytes: 170 * MB, processes: 3 }), 0.5);
});

test('a limit of the flags without a container\'s is shared by all processes: accounts without limit may be those of the whole machine', (t) => {
  const whole = (residentMemory() * 3) / (1024 * MB);
  for (const files of [{}, v2('max\n'), v1(UNLIMITED)]) {
    const got = share(t, files, { limitBytes: 1024 * MB, processes: 3 });
    t.true(Math.abs(got - whole) < whole / 4, `${got}, and about ${whole} was expected`);
  }
});

test('what is used is read again each time', (t) => {
  const root = mkdtempSync(join(tmpdir(), 'fairlead-cgroup-'));
  t.teardown(() => rmSync(root, { recursive: true }));
  writeFileSync(join(root, 'memory.max'), '1000');
  const probe = systemLoad({ limitBytes: 0, processes: 1 }, root);
  for (const used of [850, 920, 100]) {
    writeFileSync(join(root, 'memory.current'), `${used}\n`);
    t.is(probe().memory, used / 1000);
  }
});

for (const turnMs of [250, 600]) {
  test.serial(`an event loop whose turns take ${turnMs} ms is late, and has requests refused for it after two seconds`, async (t) => {
    const probe = systemLoad({ limitBytes: 0, processes: 1 });
    const delays: number[] = [];
    const overload = new Overload(() => {
      const load = probe();
      delays.push(Math.round(load.loopDelayMs));
      return load;
    });
    t.teardown(() => overload.stop());
    overload.start();
    for (const end = performance.now() + 15_000; overload.share === 0 && performance.now() < end; await pause(1)) for (const until = performance.now() + turnMs; performance.now() < until; );
    t.true(overload.share > 0, delays.join(' '));
    t.true(delays.length >= 4, delays.join(' '));
    // The first look may have seen the loop before it was late.
    t.true(delays.slice(1).every((ms) => ms > 200), delays.join(' '));
  });
}
