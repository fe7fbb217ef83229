// Writes log lines without ever making the data path wait: lines are gathered into chunks, chunks are written by another
// thread, and when the reader of the log is too slow, whole lines are dropped and counted. Several workers share one
// standard output, so on anything but a regular file a chunk is small enough for the system to write it in one piece.
import { fstatSync, openSync } from 'node:fs';
import sonic from 'sonic-boom';

/** PIPE_BUF of Linux: a write of up to this size is never mixed with those of another process. */
export const ATOMIC_WRITE = 4096;
const FILE_WRITE = 64 * 1024;
/** What may wait for a slow reader, in bytes. */
const MAX_WAITING = 1024 * 1024;
const FLUSH_MS = 100;
const CLOSE_MS = 1000;

export class LineWriter {
  readonly #out: sonic.SonicBoom;
  readonly #chunkSize: number;
  #chunk = '';
  #chunkBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #dropped = 0;
  #failure = '';

  /** `target`: `stdout`, or the path of a file that is appended to. Throws if the file cannot be opened. */
  constructor(target: string) {
    const fd = target === 'stdout' ? 1 : openSync(target, 'a');
    this.#chunkSize = fstatSync(fd).isFile() ? FILE_WRITE : ATOMIC_WRITE;
    this.#out = new sonic.SonicBoom({ fd, maxLength: MAX_WAITING, maxWrite: this.#chunkSize });
    this.#out.on('drop', (chunk: string) => (this.#dropped += lineCount(chunk)));
    // A full disk or a closed pipe: what waits is kept and tried again with the next chunk, until it is too much.
    this.#out.on('error', (error: Error) => (this.#failure = error.message));
  }

  /** Lines lost because their reader was too slow or gone. */
  get dropped(): number {
    return this.#dropped;
  }

  /** The last error of the output; empty if there was none. */
  get failure(): string {
    return this.#failure;
  }

  /** Takes one line with its line feed. */
  write(line: string): void {
    const bytes = Buffer.byteLength(line);
    if (this.#chunkBytes + bytes > this.#chunkSize) this.#flush();
    this.#chunk += line;
    this.#chunkBytes += bytes;
    this.#timer ??= setTimeout(() => this.#flush(), FLUSH_MS).unref();
  }

  /**
   * Resolves to true when everything has been handed to the system, or to false after a second if the reader does not take it: then a thread may
   * sit in a write, for which `process.exit` would wait.
   */
  close(): Promise<boolean> {
    this.#flush();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, CLOSE_MS, false);
      this.#out.once('close', () => {
        clearTimeout(timer);
        resolve(true);
      });
      this.#out.end();
    });
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

function lineCount(chunk: string): number {
  let count = 0;
  for (let at = chunk.indexOf('\n'); at !== -1; at = chunk.indexOf('\n', at + 1)) count++;
  return count;
}
