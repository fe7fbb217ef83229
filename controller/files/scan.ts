// What lies in a folder of manifests: every file that counts, with a stamp that changes whenever the file does, and every
// folder, to be watched. Symbolic links are followed, as Kubernetes mounts ConfigMaps by them (`x.yaml → ..data/x.yaml`).
import { readdirSync, statSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { join } from 'node:path';

export interface Tree {
  /** Path → stamp. */
  readonly files: Map<string, string>;
  /** Path → identity of the folder behind it. */
  readonly folders: Map<string, string>;
  /** Files and folders that are there but could not be read → error code. */
  readonly unreadable: Map<string, string>;
}

export function emptyTree(): Tree {
  return { files: new Map(), folders: new Map(), unreadable: new Map() };
}

/** `yaml` or `json` for names of manifests; undefined for all others: editors' temporary files (`.x.yaml.swp`, `x.yaml~`, `#x.yaml#`) among them. */
export function formatOf(name: string): 'yaml' | 'json' | undefined {
  if (isHidden(name)) return undefined;
  return /\.ya?ml$/i.test(name) ? 'yaml' : /\.json$/i.test(name) ? 'json' : undefined;
}

/** Hidden, or set aside by an editor: neither read nor descended into. */
export function isHidden(name: string): boolean {
  return name.startsWith('.') || name.endsWith('~') || (name.startsWith('#') && name.endsWith('#'));
}

/** Size, time and identity: a write, a rename over the file and a change of what a link points to all change it. */
export function stampOf(stats: Stats): string {
  return `${stats.dev}:${stats.ino}:${stats.size}:${stats.mtimeMs}:${stats.ctimeMs}`;
}

/** Adds all that is under `folder` to `tree`. */
export function scanFolder(folder: string, tree: Tree, above: readonly string[] = []): void {
  let names: string[];
  let identity: string;
  try {
    const stats = statSync(folder);
    identity = `${stats.dev}:${stats.ino}`;
    // A link to a folder that it stands in.
    if (above.includes(identity)) return;
    names = readdirSync(folder).filter((name) => !isHidden(name));
  } catch (error) {
    // One that went while it was looked at is simply gone; the folder that was asked for never is.
    if (above.length === 0 || errorCode(error) !== 'ENOENT') tree.unreadable.set(folder, errorCode(error));
    return;
  }
  tree.folders.set(folder, identity);
  for (const name of names) {
    const path = join(folder, name);
    try {
      const stats = statSync(path, { throwIfNoEntry: false });
      if (stats === undefined) continue;
      if (stats.isDirectory()) scanFolder(path, tree, [...above, identity]);
      else if (stats.isFile() && formatOf(name) !== undefined) tree.files.set(path, stampOf(stats));
    } catch (error) {
      if (formatOf(name) !== undefined) tree.unreadable.set(path, errorCode(error));
    }
  }
}

/** The system's word for what went wrong (`EACCES`). */
export function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
}
