// `table`: prints the routing table that some folders of manifests mean. What is wrong in them goes to standard error as a
// count, so that the table itself can be compared and piped.
import { printTable, printable } from '../../proxy/table/print.ts';
import { summary } from '../report.ts';
import type { Settings } from '../settings.ts';
import { load } from './load.ts';

/** The exit code: always 0, for there always is a table. */
export async function table(dirs: readonly string[], settings: Settings, output: 'text' | 'json'): Promise<number> {
  const { sections, problems } = await load(dirs, settings, false);
  process.stdout.write(output === 'text' ? printTable(sections) : `${JSON.stringify(printable(sections), undefined, 2)}\n`);
  if (problems.length > 0) process.stderr.write(`fairlead: ${summary(problems)}; see fairlead check\n`);
  return 0;
}
