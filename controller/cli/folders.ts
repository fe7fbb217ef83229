// Folders named on the command line must be there: a mistyped path would otherwise look like an empty table.
import { statSync } from 'node:fs';
import { Failure } from './failure.ts';

/** Throws a Failure for the first one that is no folder. */
export function checkFolders(dirs: readonly string[]): void {
  for (const dir of dirs) {
    const found = statSync(dir, { throwIfNoEntry: false });
    if (found === undefined) throw new Failure(2, `there is no folder ${dir}`);
    if (!found.isDirectory()) throw new Failure(2, `${dir} is not a folder`);
  }
}
