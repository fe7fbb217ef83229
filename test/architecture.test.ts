// Holds the house's rules: who may import whom, what only one place may do, and that every file says what it is for.
// The table below is the rule; a new folder has to be entered there before it can be used.
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** A part of the house: the files that it is, and what they may import besides the part itself. The first entry that fits a file counts. */
interface Part {
  readonly files: string;
  /** Folders or files of this project, packages, and node: modules; `node:*` means any. */
  readonly may: readonly string[];
}

const PURE_NODE = ['node:net', 'node:buffer', 'node:crypto'];
const PARTS: readonly Part[] = [
  { files: 'proxy/table/', may: [] },
  { files: 'proxy/http/', may: ['proxy/table/', 'node:http', 'node:stream', ...PURE_NODE] },
  { files: 'proxy/http2/', may: ['proxy/http/', 'proxy/net/', 'node:net'] },
  { files: 'proxy/time/', may: [] },
  { files: 'proxy/net/', may: ['node:net'] },
  { files: 'proxy/filters/registry.ts', may: ['proxy/table/', 'proxy/http/', 'proxy/filters/', 'node:*'] },
  { files: 'proxy/filters/', may: ['proxy/table/', 'proxy/http/', 're2js', ...PURE_NODE] },
  { files: 'proxy/match/', may: ['proxy/table/', 'proxy/http/', 'proxy/filters/', 're2js'] },
  { files: 'proxy/balance/', may: ['proxy/table/', 'proxy/http/', ...PURE_NODE] },
  { files: 'proxy/upstream/upgrade.ts', may: ['proxy/table/', 'proxy/http/', 'proxy/time/', 'proxy/upstream/', 'http-proxy', 'node:*'] },
  { files: 'proxy/upstream/', may: ['proxy/table/', 'proxy/http/', 'proxy/http2/', 'proxy/time/', 'proxy/net/', 'proxy/balance/', 'undici', 'lru-cache', 'node:*'] },
  { files: 'proxy/observe/', may: ['proxy/table/', 'proxy/http/', 'sonic-boom', 'node:*'] },
  { files: 'proxy/server/', may: ['proxy/', 'lru-cache', 'node:*'] },
  { files: 'proxy/serve.ts', may: ['proxy/', 'lru-cache', 'node:*'] },
  { files: 'proxy/worker.ts', may: ['proxy/serve.ts'] },
  { files: 'certs/self-signed.ts', may: ['proxy/table/', 'certs/', 'node-forge', 'node:crypto'] },
  { files: 'certs/ciphers.ts', may: ['node:tls'] },
  { files: 'certs/', may: ['proxy/table/', 'node:crypto', 'node:net'] },
  { files: 'controller/model/', may: ['proxy/table/', 'proxy/http/', 'controller/kube/objects.ts', 'controller/kube/state.ts', 'node:crypto', 'node:net', 'node:util'] },
  { files: 'controller/kube/objects.ts', may: [] },
  { files: 'controller/kube/state.ts', may: ['proxy/table/', 'controller/model/', 'controller/kube/objects.ts'] },
  { files: 'controller/kube/', may: ['proxy/table/', 'controller/kube/', 'controller/model/', '@kubernetes/client-node', 'undici', 'node:*'] },
  { files: 'controller/files.ts', may: ['controller/files/', 'controller/kube/', 'controller/model/', 'proxy/table/', 'yaml', 'node:*'] },
  { files: 'controller/files/', may: ['controller/kube/', 'controller/model/', 'proxy/table/', 'yaml', 'node:*'] },
  { files: 'controller/dialects/', may: ['proxy/table/', 'proxy/http/', 'proxy/filters/', 'proxy/match/', 'controller/model/', 'controller/kube/objects.ts', 'controller/kube/state.ts', 'certs/', 're2js', 'node:net', 'node:crypto', 'node:util'] },
  { files: 'controller/build/', may: ['certs/', 'proxy/table/', 'proxy/http/', 'proxy/match/', 'proxy/filters/', 'controller/model/', 'controller/kube/objects.ts', 'controller/kube/state.ts', 'node:crypto', 'node:util'] },
  { files: 'controller/pipeline.ts', may: ['proxy/table/', 'controller/model/', 'controller/dialects/', 'controller/build/', 'controller/kube/objects.ts', 'controller/kube/state.ts', 'certs/', 'node:util'] },
  { files: 'controller/publish/', may: ['proxy/table/', 'node:*'] },
  { files: 'controller/admin/', may: ['proxy/table/', 'controller/model/', 'controller/report.ts', 'prom-client', 'node:http', 'node:net'] },
  { files: 'controller/explain.ts', may: ['proxy/table/', 'proxy/http/', 'proxy/match/', 'proxy/filters/', 'proxy/balance/', 'proxy/server/forward/plan.ts', 'proxy/server/http1/request.ts', 'proxy/server/limits.ts', 'proxy/server/misdirected.ts', 'proxy/server/reply.ts', 'controller/report.ts', 'node:net'] },
  { files: 'controller/settings.ts', may: ['proxy/table/'] },
  // Shells around the pure parts: they may put anything of the controller together, and start workers by path alone.
  { files: 'controller/', may: ['proxy/table/', 'certs/', 'controller/', 'package.json', 'commander', 'pino', 'sonic-boom', 'node:*'] },
];

