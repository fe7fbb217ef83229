// The folder source on a real file system: what it reads, which file wins, where things stand, and that no way of writing a
// file, editors' and mounts' included, ever shows half of it.
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, truncateSync, unlinkSync, writeFileSync, appendFileSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { FileSource } from '../../controller/files.ts';
import type { FileSourceOptions } from '../../controller/files.ts';
import type { Change } from '../../controller/kube/state.ts';

function ingress(name: string, path = '/', host = `${name}.example.com`): string {
  return `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: ${name}
  namespace: shop
spec:
  rules:
    - host: ${host}
      http:
        paths:
          - path: ${path}
            pathType: Prefix
            backend: { service: { name: web, port: { number: 80 } } }
`;
}

interface Setup {
  readonly folder: string;
  readonly source: FileSource;
  /** What `onChange` was called with. */
  readonly calls: (readonly Change[])[];
  /** The path of an Ingress as it stands in the state. */
  path(name: string): string | undefined;
  /** `path` at every call, to see that nothing in between was ever in force. */
  readonly seen: (string | undefined)[];
  write(name: string, text: string): void;
  until(condition: () => boolean): Promise<void>;
}

/** A new folder with these files, and a source that reads it. */
async function setup(t: ExecutionContext, files: Readonly<Record<string, string>>, options?: FileSourceOptions): Promise<Setup> {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-files-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const write = (name: string, text: string): void => {
    mkdirSync(join(folder, name, '..'), { recursive: true });
    writeFileSync(join(folder, name), text);
  };
  for (const [name, text] of Object.entries(files)) write(name, text);
  const source = new FileSource([folder], options);
  t.teardown(() => source.stop());
  const calls: (readonly Change[])[] = [];
  const seen: (string | undefined)[] = [];
  const path = (name: string): string | undefined => source.state.objects.Ingress.get(`shop/${name}`)?.rules[0]?.paths[0]?.path;
  await source.start((changes) => {
    calls.push(changes);
    seen.push(path('web'));
  });
  const until = async (condition: () => boolean): Promise<void> => {
    for (const end = Date.now() + 10_000; !condition(); await sleep(2)) {
      if (Date.now() > end) throw new Error(`it did not come to pass; problems: ${JSON.stringify(source.problems())}`);
    }
  };
  return { folder, source, calls, path, seen, write, until };
}

/** Long enough for everything that waits to have been looked at twice. */
const atRest = (): Promise<void> => sleep(150);

const reasons = (source: FileSource): readonly string[] => source.problems().map(({ reason }) => reason);

test('all manifests of a folder are read: YAML of several documents, JSON and lists, in subfolders too', async (t) => {
  const { source } = await setup(t, {
    'a.yaml': `# a comment first\n---\n${ingress('a')}---\n# nothing\n---\n${ingress('b')}...\n---\n`,
    'deep/er/c.yml': ingress('c'),
    'list.json': JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } }, { apiVersion: 'apps/v1', kind: 'Deployment' }] }),
    'notes.txt': 'kind: Ingress',
    '.hidden.yaml': 'a: b: c',
    'a.yaml~': 'a: b: c',
    '#a.yaml#': 'a: b: c',
    '.a.yaml.swp': 'a: b: c',
    '.git/x.yaml': 'a: b: c',
    'empty.yaml': '',
  });
  t.deepEqual([...source.state.objects.Ingress.keys()].toSorted(), ['shop/a', 'shop/b', 'shop/c']);
  t.deepEqual([...source.state.objects.Namespace.keys()], ['/shop']);
  t.deepEqual(source.problems(), []);
});

test('a folder that is not there is an error at start', async (t) => {
  await t.throwsAsync(new FileSource([join(tmpdir(), 'fairlead-no-such-folder')]).start(() => {}), { message: /is not a folder$/ });
});

