// The last good table on disk: what comes back is what was written, or nothing.
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StateDir } from '../../controller/state-dir.ts';
import type { Sections } from '../../proxy/table/snapshot.ts';
import { until } from '../support/kube/until.ts';

const FAST = { firstDelayMs: 10, gapMs: 50 };

function sections(hosts: number): Sections {
  const virtualHosts = Object.fromEntries(Array.from({ length: hosts }, (_, index) => [`http/h${index}.example`, { listeners: ['http'], hostname: `h${index}.example`, routes: [] }]));
  return { listeners: {}, virtualHosts, clusters: {}, endpoints: { 'shop/web:80': [{ address: '10.1.0.1', port: 80, ready: true, serving: true, terminating: false }] }, certificates: {} };
}

function folder(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), 'fairlead-state-'));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

async function save(path: string, table: Sections): Promise<void> {
  const state = new StateDir(path, (error) => { throw error; }, FAST);
  state.changed(() => table);
  await state.stop();
}

const load = (path: string) => new StateDir(path, () => undefined).load();

test('what was saved comes back, with the time when it was', async (t) => {
  const path = join(folder(t), 'made/on/demand');
  const before = Date.now();
  await save(path, sections(1000));
  const loaded = await load(path);
  if (loaded === undefined || !('table' in loaded)) return t.fail(JSON.stringify(loaded));
  t.deepEqual(loaded.table.sections, sections(1000));
  t.true(loaded.table.savedAt >= before && loaded.table.savedAt <= Date.now());
  return undefined;
});

test('nobody else can read it, and nothing else is left in the folder', async (t) => {
  const path = join(folder(t), 'state');
  await save(path, sections(1));
  t.deepEqual(readdirSync(path), ['table']);
  t.is(statSync(join(path, 'table')).mode & 0o777, 0o600);
  t.is(statSync(path).mode & 0o777, 0o700);
});

test('without a file there is no table and no Problem', async (t) => {
  t.is(await load(folder(t)), undefined);
});

test('a file with any byte changed, cut off or grown is ignored with a Problem', async (t) => {
  const path = folder(t);
  await save(path, sections(20));
  const file = join(path, 'table');
  const good = readFileSync(file);
  const flipped = (at: number): Buffer => {
    const bytes = Buffer.from(good);
    bytes[at] = bytes[at]! ^ 1;
    return bytes;
  };
  const damaged = [...Array.from({ length: 50 }, (_, index) => flipped(Math.floor((index * good.length) / 50))), good.subarray(0, -1), good.subarray(0, good.length / 2), Buffer.alloc(0), Buffer.concat([good, Buffer.from('x\n')])];
  for (const [index, bytes] of damaged.entries()) {
    writeFileSync(file, bytes);
    const loaded = await load(path);
    if (loaded === undefined || !('problem' in loaded)) return t.fail(`damage ${index} was not noticed`);
    t.is(loaded.problem.reason, 'StateUnreadable');
  }
  return undefined;
});

test('a table of another version is not mistaken for one of this, and is told as what it is', async (t) => {
  const path = folder(t);
  await save(path, sections(1));
  const file = join(path, 'table');
  const text = readFileSync(file, 'utf8').replace(/fairlead-table-\d+/, 'fairlead-table-0');
  const body = text.slice(0, text.lastIndexOf('\n', text.length - 2) + 1);
  writeFileSync(file, `${body}${createHash('sha256').update(body).digest('hex')}\n`);
  const loaded = await load(path);
  t.is(loaded !== undefined && 'problem' in loaded ? loaded.problem.message : '', 'the saved table is one of another version of Fairlead');
});

test('a link in place of the file is not followed', async (t) => {
  const path = folder(t);
  symlinkSync('/etc/hostname', join(path, 'table'));
  const loaded = await load(path);
  t.true(loaded !== undefined && 'problem' in loaded);
  await save(path, sections(1));
  t.true(statSync(join(path, 'table')).isFile());
});

test('changes that go on are written at a pace, and the last one is written at the end', async (t) => {
  const path = folder(t);
  const state = new StateDir(path, (error) => t.fail(String(error)), { firstDelayMs: 10, gapMs: 200 });
  let asked = 0;
  for (let hosts = 1; hosts <= 100; hosts++) {
    state.changed(() => {
      asked++;
      return sections(hosts);
    });
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  t.true(asked >= 1 && asked <= 5, `${asked} files in half a second`);
  await state.stop();
  const loaded = await load(path);
  t.true(loaded !== undefined && 'table' in loaded && Object.keys(loaded.table.sections.virtualHosts).length === 100);
});

test('what could not be written is written when it can be, without another change', async (t) => {
  const path = folder(t);
  writeFileSync(join(path, 'file'), '');
  const failures: unknown[] = [];
  const state = new StateDir(join(path, 'file/below'), (error) => failures.push(error), FAST);
  t.teardown(() => state.stop());
  state.changed(() => sections(3));
  await until('it is told', () => failures.length > 0);
  unlinkSync(join(path, 'file'));
  await until('it is written', () => existsSync(join(path, 'file/below/table')));
  const loaded = await load(join(path, 'file/below'));
  t.true(loaded !== undefined && 'table' in loaded && Object.keys(loaded.table.sections.virtualHosts).length === 3);
});

test('a folder that cannot be written is told, and the process goes on', async (t) => {
  const path = folder(t);
  writeFileSync(join(path, 'file'), '');
  const failures: unknown[] = [];
  const state = new StateDir(join(path, 'file/below'), (error) => failures.push(error), FAST);
  state.changed(() => sections(1));
  await until('it is told', () => failures.length > 0);
  await state.stop();
  t.pass();
});

test('a folder that cannot be made where its parent is, as below /proc, is told, and asked for no more', async (t) => {
  const failures: unknown[] = [];
  const state = new StateDir('/proc/fairlead/state', (error) => failures.push(error), FAST);
  state.changed(() => sections(1));
  await until('it is told', () => failures.length > 0);
  t.is((failures[0] as NodeJS.ErrnoException).code, 'ENOENT');
  await state.stop();
  t.false(state.busy);
});

test.serial('writing 10,000 hosts never takes the process away for more than 30 ms at a time', async (t) => {
  const path = folder(t);
  const table = sections(10_000);
  const state = new StateDir(path, (error) => t.fail(String(error)), FAST);
  // Time of this thread on a processor: what other processes take does not count.
  const spent = (): number => process.threadCpuUsage().user / 1000;
  let longest = 0;
  let last = spent();
  let done = false;
  const ticking = (async () => {
    while (!done) {
      await new Promise((resolve) => setImmediate(resolve));
      longest = Math.max(longest, spent() - last);
      last = spent();
    }
  })();
  state.changed(() => table);
  await state.stop();
  done = true;
  await ticking;
  t.log(`longest stop ${longest.toFixed(1)} ms`);
  t.true(longest < 30, `${longest} ms`);
});
