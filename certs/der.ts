// DER (X.690) as far as OCSP messages and revocation lists need it: definite lengths, low tags. Node reads certificates, and
// nothing else of this family. The reader checks every length against what is there and gives up rather than guess.

export interface Der {
  /** Class, constructed bit and number in one byte. */
  readonly tag: number;
  readonly content: Buffer;
  /** Header and content. */
  readonly whole: Buffer;
}

export const TAG = { INTEGER: 2, BIT_STRING: 3, OCTET_STRING: 4, NULL: 5, OID: 6, ENUMERATED: 10, UTC_TIME: 23, GENERALIZED_TIME: 24, SEQUENCE: 0x30, SET: 0x31 } as const;

/** The tag [n], constructed: explicit, or implicit over something constructed. */
export const context = (number: number): number => 0xa0 + number;

/** One element at the beginning of the bytes. Undefined: there is none that is whole and properly encoded. */
export function readDer(bytes: Buffer): Der | undefined {
  const tag = bytes[0];
  const first = bytes[1];
  if (tag === undefined || first === undefined || (tag & 0x1f) === 0x1f) return undefined;
  let length = first;
  let at = 2;
  if (first >= 0x80) {
    const count = first - 0x80;
    if (count === 0 || count > 4 || bytes.length < 2 + count) return undefined;
    length = bytes.readUIntBE(2, count);
    at += count;
    // The shortest form is the only one.
    if (length < 0x80 || bytes[2] === 0) return undefined;
  }
  const end = at + length;
  return end > bytes.length ? undefined : { tag, content: bytes.subarray(at, end), whole: bytes.subarray(0, end) };
}

/** The elements of a constructed one; undefined: they do not fill it exactly. */
export function children({ content }: Der): Der[] | undefined {
  const found: Der[] = [];
  for (let at = 0; at < content.length; ) {
    const next = readDer(content.subarray(at));
    if (next === undefined) return undefined;
    found.push(next);
    at += next.whole.length;
  }
  return found;
}

/** The one element that the bytes are, if it has that tag and nothing follows it; its children. */
export function readConstructed(bytes: Buffer, tag: number = TAG.SEQUENCE): Der[] | undefined {
  const der = readDer(bytes);
  return der === undefined || der.tag !== tag || der.whole.length !== bytes.length ? undefined : children(der);
}

/** UTCTime or GeneralizedTime in UTC with seconds (RFC 5280 §4.1.2.5), in milliseconds since the epoch. Undefined: it is none. */
export function readTime({ tag, content }: Der): number | undefined {
  const text = content.toString('latin1');
  const [, digits = ''] = (tag === TAG.UTC_TIME ? /^(\d{12})Z$/ : tag === TAG.GENERALIZED_TIME ? /^(\d{14})Z$/ : /^$/).exec(text) ?? [];
  if (digits === '') return undefined;
  const full = digits.length === 14 ? digits : `${Number(digits.slice(0, 2)) < 50 ? '20' : '19'}${digits}`;
  const [, year, month, day, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)$/.exec(full) ?? [];
  const time = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(time) ? undefined : time;
}

/** `1.2.840.…`; empty where it is damaged. */
export function readOid({ content }: Der): string {
  const arcs: number[] = [];
  let arc = 0;
  for (const byte of content) {
    arc = arc * 128 + (byte & 0x7f);
    if (arc > Number.MAX_SAFE_INTEGER / 128) return '';
    if (byte >= 0x80) continue;
    if (arcs.length === 0) arcs.push(Math.min(2, Math.floor(arc / 40)), arc - 40 * Math.min(2, Math.floor(arc / 40)));
    else arcs.push(arc);
    arc = 0;
  }
  return arcs.join('.');
}

export function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag]), lengthBytes(content.length), content]);
}

function lengthBytes(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length]);
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return Buffer.from([0x80 + bytes.length, ...bytes]);
}

export const sequence = (...parts: readonly Buffer[]): Buffer => der(TAG.SEQUENCE, ...parts);

export function oid(text: string): Buffer {
  const [first = 0, second = 0, ...arcs] = text.split('.').map(Number);
  const bytes = [first * 40 + second, ...arcs].flatMap((arc) => {
    const groups = [arc % 128];
    for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128)) groups.unshift(0x80 + (rest % 128));
    return groups;
  });
  return der(TAG.OID, Buffer.from(bytes));
}