test('anchors and merge keys are understood; custom tags, repeated keys and alias bombs are Problems with their line', async (t) => {
  const bomb = `a: &a [x,x,x,x,x,x,x,x,x,x]\n${['b', 'c', 'd', 'e'].map((name, index) => `${name}: &${name} [${Array.from({ length: 10 }, () => `*${'abcd'[index]}`).join(',')}]\n`).join('')}`;
  const { source } = await setup(t, {
    'anchors.yaml': 'metadata: &m\n  name: shop\n<<: &k { apiVersion: v1, kind: Namespace }\n',
    'bomb.yaml': bomb,
    'deep.yaml': '['.repeat(50_000),
    'repeated.yaml': 'kind: Namespace\napiVersion: v1\nmetadata:\n  name: a\n  name: b\n',
    'repeated.json': '{"kind":"Namespace","apiVersion":"v1",\n"metadata":{"name":"a",\n"name":"b"}}',
    'tag.yaml': 'kind: Namespace\nmetadata: !!js/function evil\n',
  });
  t.deepEqual([...source.state.objects.Namespace.keys()], ['/shop']);
  t.deepEqual(
    source.problems().map((problem) => [source.locate(problem.origin)?.file.split('/').at(-1), source.locate(problem.origin)?.line]),
    [['bomb.yaml', 1], ['deep.yaml', 1], ['repeated.json', 3], ['repeated.yaml', 5], ['tag.yaml', 2]],
  );
});

test('files that cannot be read for what they are: each is a Problem of its own, and no other file notices', async (t) => {
  const { source, folder, path } = await setup(t, {
    'ok.yaml': ingress('web'),
    'big.yaml': `# ${'x'.repeat(10 * 1024 * 1024)}\n`,
    'broken.yaml': `${ingress('a')}---\nkind: Ingress\nmetadata:\n  name: b\n bad: indentation\n`,
    'broken.json': '{\n"kind": "Ingress",\n}',
    'text.yaml': 'just some words\n',
    'latin1.yaml': '',
  });
  await source.stop();
  writeFileSync(join(folder, 'latin1.yaml'), Buffer.from([0x61, 0x3a, 0x20, 0xe9, 0x0a]));
  const again = new FileSource([folder], { watch: false });
  await again.start(() => {});
  const problems = again.problems().map((problem) => [again.locate(problem.origin)?.file.slice(folder.length + 1), problem.reason, again.locate(problem.origin)?.line, problem.effect]);
  t.deepEqual(problems, [
    ['big.yaml', 'FileTooLarge', 1, 'ObjectRefused'],
    ['broken.json', 'FileNotParsed', 3, 'ObjectRefused'],
    ['broken.yaml', 'FileNotParsed', 18, 'ObjectRefused'],
    ['latin1.yaml', 'FileNotParsed', 1, 'ObjectRefused'],
    ['text.yaml', 'InvalidObject', 1, 'ObjectRefused'],
  ]);
  t.deepEqual([...again.state.objects.Ingress.keys()], ['shop/web']);
  t.is(path('web'), '/');
});

test('no Problem of a file quotes what stands in it', async (t) => {
  const { source } = await setup(t, {
    'a.yaml': 'kind: Secret\ndata:\n  tls.key: MARK: MARK\n',
    'b.json': '{"tls.key": "MARK" MARK}',
    'c.yaml': 'tls.key: *MARK\n',
    'd.yaml': 'tls.key: "MARK\\qMARK"\n',
    'e.yaml': '- !MARK x\n',
    'f.yaml': 'MARK\n',
    'g.yaml': 'x: 1\nMARK\n',
  });
  t.is(source.problems().length, 7);
  t.notRegex(JSON.stringify(source.problems()), /MARK/);
});

