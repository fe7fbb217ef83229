// Which characters may stand where, as tables of 256 entries indexed by char code: 1 is allowed, 0 is not. A code beyond
// the table reads as undefined and NaN (behind the end) too, so `TABLE[code] === 1` is the whole test.

function table(characters: string, ...ranges: readonly (readonly [number, number])[]): Uint8Array {
  const allowed = new Uint8Array(256);
  for (let i = 0; i < characters.length; i++) allowed[characters.charCodeAt(i)] = 1;
  for (const [first, last] of ranges) allowed.fill(1, first, last + 1);
  return allowed;
}

const DIGITS = [0x30, 0x39] as const;
const UPPER = [0x41, 0x5a] as const;
const LOWER = [0x61, 0x7a] as const;

/** RFC 9110 §5.6.2 tchar: methods, field names, tokens. */
export const TCHAR = table("!#$%&'*+-.^_`|~", DIGITS, UPPER, LOWER);

/** RFC 9110 §5.5: visible ASCII, SP, HTAB and obs-text. */
export const FIELD_VALUE = table('\t', [0x20, 0x7e], [0x80, 0xff]);

/** A reg-name as this proxy accepts it: narrower than RFC 3986, wider than DNS by the underscore. */
export const HOST = table('-._', DIGITS, UPPER, LOWER);

/** RFC 3986 §3.3 pchar without `%` and without `;`, and `/`: what stands for itself in a canonical path. */
export const PATH_PLAIN = table("-._~!$&'()*+,=:@/", DIGITS, UPPER, LOWER);

/** Value of a hexadecimal digit; -1: it is none. */
export function hexValue(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  if (code >= 0x41 && code <= 0x46) return code - 0x37;
  if (code >= 0x61 && code <= 0x66) return code - 0x57;
  return -1;
}

/** True: one or more tchar. */
export function isToken(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (TCHAR[text.charCodeAt(i)] !== 1) return false;
  return text.length > 0;
}

/** True: nothing in it can end a field line. Blanks at the ends are not looked at; empty is fine. */
export function isFieldValue(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (FIELD_VALUE[text.charCodeAt(i)] !== 1) return false;
  return true;
}

/** Without SP and HTAB at its ends (RFC 9110 §5.6.3 OWS). `trim` takes off more, such as the octet 0xA0, which is part of a value. */
export function withoutBlanks(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  return text.substring(start, end);
}

/** SP or HTAB. */
export function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
