// The last good table on disk, so that a start while the Kubernetes API is away serves what was served before. One file, with
// a checksum over all of it, readable by this process alone (it holds private keys), and replaced as a whole or not at all.
import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdir, open, readFile, rename, unlink } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as pause, setImmediate as yieldToOthers } from 'node:timers/promises';
import { SECTION_NAMES } from '../proxy/table/snapshot.ts';
import type { SectionName, Sections } from '../proxy/table/snapshot.ts';
import type { Problem } from './model/problem.ts';
import { seen } from './model/seen.ts';

/** What a file of another layout says first, so that it is not mistaken for one of this. */
const FORMAT = 'fairlead-table-2';
const NAME = 'table';
/** Work without a break, in milliseconds. */
const SLICE_MS = 5;
const CHUNK_BYTES = 256 * 1024;
/** What a file system may take for the last of its work. */
const STOP_MS = 5_000;

export interface SavedTable {
  readonly sections: Sections;
  /** Milliseconds since the epoch. */
  readonly savedAt: number;
}

/** What is in the folder: a table, a Problem with it, or nothing (undefined). */
export type Loaded = { readonly table: SavedTable } | { readonly problem: Problem } | undefined;

export class StateDir {
  readonly #file: string;
  readonly #folder: string;
  readonly #firstDelayMs: number;
  readonly #gapMs: number;
  readonly #onFailure: (error: unknown) => void;
  #next: (() => Sections) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;
  #loading: Promise<Loaded> | undefined;
  #underWay = 0;
  #savedAt: number | undefined;
  #stopped = false;

  /** A change is written a second after it came, and changes that go on every ten seconds; `onFailure` hears why it could not be. */
  constructor(folder: string, onFailure: (error: unknown) => void, { firstDelayMs = 1_000, gapMs = 10_000 } = {}) {
    this.#folder = folder;
    this.#file = join(folder, NAME);
    this.#onFailure = onFailure;
    this.#firstDelayMs = firstDelayMs;
    this.#gapMs = gapMs;
  }

  /** When the file was last written, in milliseconds since the epoch; undefined: not by this process. */
  get savedAt(): number | undefined {
    return this.#savedAt;
  }

  /** True: the file system has not answered yet. A thread may sit in a system call then, for which `process.exit` would wait. */
  get busy(): boolean {
    return this.#underWay > 0;
  }

  load(): Promise<Loaded> {
    this.#loading = this.#counted(this.#load());
    return this.#loading;
  }