test('a field is found by its line, the nearest parent standing in for what is missing', async (t) => {
  const text = `# first\n---\n${ingress('a')}---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: web\n  namespace: shop\n  annotations:\n    example.com/a: "1"\n    example.com/a.b: "2"\nspec: {rules: [{host: web.example.com},\n  {host: b.example.com}]}\n`;
  const json = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'x' } }, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'y' } }] }, null, 1);
  const { source, folder } = await setup(t, { 'a.yaml': text, 'b.json': json });
  const line = (name: string, field?: string, kind = 'Ingress', namespace = 'shop'): string => {
    const place = source.locate({ kind, namespace, name, ...(field === undefined ? {} : { field }) });
    const lines = readFileSync(place?.file ?? '', 'utf8').split('\n');
    t.is(place?.file, join(folder, kind === 'Ingress' ? 'a.yaml' : 'b.json'));
    return lines[(place?.line ?? 0) - 1]?.trim() ?? '';
  };
  t.is(source.locate({ kind: 'Ingress', namespace: 'shop', name: 'a' })?.line, 3);
  t.is(line('a', 'spec.rules[0].http.paths[0].path'), '- path: /');
  t.is(line('a', 'spec.rules[0].http.paths[0].backend.service.name'), 'backend: { service: { name: web, port: { number: 80 } } }');
  t.is(line('a', 'spec.rules[0].http.paths[7].path'), 'paths:');
  t.is(line('a', 'spec.tls[0].secretName'), 'spec:');
  t.is(line('web', 'metadata.annotations[example.com/a.b]'), 'example.com/a.b: "2"');
  t.is(line('web', 'metadata.annotations.example.com/a'), 'example.com/a: "1"');
  t.is(line('web', 'spec.rules[1].host'), '{host: b.example.com}]}');
  t.is(line('y', 'metadata.name', 'Namespace', ''), '"name": "y"');
  t.is(source.locate({ kind: 'Ingress', namespace: 'shop', name: 'nobody' }), undefined);
});

test('objects that do not decode are located by field, also without a name', async (t) => {
  const { source } = await setup(t, { 'a.yaml': `${ingress('a')}---\n${ingress('web', 'no-slash')}---\n${ingress('""', 'also-none', 'nameless.example.com')}---\nkind: {}\n` });
  t.deepEqual(
    source.problems().map((problem) => [problem.origin.field, source.locate(problem.origin)?.line]),
    [['metadata.name', 32], ['spec.rules[0].http.paths[0].path', 39], [undefined, 43], ['spec.rules[0].http.paths[0].path', 25]],
  );
  t.deepEqual([...source.state.objects.Ingress.keys()], ['shop/a']);
});

test('of an object in several places the first by folder and path is taken; a copy is a warning, another version an error', async (t) => {
  const { folder } = await setup(t, { 'one/b.yaml': ingress('web', '/b'), 'one/a/z.yaml': ingress('web', '/z'), 'two/a.yaml': `${ingress('web', '/z')}---\n${ingress('other')}---\n${ingress('other', '/2')}` });
  const source = new FileSource([join(folder, 'one'), join(folder, 'two')], { watch: false });
  await source.start(() => {});
  t.is(source.state.objects.Ingress.get('shop/web')?.rules[0]?.paths[0]?.path, '/z');
  t.deepEqual(
    source.problems().map((problem) => [problem.reason, problem.severity, problem.effect, source.locate(problem.origin)?.file.slice(folder.length + 1), source.locate(problem.origin)?.line]),
    [
      ['DuplicateObject', 'error', 'ObjectRefused', 'one/b.yaml', 1],
      ['DuplicateObject', 'warning', 'None', 'two/a.yaml', 1],
      ['DuplicateObject', 'error', 'ObjectRefused', 'two/a.yaml', 29],
    ],
  );
  t.true(source.problems()[0]?.message.includes('one/a/z.yaml'));
});

test('an edit is taken over, and tells exactly what changed', async (t) => {
  const { source, calls, path, write, until } = await setup(t, { 'a.yaml': `${ingress('web')}---\n${ingress('other')}` });
  const other = source.state.objects.Ingress.get('shop/other');
  write('a.yaml', `${ingress('web', '/new')}---\n${ingress('other').replace('kind: Ingress', 'kind:   Ingress # the same')}`);
  await until(() => path('web') === '/new');
  t.deepEqual(calls, [[{ kind: 'Ingress', key: 'shop/web' }]]);
  t.is(source.state.objects.Ingress.get('shop/other'), other, 'an object that did not change is the same object');
});

