// Encodes fields for HTTP/2 (RFC 7541) without a dynamic table. What an encoder does not put into the table nobody can guess
// from sizes, and it costs the other side no memory.
import type { RawHeaders } from '../http/exchange.ts';
import { STATIC } from './hpack.ts';

const INDEXED = 0x80;
const NOT_REMEMBERED = 0x00;
/** No proxy on the way may put it into a table either (RFC 7541 §7.1.3). */
const NEVER_REMEMBERED = 0x10;
const SECRET = new Set(['authorization', 'cookie', 'set-cookie', 'proxy-authorization']);

/** What an encoder without table says at the beginning of its first block, and whenever the other side wants a smaller table. */
export const NO_TABLE = Buffer.from([0x20]);
/** A field takes no more octets than its text and these. */
export const FIELD_OVERHEAD = 12;

/** For each name of the static table, as it is most often written: its index, and above that what kind of literal it is. */
const NAMES = new Map<string, number>();
/** Index of each pair of name and value that a request is likely to have. */
const PAIR_INDEX = new Map<string, number>();
const STATUS_INDEX: number[] = [];
STATIC.forEach((name, at) => {
  if (at % 2 === 1) return;
  const index = at / 2 + 1;
  const code = (SECRET.has(name) ? NEVER_REMEMBERED << 8 : 0) | index;
  const titled = name.replaceAll(/(^|-)[a-z]/g, (letter) => letter.toUpperCase());
  for (const spelled of [name, titled]) if (!NAMES.has(spelled)) NAMES.set(spelled, code);
  if (STATIC[at + 1] !== '') PAIR_INDEX.set(`${name}\n${STATIC[at + 1]}`, index);
  if (name === ':status') STATUS_INDEX[Number(STATIC[at + 1])] = index;
});
NAMES.set('ETag', NAMES.get('etag') as number);
const STATUS_NAME = NAMES.get(':status') as number;

/** Octets that `putFields` takes at most. */
export function mostOctets(fields: RawHeaders): number {
  let size = 0;
  for (let i = 0; i < fields.length; i++) size += (fields[i] as string).length;
  return size + (fields.length >> 1) * FIELD_OVERHEAD;
}

/** A block for these fields, which must be fit for HTTP/2; names are made lower-case. One octet per character. */
export function encodeFields(fields: RawHeaders): Buffer {
  const block = Buffer.allocUnsafe(mostOctets(fields));
  return block.subarray(0, putFields(block, 0, fields));
}

/** Writes fields at `start`; gives where they end. */
export function putFields(block: Buffer, start: number, fields: RawHeaders): number {
  let at = start;
  for (let i = 0; i < fields.length; i += 2) at = putField(block, at, fields[i] as string, fields[i + 1] as string);
  return at;
}

export function putStatus(block: Buffer, start: number, status: number): number {
  let at = start;
  const index = STATUS_INDEX[status];
  if (index !== undefined) {
    block[at++] = INDEXED | index;
    return at;
  }
  block[at++] = NOT_REMEMBERED | STATUS_NAME;
  return putString(block, at, String(status));
}

function putField(block: Buffer, start: number, name: string, value: string): number {
  if (name.charCodeAt(0) === 58) {
    const pair = PAIR_INDEX.get(`${name}\n${value}`);
    if (pair !== undefined) {
      block[start] = INDEXED | pair;
      return start + 1;
    }
  }
  let at = start;
  let code = NAMES.get(name);
  if (code === undefined) {
    const lower = name.toLowerCase();
    code = NAMES.get(lower);
    if (code === undefined) {
      block[at++] = NOT_REMEMBERED;
      at = putString(block, at, lower);
      return putString(block, at, value);
    }
  }
  at = putInteger(block, at, code >> 8, 4, code & 0xff);
  return putString(block, at, value);
}

/** Up to this length a loop is quicker than a call into native code. */
const SHORT = 24;

function putString(block: Buffer, start: number, text: string): number {
  const { length } = text;
  let at = putInteger(block, start, 0, 7, length);
  if (length > SHORT) return at + block.write(text, at, 'latin1');
  for (let i = 0; i < length; i++) block[at++] = text.charCodeAt(i);
  return at;
}

function putInteger(block: Buffer, start: number, flags: number, prefix: number, value: number): number {
  const mask = (1 << prefix) - 1;
  let at = start;
  if (value < mask) {
    block[at++] = flags | value;
    return at;
  }
  block[at++] = flags | mask;
  let rest = value - mask;
  while (rest >= 0x80) {
    block[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  block[at++] = rest;
  return at;
}
