// One section of a Markdown file that several programs write: what stands between its two marks is replaced.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';

/** Makes the file or the section if it is missing; a new section comes last. */
export function replaceSection(file: string, name: string, text: string): void {
  const [begin, end] = [`<!-- ${name}: begin -->`, `<!-- ${name}: end -->`];
  const before = existsSync(file) ? readFileSync(file, 'utf8') : '# Results\n';
  const section = `${begin}\n${text.trim()}\n${end}`;
  const [from, to] = [before.indexOf(begin), before.indexOf(end)];
  const after = from < 0 || to < from ? `${before.trimEnd()}\n\n${section}\n` : before.slice(0, from) + section + before.slice(to + end.length);
  writeFileSync(file, after);
}