test('a file that is written again as it was changes nothing', async (t) => {
  const { calls, write } = await setup(t, { 'a.yaml': ingress('web') });
  write('a.yaml', ingress('web'));
  write('b.txt', 'anything');
  await atRest();
  t.deepEqual(calls, []);
});

test('an atomic rename over a file, as editors do it, is one change', async (t) => {
  const { folder, calls, path, until } = await setup(t, { 'a.yaml': ingress('web', '/old') });
  for (let round = 0; round < 5; round++) {
    writeFileSync(join(folder, '.a.yaml.tmp'), ingress('web', `/${round}`));
    renameSync(join(folder, '.a.yaml.tmp'), join(folder, 'a.yaml'));
    await until(() => path('web') === `/${round}`);
  }
  t.is(calls.length, 5);
});

test('an editor that moves the old file away and writes a new one never takes the object out of force', async (t) => {
  const { folder, path, until, seen } = await setup(t, { 'a.yaml': ingress('web', '/old') });
  renameSync(join(folder, 'a.yaml'), join(folder, 'a.yaml~'));
  await sleep(5);
  writeFileSync(join(folder, 'a.yaml'), ingress('web', '/new'));
  unlinkSync(join(folder, 'a.yaml~'));
  await until(() => path('web') === '/new');
  t.deepEqual(seen, ['/new']);
});

test('a file that is truncated and written in steps is applied as a whole', async (t) => {
  const old = `${ingress('web', '/old')}---\n${ingress('other')}`;
  const fresh = `${ingress('web', '/new')}---\n${ingress('other', '/new')}`;
  const { folder, source, calls, path, until, seen } = await setup(t, { 'a.yaml': old });
  const file = join(folder, 'a.yaml');
  truncateSync(file);
  for (const [from, to] of [[0, 40], [40, 150], [150, 290], [290, undefined]] as const) {
    await sleep(5);
    appendFileSync(file, fresh.slice(from, to));
  }
  await until(() => path('web') === '/new' && path('other') === '/new');
  t.deepEqual(seen, ['/new']);
  t.is(calls.length, 1);
  t.deepEqual(source.problems(), []);
});

test('a file that stays empty, broken or cut off keeps its objects in force until it is repaired', async (t) => {
  const { source, path, until, seen, write } = await setup(t, { 'a.yaml': ingress('web', '/old') });
  for (const [text, reason] of [['', 'FileEmpty'], ['a: b: c\n', 'FileNotParsed'], [ingress('web', '/new').slice(0, 100), 'FileNotParsed']] as const) {
    write('a.yaml', text);
    await until(() => reasons(source)[0] === reason);
    const [problem] = source.problems();
    t.like(problem, { severity: 'error', effect: 'None' });
    t.regex(problem?.hint ?? '', /stay in force/);
    t.is(path('web'), '/old');
  }
  write('a.yaml', ingress('web', '/new'));
  await until(() => path('web') === '/new');
  t.deepEqual(source.problems(), []);
  t.deepEqual(seen.filter((value) => value !== '/old'), ['/new']);
});

test('an object that no longer decodes keeps its last good version, and its file is otherwise taken over', async (t) => {
  const { source, path, until, write } = await setup(t, { 'a.yaml': `${ingress('web', '/old')}---\n${ingress('other')}` });
  write('a.yaml', `${ingress('web', 'no-slash')}---\n${ingress('other', '/new')}`);
  await until(() => path('other') === '/new');
  t.is(path('web'), '/old');
  const [problem] = source.problems();
  t.like(problem, { reason: 'InvalidObject', effect: 'None', origin: { name: 'web', field: 'spec.rules[0].http.paths[0].path' } });
  t.regex(problem?.hint ?? '', /last good version/);
  t.is(problem && source.locate(problem.origin)?.line, 11);
  write('a.yaml', ingress('other', '/new'));
  await until(() => path('web') === undefined);
  t.deepEqual(source.problems(), []);
});

