// What this process uses: file descriptors and memory. Reading it takes a descriptor, of which there may be none left: then new
// connections are closed at once, without a word to the program, and these numbers are where it shows. Nothing here throws.
import { readFileSync, readdirSync, statSync } from 'node:fs';

export interface FileDescriptors {
  readonly open: number;
  /** 0: not known. */
  readonly limit: number;
}

const FOLDER = '/proc/self/fd';
let limit = 0;
let resident = 0;

/** Without a free descriptor: as many as there may be. */
export function fileDescriptors(): FileDescriptors {
  limit = readLimit() ?? limit;
  return { open: countOpen() ?? limit, limit };
}

/** Bytes; without a free descriptor what it was at the last look. */
export function residentMemory(): number {
  try {
    resident = process.memoryUsage.rss();
  } catch {
    // The last one will do.
  }
  return resident;
}

/** Linux 6.2 and newer tell the number as the size of the folder; older ones let it be listed, which takes a descriptor. */
function countOpen(): number | undefined {
  try {
    const { size } = statSync(FOLDER);
    return size > 0 ? size : readdirSync(FOLDER).length - 1;
  } catch {
    return undefined;
  }
}

function readLimit(): number | undefined {
  try {
    const found = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1];
    return found === undefined ? undefined : Number(found);
  } catch {
    return undefined;
  }
}
