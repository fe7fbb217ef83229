// What the READMEs of this folder say is tested where: the files are there, and the tests whose titles they quote.
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const FILES: ReadonlyMap<string, string> = new Map(globSync('**/*.test.ts', { cwd: HERE }).map((file) => [file.slice(0, -'.test.ts'.length), readFileSync(join(HERE, file), 'utf8')]));

/** Names in code type, such as `soak/routes`, with the quoted titles behind each: *1 and 3*. Commands have blanks in them. */
function namesIn(text: string): { readonly file: string; readonly titles: string[] }[] {
  const names: { readonly file: string; readonly titles: string[] }[] = [];
  for (const [, file, title] of text.matchAll(/`([^`]+)`|(?<!\*)\*([^*]+)\*/g)) {
    if (file !== undefined) names.push({ file, titles: [] });
    else names.at(-1)?.titles.push(title as string);
  }
  return names.filter(({ file }) => !/[ :=]/.test(file));
}

/** A number begins a title, or is one of the parts that a title is made of; words are anywhere in it. */
function hasTitle(source: string, title: string): boolean {
  return /^[\d and]+$/.test(title) ? new RegExp(`[\`']${title}(?: [^:]*)?: |\\bnumber: '?${title}\\b`).test(source) : source.includes(title);
}

/** What is not there; `folder`: where a bare name is looked for first. */
function missing(names: ReturnType<typeof namesIn>, folder: string): string[] {
  return names.flatMap(({ file, titles }) => {
    const path = [`${folder}/${file}`, file].find((each) => FILES.has(each)) ?? [...FILES.keys()].find((each) => each.endsWith(`/${file}`));
    if (path === undefined) return [`no file ${file}`];
    return titles.filter((title) => !hasTitle(FILES.get(path) as string, title)).map((title) => `no test ${title} in ${path}`);
  });
}

test('every test that the list of faults names is there, and every number has one', (t) => {
  const rows = readFileSync(join(HERE, 'soak/README.md'), 'utf8').split('\n').filter((line) => /^\| \d/.test(line)).map((line) => line.split('|').map((cell) => cell.trim()));
  const names = rows.map((cells) => ({ number: cells[1] as string, named: namesIn(cells.at(-2) as string) }));
  t.deepEqual(names.map(({ number }) => number), [...Array.from({ length: 26 }, (_, nth) => String(nth + 1)), '26b', ...Array.from({ length: 23 }, (_, nth) => String(nth + 27))]);
  t.deepEqual(names.flatMap(({ number, named }) => missing(named, 'soak').map((what) => `${number}: ${what}`)), []);
  // The figures of 8 and 40 are those of a benchmark.
  t.deepEqual(names.filter(({ named }) => named.length === 0).map(({ number }) => number), ['8', '40']);
});

test('every test that the list of conformance tests names is there', (t) => {
  const text = readFileSync(join(HERE, 'conformance/README.md'), 'utf8');
  const rows = text.split('\n').filter((line) => line.startsWith('| ')).map((line) => line.split('|').at(-2) as string);
  const elsewhere = /^Elsewhere: [^]*?\n\n/m.exec(text)?.[0] ?? '';
  const names = [...rows, elsewhere].flatMap(namesIn);
  t.true(names.length > 20, `${names.length} names`);
  t.deepEqual(missing(names, 'conformance'), []);
});