test('a broken object that never was in force is refused, and one that is broken in its first place is not taken from a later one', async (t) => {
  const { source, path, until, write } = await setup(t, { 'a.yaml': ingress('web', '/a'), 'b.yaml': ingress('web', '/b'), 'c.yaml': ingress('new', 'no-slash') });
  t.is(source.problems().find(({ origin }) => origin.name === 'new')?.effect, 'ObjectRefused');
  write('a.yaml', ingress('web', 'no-slash'));
  await until(() => reasons(source).includes('InvalidObject') && source.problems().length === 3);
  t.is(path('web'), '/a');
});

test('what is refused is known to be there, and what is repaired or deleted no longer counts as refused', async (t) => {
  const { source, calls, until, write } = await setup(t, { 'a.yaml': ingress('web', 'no-slash') });
  const refused = (): string[] => [...source.state.refused.Ingress].map(([key, { refused: why }]) => `${key} ${why}`);
  t.regex(refused().join(), /^shop\/web spec\.rules\[0\]\.http\.paths\[0\]\.path: /);
  write('a.yaml', ingress('web', '/a'));
  await until(() => source.state.objects.Ingress.has('shop/web'));
  t.deepEqual(refused(), []);
  write('a.yaml', ingress('web', 'no-slash'));
  await until(() => source.problems().length === 1);
  t.deepEqual(refused(), [], 'the last good version goes on');
  write('a.yaml', ingress('other', 'no-slash'));
  await until(() => refused().some((text) => text.startsWith('shop/other ')));
  t.deepEqual(calls.flat().map(({ key }) => key), ['shop/web', 'shop/web', 'shop/other']);
  write('a.yaml', ingress('third'));
  await until(() => source.state.objects.Ingress.has('shop/third'));
  t.deepEqual(refused(), []);
});

test('a deleted file takes its objects with it, and the next place of an object comes into force', async (t) => {
  const { folder, source, path, until, calls } = await setup(t, { 'a.yaml': `${ingress('web', '/a')}---\n${ingress('other')}`, 'b.yaml': ingress('web', '/b') });
  unlinkSync(join(folder, 'a.yaml'));
  await until(() => path('web') === '/b');
  t.deepEqual([...source.state.objects.Ingress.keys()], ['shop/web']);
  t.is(calls.length, 1);
  t.deepEqual(source.problems(), []);
});

test('an object that moves to another file stays in force', async (t) => {
  const { folder, source, path, until, seen } = await setup(t, { 'a.yaml': ingress('web', '/same') });
  renameSync(join(folder, 'a.yaml'), join(folder, 'b.yaml'));
  await until(() => source.locate({ kind: 'Ingress', namespace: 'shop', name: 'web' })?.file === join(folder, 'b.yaml'));
  t.is(path('web'), '/same');
  t.true(seen.every((value) => value === '/same'));
  t.deepEqual(source.problems(), []);
});

test('new subfolders are watched, with all that is in them, and a deleted one is given up', async (t) => {
  const { folder, source, path, until, write } = await setup(t, {});
  write('one/two/web.yaml', ingress('web', '/1'));
  await until(() => path('web') === '/1');
  write('one/two/web.yaml', ingress('web', '/2'));
  await until(() => path('web') === '/2');
  renameSync(join(folder, 'one'), join(folder, 'three'));
  await until(() => source.locate({ kind: 'Ingress', namespace: 'shop', name: 'web' })?.file === join(folder, 'three/two/web.yaml'));
  write('three/two/web.yaml', ingress('web', '/3'));
  await until(() => path('web') === '/3');
  rmSync(join(folder, 'three'), { recursive: true });
  await until(() => path('web') === undefined);
  t.is(source.state.objects.Ingress.size, 0);
});

