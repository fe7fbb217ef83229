// Keeps RESULTS.md: what stands between a pair of markers is written by the bench, everything else by people.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const FILE = fileURLToPath(new URL('../RESULTS.md', import.meta.url));

/** Puts `text` between `<!-- NAME:begin -->` and `<!-- NAME:end -->`. Throws if the markers are not there. */
export function writeResults(name: string, text: string): void {
  const before = readFileSync(FILE, 'utf8');
  const begin = `<!-- ${name}:begin -->`;
  const end = `<!-- ${name}:end -->`;
  const from = before.indexOf(begin);
  const to = before.indexOf(end);
  if (from < 0 || to < from) throw new Error(`test/bench/RESULTS.md has no markers ${begin} and ${end}`);
  writeFileSync(FILE, `${before.slice(0, from + begin.length)}\n${text.trim()}\n${before.slice(to)}`);
}