/** Rules about what stands in a file, strings and comments aside. `but`: the places where it is allowed. */
const FORBIDDEN: readonly { readonly what: string; readonly pattern: RegExp; readonly but: readonly string[] }[] = [
  { what: 'type any', pattern: /(?::|<|\bas|\|)\s*any\b(?!\s*[:(])/, but: [] },
  { what: 'code made of text', pattern: /\beval\s*\(|\bnew Function\b/, but: [] },
  { what: 'process environment', pattern: /\bprocess\.env\b/, but: ['proxy/serve.ts', 'controller/publish/worker-process.ts', 'controller/demo.ts', 'controller/demo/', 'controller/kube/'] },
  { what: 'syntax that type stripping cannot remove', pattern: /^\s*(?:export\s+)?(?:const\s+)?enum\s|^\s*(?:export\s+)?namespace\s+\w+\s*\{|constructor\([^)]*\b(?:private|public|protected)\s/m, but: [] },
];
const SILENCING = /@ts-(?:ignore|nocheck|expect-error)|(?:eslint|oxlint)-disable/;
const CHILD_PROCESS_PLACES: readonly string[] = ['controller/publish/', 'controller/demo.ts', 'controller/demo/'];

/** What any file may take from node:fs: it reads. Everything else is allowed by name, in the files that need it. */
const READING: ReadonlySet<string> = new Set(['readFileSync', 'statSync', 'lstatSync', 'fstatSync', 'readdirSync', 'realpathSync', 'existsSync', 'watch', 'readFile', 'stat', 'readdir', 'realpath', 'constants']);
const WRITING: ReadonlyMap<string, readonly string[]> = new Map([
  ['proxy/observe/line-writer.ts', ['openSync', 'open', 'close']],
  ['controller/state-dir.ts', ['mkdir', 'open', 'rename', 'unlink']],
  ['controller/cli/run.ts', ['openSync', 'closeSync', 'writeSync']],
  ['controller/demo.ts', ['mkdirSync', 'mkdtempSync', 'writeFileSync', 'rmSync']],
]);

const sources = globSync(['proxy/**/*.ts', 'controller/**/*.ts', 'certs/**/*.ts'], { cwd: ROOT }).sort();
const texts = new Map(sources.map((file) => [file, readFileSync(join(ROOT, file), 'utf8')]));

test('the scan has seen the project', (t) => {
  t.true(sources.length > 50, `only ${sources.length} files`);
  t.true(sources.some((file) => importsOf(file).includes('proxy/table/snapshot.ts')), 'no import was understood');
  const empty = PARTS.filter((part) => !sources.some((file) => partOf(file) === part)).map((part) => part.files);
  t.deepEqual(empty, [], 'parts without a file');
});

test('every import is allowed by the table', (t) => {
  const wrong = sources.flatMap((file) => {
    const part = partOf(file);
    return part === undefined ? [`${file} belongs to no part`] : importsOf(file).filter((target) => !mayImport(part, target)).map((target) => `${file} may not import ${target}`);
  });
  t.deepEqual(wrong, []);
});

test('nothing under proxy/ imports the controller', (t) => {
  t.deepEqual(sources.filter((file) => file.startsWith('proxy/') && importsOf(file).some((target) => target.startsWith('controller/'))), []);
});

test('nothing under proxy/ speaks HTTP/2 by node:http2', (t) => {
  t.deepEqual(sources.filter((file) => file.startsWith('proxy/') && importsOf(file).includes('node:http2')), []);
});

for (const { what, pattern, but } of FORBIDDEN) {
  test(`no ${what}${but.length === 0 ? '' : `, but in ${but.join(' ')}`}`, (t) => {
    t.deepEqual(sources.filter((file) => !isAt(file, but) && pattern.test(codeOf(file))), []);
  });
}

test('nothing silences the type checker or the linter', (t) => {
  t.deepEqual(sources.filter((file) => SILENCING.test(textOf(file))), []);
});

test('processes are started by publish and by the demo alone', (t) => {
  t.deepEqual(sources.filter((file) => importsOf(file).some((target) => /^node:(?:child_process|cluster|worker_threads)$/.test(target)) && !isAt(file, CHILD_PROCESS_PLACES)), []);
});

test('the file system is written to in no other place than those named here', (t) => {
  const wrong = sources.flatMap((file) => fileSystemNames(file).filter((name) => !READING.has(name) && !(WRITING.get(file) ?? []).includes(name)).map((name) => `${file}: ${name}`));
  t.deepEqual(wrong, []);
});

test('every file begins with a comment on what it is for', (t) => {
  const wrong = sources.filter((file) => {
    const lines = textOf(file).split('\n').filter((line, index) => !(index === 0 && line.startsWith('#!')));
    const header = lines.findIndex((line) => !line.startsWith('//'));
    return header < 1 || header > 14 || (lines[0] ?? '').length < 20;
  });
  t.deepEqual(wrong, []);
});

test('no file has more than four hundred lines', (t) => {
  t.deepEqual(sources.filter((file) => textOf(file).split('\n').length > 401), []);
});

function mayImport(part: Part, target: string): boolean {
  if (partOf(target) === part) return true;
  return part.may.some((may) => (may === 'node:*' ? target.startsWith('node:') : target === may || (may.endsWith('/') && target.startsWith(may))));
}

function isAt(file: string, places: readonly string[]): boolean {
  return places.some((place) => file === place || (place.endsWith('/') && file.startsWith(place)));
}

function textOf(file: string): string {
  return texts.get(file) ?? '';
}

function partOf(file: string): Part | undefined {
  return PARTS.find(({ files }) => (files.endsWith('/') ? file.startsWith(files) : file === files));
}

/** What a file imports: paths from the root, package names, or node: modules. */
function importsOf(file: string): readonly string[] {
  const found: string[] = [];
  for (const [, named, called, bare] of textOf(file).matchAll(/^(?:import|export)\b[^;'"]*\bfrom\s*'([^']+)'|\bimport\s*\(\s*'([^']+)'|^import\s+'([^']+)'/gm)) {
    const specifier = named ?? called ?? bare ?? '';
    if (specifier.startsWith('.')) found.push(normalize(join(dirname(file), specifier)));
    else if (specifier.startsWith('node:')) found.push(specifier);
    else found.push(specifier.split('/').slice(0, specifier.startsWith('@') ? 2 : 1).join('/'));
  }
  return found;
}

/** Names that a file imports from node:fs; `*` for the module as a whole. */
function fileSystemNames(file: string): readonly string[] {
  return [...textOf(file).matchAll(/import\s+(type\s+)?([^;]*?)\s+from\s+'node:fs(?:\/promises)?'/g)]
    .filter(([, type]) => type === undefined)
    .flatMap(([, , clause = '']) => {
      const named = /\{([^}]*)\}/.exec(clause)?.[1];
      if (named === undefined) return ['*'];
      return named.split(',').map((name) => name.trim().replace(/\s+as\s.*/, '')).filter((name) => name !== '' && !name.startsWith('type '));
    });
}

/** The text without comments, and with empty strings. */
function codeOf(file: string): string {
  return textOf(file)
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`/g, "''")
    .replace(/\/\/.*$/gm, '');
}