test('a mounted ConfigMap is read through its links and followed when it is exchanged', async (t) => {
  const { folder, source, path, until, write } = await setup(t, {});
  const mount = join(folder, 'mount');
  const version = (name: string, value: string): void => {
    write(`mount/${name}/web.yaml`, ingress('web', value));
    symlinkSync(name, join(mount, '..data_tmp'));
    renameSync(join(mount, '..data_tmp'), join(mount, '..data'));
  };
  version('..2026_01', '/1');
  symlinkSync('..data/web.yaml', join(mount, 'web.yaml'));
  await until(() => path('web') === '/1');
  version('..2026_02', '/2');
  rmSync(join(mount, '..2026_01'), { recursive: true });
  await until(() => path('web') === '/2');
  t.is(source.state.objects.Ingress.size, 1);
  t.deepEqual(source.problems(), []);
});

test('a link to a folder that it stands in comes to an end', async (t) => {
  const { folder, source } = await setup(t, { 'a/web.yaml': ingress('web') }, { watch: false });
  symlinkSync('..', join(folder, 'a/up'));
  const again = new FileSource([folder], { watch: false });
  await again.start(() => {});
  t.deepEqual([...again.state.objects.Ingress.keys()], [...source.state.objects.Ingress.keys()]);
  t.deepEqual(again.problems(), []);
});

test('a folder that is taken away as a whole leaves its objects in force', async (t) => {
  const { folder, source, path, until, write } = await setup(t, { 'a.yaml': ingress('web', '/1') }, { rescanMs: 30 });
  renameSync(folder, `${folder}-away`);
  await until(() => reasons(source).includes('FileUnreadable'));
  await atRest();
  t.is(path('web'), '/1');
  renameSync(`${folder}-away`, folder);
  write('a.yaml', ingress('web', '/2'));
  await until(() => path('web') === '/2');
  t.deepEqual(source.problems(), []);
});

test('a hundred files that change at once are one call or a few, and none is missed', async (t) => {
  const names = Array.from({ length: 100 }, (_, index) => `web${index}`);
  const { path, until, write, calls } = await setup(t, Object.fromEntries(names.map((name) => [`${name}.yaml`, ingress(name)])));
  for (const name of names) write(`${name}.yaml`, ingress(name, '/new'));
  await until(() => names.every((name) => path(name) === '/new'));
  t.is(calls.flat().length, 100);
});

test('a file that is rewritten without a pause is read nevertheless', async (t) => {
  const { path, until, write } = await setup(t, { 'a.yaml': ingress('web', '/old') });
  let round = 0;
  const timer = setInterval(() => write('a.yaml', ingress('web', `/${round++}`)), 5);
  t.teardown(() => clearInterval(timer));
  await until(() => path('web') !== '/old' && round < 1000);
  t.not(path('web'), '/old');
});

test('what no event tells is found by looking at everything from time to time', async (t) => {
  const elsewhere = await setup(t, { 'web.txt': ingress('web', '/old') }, { watch: false });
  const { folder, path, until } = await setup(t, {}, { rescanMs: 30 });
  symlinkSync(join(elsewhere.folder, 'web.txt'), join(folder, 'web.yaml'));
  await until(() => path('web') === '/old');
  elsewhere.write('web.txt', ingress('web', '/new'));
  await until(() => path('web') === '/new');
  t.pass();
});

test('after stop nothing changes any more, and a process that only had a source open ends', async (t) => {
  const { folder, source, path, write } = await setup(t, { 'a.yaml': ingress('web', '/old') });
  write('a.yaml', ingress('web', '/new'));
  await source.stop();
  await atRest();
  t.is(path('web'), '/old');
  const module = new URL('../../controller/files.ts', import.meta.url).href;
  const program = `import { FileSource } from ${JSON.stringify(module)}; const source = new FileSource([${JSON.stringify(folder)}]); await source.start(() => {}); await source.stop(); console.log('stopped');`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], { timeout: 20_000 });
  t.is(stdout, 'stopped\n');
});
