// Tells that something happened in one of some folders. One watcher per folder and none recursive: on Linux, Node builds the
// recursive kind out of a watcher per file. What happened is not believed, only where: the reader looks for itself.
import { watch } from 'node:fs';
import type { FSWatcher } from 'node:fs';
import { basename, join } from 'node:path';
import { errorCode } from './scan.ts';

export class FolderWatch {
  readonly #watchers = new Map<string, { readonly identity: string; readonly watcher: FSWatcher }>();
  readonly #onEvent: (path: string, written: boolean) => void;

  /** `onEvent` gets the path of what changed: a file, or a folder in which anything may have changed. `written`: its content is being written just now; it did not only come, go or get another name. */
  constructor(onEvent: (path: string, written: boolean) => void) {
    this.#onEvent = onEvent;
  }

  /** Watches exactly these folders (path → identity). Gives the code of an error that keeps a folder from being watched, if there was one. */
  follow(folders: ReadonlyMap<string, string>): string | undefined {
    let failure: string | undefined;
    for (const [folder, { identity, watcher }] of this.#watchers) {
      if (folders.get(folder) === identity) continue;
      watcher.close();
      this.#watchers.delete(folder);
    }
    for (const [folder, identity] of folders) {
      if (this.#watchers.has(folder)) continue;
      try {
        this.#watchers.set(folder, { identity, watcher: this.#open(folder) });
      } catch (error) {
        // Gone again already, which the next look will show; or the system's limit of watches is reached.
        if (errorCode(error) !== 'ENOENT') failure = errorCode(error);
      }
    }
    return failure;
  }

  /** True: this is one of the folders. */
  follows(folder: string): boolean {
    return this.#watchers.has(folder);
  }

  close(): void {
    for (const { watcher } of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  #open(folder: string): FSWatcher {
    const watcher = watch(folder, (event, name) => {
      // A folder that is itself moved or deleted reports its own name.
      this.#onEvent(name === null || name === basename(folder) ? folder : join(folder, name), event === 'change');
    });
    watcher.on('error', () => {
      watcher.close();
      if (this.#watchers.get(folder)?.watcher === watcher) this.#watchers.delete(folder);
      this.#onEvent(folder, false);
    });
    return watcher;
  }
}
