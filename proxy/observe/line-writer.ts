// Writes log lines without ever making the data path wait: lines are gathered into chunks, chunks are written by another
// thread, and when the reader of the log is too slow, whole lines are dropped and counted. Several workers share one
// standard output, so on anything but a regular file a chunk is small enough for the system to write it in one piece.
import { close as closeFile, fstatSync, open, openSync } from 'node:fs';
import { promisify } from 'node:util';
import sonic from 'sonic-boom';

/** PIPE_BUF of Linux: a write of up to this size is never mixed with those of another process. */
export const ATOMIC_WRITE = 4096;
const FILE_WRITE = 64 * 1024;
/** What may wait for a slow reader, in bytes. */
const MAX_WAITING = 1024 * 1024;
const FLUSH_MS = 100;
const CLOSE_MS = 1000;
/** A file that gets no more lines tries what still waits for it so often. */
const RETRY_MS = 200;

const opened = promisify(open);

export class LineWriter {
  readonly #target: string;
  #out: sonic.SonicBoom;
  /** Files that were followed by another one, until all of their lines are written. */
  readonly #former = new Set<Promise<void>>();
  #reopening = Promise.resolve();
  #closed = false;
  #isFile = false;
  #chunk = '';
  #chunkBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #dropped = 0;
  #failure = '';

  /** `target`: `stdout`, or the path of a file that is appended to. Throws if the file cannot be opened. */
  constructor(target: string) {
    this.#target = target;
    this.#out = this.#output(target === 'stdout' ? 1 : openSync(target, 'a'));
  }

  /** Lines lost because their reader was too slow or gone. */
  get dropped(): number {
    return this.#dropped;
  }

  /** The last error of the output; empty if there was none. */
  get failure(): string {
    return this.#failure;
  }

  get #mostAtOnce(): number {
    return this.#isFile ? FILE_WRITE : ATOMIC_WRITE;
  }

  /** Takes one line with its line feed. */
  write(line: string): void {
    const bytes = Buffer.byteLength(line);
    if (this.#chunkBytes + bytes > this.#mostAtOnce) this.#flush();
    this.#chunk += line;
    this.#chunkBytes += bytes;
    this.#timer ??= setTimeout(() => this.#flush(), FLUSH_MS).unref();
  }

  /**
   * Resolves when lines go to a file that has just been opened by the same name, which is another one if the one before was moved away. Rejects
   * if it cannot be opened: then they go where they went. One after the other, so that the last one opened is the last one asked for.
   */
  reopen(): Promise<void> {
    this.#reopening = this.#reopening.catch(() => undefined).then(() => this.#openAnew());
    return this.#reopening;
  }

  /**
   * Resolves to true when everything has been handed to the system, or to false after a second if the reader does not take it: then a thread may
   * sit in a write, for which `process.exit` would wait.
   */
  close(): Promise<boolean> {
    this.#closed = true;
    this.#flush();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, CLOSE_MS, false);
      void Promise.all([...this.#former, ended(this.#out)]).then(() => {
        clearTimeout(timer);
        resolve(true);
      });
    });
  }

  /**
   * A new output in place of `reopen()` of the old one, which after a failure closes the old file twice, the second time as whatever socket has got
   * its number since, and which loses what waits if it is ended meanwhile.
   */
  async #openAnew(): Promise<void> {
    // A pipe has nothing to move away, and another writer on one that nobody reads would be another thread that waits.
    if (!this.#isFile) throw new Error('it is no regular file');
    const fd = await opened(this.#target, 'a');
    if (this.#closed) return closeFile(fd);
    const former = ended(this.#out);
    this.#former.add(former);
    void former.then(() => this.#former.delete(former));
    this.#out = this.#output(fd);
  }

  #output(fd: number): sonic.SonicBoom {
    this.#isFile = fstatSync(fd).isFile();
    const out = new sonic.SonicBoom({ fd, maxLength: MAX_WAITING, maxWrite: this.#mostAtOnce });
    out.on('drop', (chunk: string) => (this.#dropped += lineCount(chunk)));
    // A full disk or a closed pipe: what waits is kept and tried again with the next chunk, until it is too much.
    out.on('error', (error: Error) => (this.#failure = error.message));
    return out;
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#chunkBytes === 0) return;
    const chunk = this.#chunk;
    this.#chunk = '';
    this.#chunkBytes = 0;
    this.#out.write(chunk);
  }
}

/** Resolves when all that was given to it has been written and it is closed. */
function ended(out: sonic.SonicBoom): Promise<void> {
  return new Promise((resolve) => {
    out.once('close', resolve);
    out.on('error', () => setTimeout(tryAgain, RETRY_MS).unref());
    out.end();

    /** No chunk follows that would bring what waits along. */
    function tryAgain(): void {
      try {
        out.write('');
      } catch {
        // It is closed, and the error was that of closing it.
        resolve();
      }
    }
  });
}

function lineCount(chunk: string): number {
  let count = 0;
  for (let at = chunk.indexOf('\n'); at !== -1; at = chunk.indexOf('\n', at + 1)) count++;
  return count;
}
