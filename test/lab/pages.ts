// What the lab's applications serve: the pages of the packet counts (612 bytes, 10 KB, a site of four files) and a large one.
import { createHash } from 'node:crypto';

const KB = 1024;

export const SMALL_PAGE = '/small.html';
export const PAGE = '/page.html';
export const BIG_FILE = '/big.bin';
/** A page and what a browser loads with it, in order. */
export const SITE: readonly string[] = ['/site/index.html', '/site/style.css', '/site/script.js', '/site/image.png'];

/** Bytes by path. The first is as long as the welcome page of nginx. */
export const PAGES: ReadonlyMap<string, Buffer> = new Map([
  [SMALL_PAGE, filled(612)],
  [PAGE, filled(10 * KB)],
  ['/site/index.html', filled(10 * KB)],
  ['/site/style.css', filled(5 * KB)],
  ['/site/script.js', filled(20 * KB)],
  ['/site/image.png', filled(30 * KB)],
  [BIG_FILE, filled(KB * KB)],
]);

export function digest(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Bytes of which no two blocks are alike, so that what is lost or doubled shows. */
function filled(length: number): Buffer {
  const text = Array.from({ length: Math.ceil(length / 8) }, (_unset, index) => index.toString(16).padStart(7, '0')).join('\n');
  return Buffer.from(`${text}\n`.slice(0, length), 'latin1');
}