  async #load(): Promise<Loaded> {
    let text: string;
    try {
      text = await readFile(this.#file, { encoding: 'utf8', flag: constants.O_RDONLY | constants.O_NOFOLLOW });
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      return code === 'ENOENT' ? undefined : { problem: this.#problem(`the saved table cannot be read (${code})`) };
    }
    const parsed = parseTable(text);
    return typeof parsed === 'string' ? { problem: this.#problem(parsed) } : parsed;
  }

  /** The table has changed; `sections` gives it as it is when the time to write has come. */
  changed(sections: () => Sections): void {
    if (this.#stopped) return;
    this.#next = sections;
    this.#schedule();
  }

  /** Writes what has not been written yet, and nothing any more afterwards. A file system that does not answer is waited for some seconds; then it is still `busy`. */
  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    await Promise.race([this.#finish(), pause(STOP_MS, undefined, { ref: false })]);
  }

  async #finish(): Promise<void> {
    await this.#loading;
    await this.#writing;
    this.#stopped = true;
    if (this.#next !== undefined) await this.#counted(this.#write());
  }

  #counted<T>(work: Promise<T>): Promise<T> {
    this.#underWay++;
    return work.finally(() => this.#underWay--);
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#writing !== undefined || this.#stopped) return;
    const sinceMs = this.#savedAt === undefined ? Number.POSITIVE_INFINITY : Date.now() - this.#savedAt;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#writing = this.#counted(this.#write()).finally(() => {
        this.#writing = undefined;
        if (this.#next !== undefined) this.#schedule();
      });
    }, Math.max(this.#firstDelayMs, this.#gapMs - Math.max(0, sinceMs)));
  }

  async #write(): Promise<void> {
    const changed = this.#next;
    const sections = changed?.();
    this.#next = undefined;
    if (sections === undefined) return;
    const draft = `${this.#file}.new`;
    try {
      await makeFolder(this.#folder);
      await unlink(draft).catch(() => undefined);
      const handle = await open(draft, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
      try {
        await writeTable(handle, sections);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(draft, this.#file);
    } catch (error) {
      // It is as unsaved as it was, and the next change may be days away.
      this.#next ??= changed;
      this.#onFailure(error);
    }
    // After a failure as well: a full disk is not asked all the time.
    this.#savedAt = Date.now();
  }

  #problem(message: string): Problem {
    return {
      severity: 'error',
      reason: 'StateUnreadable',
      origin: { kind: 'File', namespace: '', name: this.#file },
      message,
      hint: 'It is ignored, and replaced with the next table.',
      effect: 'None',
    };
  }
}

/** With all above it. Not by `recursive: true`: where a folder is there and takes none, as /proc does, Node goes on to ask for ever. */
async function makeFolder(folder: string): Promise<void> {
  const make = (): Promise<void> =>
    mkdir(folder, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  await make().catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT' || dirname(folder) === folder) throw error;
    await makeFolder(dirname(folder));
    await make();
  });
}

/** One line for the format, one per entry, one for the checksum of all before it. */
async function writeTable(handle: FileHandle, sections: Sections): Promise<void> {
  // All as it is now: entries never change, but the sections do while this waits, and half of two tables is none.
  const entries = SECTION_NAMES.map((section) => [section, Object.entries(sections[section])] as const);
  const out = new Output(handle);
  await out.line(JSON.stringify({ format: FORMAT, savedAt: Date.now() }));
  let since = performance.now();
  for (const [section, all] of entries) {
    for (const [key, value] of all) {
      await out.line(JSON.stringify([section, key, value]));
      if (performance.now() - since < SLICE_MS) continue;
      await yieldToOthers();
      since = performance.now();
    }
  }
  await out.end();
}

class Output {
  readonly #handle: FileHandle;
  readonly #hash: Hash = createHash('sha256');
  #chunk: string[] = [];
  #length = 0;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  async line(text: string): Promise<void> {
    this.#chunk.push(text, '\n');
    this.#length += text.length;
    if (this.#length >= CHUNK_BYTES) await this.#flush();
  }

  async end(): Promise<void> {
    await this.#flush();
    await this.#handle.write(`${this.#hash.digest('hex')}\n`);
  }

  async #flush(): Promise<void> {
    const bytes = Buffer.from(this.#chunk.join(''));
    this.#chunk = [];
    this.#length = 0;
    this.#hash.update(bytes);
    for (let at = 0; at < bytes.length; ) at += (await this.#handle.write(bytes, at)).bytesWritten;
  }
}

/** A text says why it cannot be used. */
function parseTable(text: string): { readonly table: SavedTable } | string {
  const end = text.lastIndexOf('\n', text.length - 2) + 1;
  if (!text.endsWith('\n') || createHash('sha256').update(text.slice(0, end)).digest('hex') !== text.slice(end, -1)) return 'the saved table is damaged: its checksum does not fit';
  const [head = '', ...lines] = text.slice(0, end - 1).split('\n');
  const { format, savedAt } = JSON.parse(head) as { readonly format?: unknown; readonly savedAt: number };
  if (format !== FORMAT) return 'the saved table is one of another version of Fairlead';
  const sections = Object.fromEntries(SECTION_NAMES.map((name) => [name, {}])) as { [S in SectionName]: Record<string, unknown> };
  for (const line of lines) {
    const [section, key, value] = JSON.parse(line) as [SectionName, string, unknown];
    if (!Object.hasOwn(sections, section)) return `the saved table has a section ${seen(String(section))}, which there is not`;
    sections[section][key] = value;
  }
  return { table: { sections: sections as unknown as Sections, savedAt } };
}
