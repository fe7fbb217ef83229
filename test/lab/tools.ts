// Where the system's tools are. Folders of npm are passed over, because a package puts an `nft` of its own on the PATH of
// every npm script, and the sbin folders are added, because the PATH of a user without root leaves them out.
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';

const found = new Map<string, string | undefined>();

/** Absolute path of a system tool; undefined if the machine has none. */
export function findTool(name: string): string | undefined {
  if (!found.has(name)) found.set(name, search(name));
  return found.get(name);
}

/** The same for a tool without which nothing works. Throws if it is missing. */
export function tool(name: string): string {
  const path = findTool(name);
  if (path === undefined) throw new Error(`the lab needs ${name}, and this machine has none`);
  return path;
}

function search(name: string): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(':').filter((folder) => folder !== '' && !folder.includes('node_modules'));
  for (const folder of [...folders, '/usr/sbin', '/sbin', '/usr/bin', '/bin']) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // not here
    }
  }
  return undefined;
}
