// The request target (RFC 9112 §3.2) and THE path normaliser: the canonical path made here is what is matched, authorised
// and logged, everywhere.
//
//   `%41`, `%7E`, `%24`     a character that may stand for itself in a path is decoded (RFC 3986 §6.2.2.2; `$` and its like too)
//   `%2f`, `%20`, `%c3%a9`  stays encoded, in upper case;  `|`, `"` and the like, which no URI may hold raw, become `%7C`, `%22`
//   `//`                    is one slash;  `/./` and `/../` (also `%2e`) are resolved
//   400                     `#`, blanks, control and non-ASCII bytes; `%` without two hex digits; `%00`–`%1F`, `%7F`; overlong UTF-8;
//                           a raw `\` in the path; `..` above the root; dot segments that only show once `%2F`, `%5C` or `;` are
//                           taken apart, as some endpoints do: `/public/..%2Fadmin`, `/a/..;/b`
//
// The endpoint gets the raw target, byte for byte, except that resolved dot segments send the canonical path. What else it may take
// the path for, if it decodes `%2F` or drops parameters (readings.ts), comes along, and must lead to the same route (match/ambiguity.ts):
// so it never sees a path that leads elsewhere than the one that was authorised.
import { parseAuthority } from './authority.ts';
import { NO_READINGS, otherReadings } from './readings.ts';
import { PATH_PLAIN, hexValue } from './syntax.ts';

export interface Target {
  readonly form: 'origin' | 'absolute' | 'asterisk' | 'authority';
  /** Origin form, as it is sent on; `*` and the authority itself for those two forms. */
  readonly target: string;
  /** Canonical; `*` for asterisk-form, empty for authority-form. */
  readonly path: string;
  /** Of the path; see `Request.otherPaths`. */
  readonly otherPaths: readonly string[];
  /** Without `?`; raw. */
  readonly query: string;
  /** Of absolute-form and authority-form, well-formed; it takes the place of Host (RFC 9112 §3.2.2). */
  readonly authority: string | undefined;
}

/** Why a target was refused: the status to answer and a sentence fragment for the log. */
export interface TargetError {
  readonly status: 400;
  readonly text: string;
}

const SLASH = 47;
const QUESTION_MARK = 63;
const HASH = 35;
const PERCENT = 37;
const BACKSLASH = 92;
const SEMICOLON = 59;
const DOT = 46;

const refuse = (text: string): TargetError => ({ status: 400, text });
const BAD_BYTE = refuse('a request target with a byte that is not visible ASCII');
const FRAGMENT = refuse('a request target with a fragment');
const BAD_FORM = refuse('a request target that is neither a path nor a URL');
const BAD_AUTHORITY = refuse('a request target with a malformed host');
const BAD_PERCENT = refuse('a path with a percent sign that is not followed by two hexadecimal digits');
const CONTROL = refuse('a path with an encoded control character');
const OVERLONG = refuse('a path with overlong UTF-8');
const RAW_BACKSLASH = refuse('a path with a backslash');
const ABOVE_ROOT = refuse('a path that leads above the root');
const HIDDEN_DOTS = refuse('a path with hidden dot segments');
const NO_SLASH = refuse('a path that does not begin with a slash');

const ASTERISK: Target = { form: 'asterisk', target: '*', path: '*', otherPaths: NO_READINGS, query: '', authority: undefined };

/** Reads a request target as it stood in the request line or in `:path`. */
export function parseTarget(text: string, method: string): Target | TargetError {
  if (method === 'CONNECT') {
    const authority = parseAuthority(text);
    return authority?.port === undefined ? BAD_AUTHORITY : { form: 'authority', target: text, path: '', otherPaths: NO_READINGS, query: '', authority: text };
  }
  if (text.charCodeAt(0) === SLASH) return parseOrigin(text, undefined);
  if (text === '*') return method === 'OPTIONS' ? ASTERISK : BAD_FORM;
  return parseAbsolute(text, method);
}

/** `http://host[:port]/path?query`. The scheme is the connection's business. */
function parseAbsolute(text: string, method: string): Target | TargetError {
  const start = /^https?:\/\//i.exec(text)?.[0].length;
  if (start === undefined) return BAD_FORM;
  let end = start;
  while (end < text.length) {
    const code = text.charCodeAt(end);
    if (code === SLASH || code === QUESTION_MARK || code === HASH) break;
    end++;
  }
  const authority = text.slice(start, end);
  if (parseAuthority(authority) === undefined) return BAD_AUTHORITY;
  const rest = text.slice(end);
  // RFC 9112 §3.2.4: without path and query it asks about the server itself.
  if (rest === '' && method === 'OPTIONS') return { ...ASTERISK, authority };
  return parseOrigin(rest.charCodeAt(0) === SLASH ? rest : `/${rest}`, authority);
}

/** `text` begins with a slash. */
function parseOrigin(text: string, authority: string | undefined): Target | TargetError {
  const { length } = text;
  let plain = true;
  let at = 0;
  let code = SLASH;
  let before = 0;
  // One pass over the path: most paths are canonical already, and then nothing is copied.
  while (at < length) {
    code = text.charCodeAt(at);
    if (code === QUESTION_MARK) break;
    if (PATH_PLAIN[code] !== 1) {
      if (code < 0x21 || code > 0x7e) return BAD_BYTE;
      if (code === HASH) return FRAGMENT;
      plain = false;
    } else if (before === SLASH && (code === SLASH || (code === DOT && isDotSegment(text, at)))) {
      plain = false;
    }
    before = code;
    at++;
  }
  const pathEnd = at;
  for (at++; at < length; at++) {
    code = text.charCodeAt(at);
    if (code < 0x21 || code > 0x7e) return BAD_BYTE;
    if (code === HASH) return FRAGMENT;
  }
  const raw = pathEnd === length ? text : text.substring(0, pathEnd);
  const query = pathEnd === length ? '' : text.substring(pathEnd + 1);
  const form = authority === undefined ? 'origin' : 'absolute';
  if (plain) return { form, target: text, path: raw, otherPaths: NO_READINGS, query, authority };
  const normal = normalize(raw);
  if ('status' in normal) return normal;
  const target = normal.resolved ? normal.path + text.substring(pathEnd) : text;
  return { form, target, path: normal.path, otherPaths: normal.otherPaths, query, authority };
}

/** At `at` stands the dot that begins a segment: is the segment `.` or `..`? (An encoded dot is found by its percent sign.) */
function isDotSegment(text: string, at: number): boolean {
  let next = text.charCodeAt(at + 1);
  if (next === DOT) next = text.charCodeAt(at + 2);
  return next === SLASH || next === QUESTION_MARK || next === PERCENT || Number.isNaN(next);
}

/** The canonical form of a path without query, or why it has none. Canonical paths are returned as they are. */
export function canonicalPath(path: string): string | TargetError {
  if (path.charCodeAt(0) !== SLASH) return NO_SLASH;
  for (let i = 0; i < path.length; i++) {
    const code = path.charCodeAt(i);
    if (code < 0x21 || code > 0x7e) return BAD_BYTE;
    if (code === HASH) return FRAGMENT;
  }
  const normal = normalize(path);
  return 'status' in normal ? normal : normal.path;
}

interface Resolved {
  readonly path: string;
  /** True: there were dot segments. */
  readonly resolved: boolean;
}

interface Normal extends Resolved {
  readonly otherPaths: readonly string[];
}

function normalize(raw: string): Normal | TargetError {
  const decoded = normalizeEncoding(raw);
  if (typeof decoded !== 'string') return decoded;
  const normal = resolveSegments(decoded);
  if ('status' in normal) return normal;
  const otherPaths = otherReadings(normal.path);
  return otherPaths === undefined ? HIDDEN_DOTS : { ...normal, otherPaths };
}

/** Decodes what may stand for itself, encodes what may not, and refuses what nobody needs. */
function normalizeEncoding(raw: string): string | TargetError {
  let text = '';
  let copied = 0;
  let lead = 0;
  for (let i = 0; i < raw.length; i++) {
    const code = raw.charCodeAt(i);
    if (code === BACKSLASH) return RAW_BACKSLASH;
    if (code !== PERCENT) {
      lead = 0;
      if (PATH_PLAIN[code] === 1 || code === SEMICOLON) continue;
      text += raw.substring(copied, i) + encoded(code);
      copied = i + 1;
      continue;
    }
    const high = hexValue(raw.charCodeAt(i + 1));
    const low = hexValue(raw.charCodeAt(i + 2));
    if (high < 0 || low < 0) return BAD_PERCENT;
    const byte = high * 16 + low;
    if (byte < 0x20 || byte === 0x7f) return CONTROL;
    if (isOverlong(lead, byte)) return OVERLONG;
    lead = byte;
    text += raw.substring(copied, i);
    text += PATH_PLAIN[byte] === 1 && byte !== SLASH ? String.fromCharCode(byte) : encoded(byte);
    copied = i + 3;
    i += 2;
  }
  return copied === 0 ? raw : text + raw.substring(copied);
}

function encoded(byte: number): string {
  return `%${byte < 16 ? '0' : ''}${byte.toString(16).toUpperCase()}`;
}

/** Two neighbouring encoded bytes that spell a character in more bytes than it needs: some decoders read `%C0%AE` as a dot. */
function isOverlong(lead: number, byte: number): boolean {
  if (byte < 0x80 || byte > 0xbf) return false;
  return lead === 0xc0 || lead === 0xc1 || (lead === 0xe0 && byte < 0xa0) || (lead === 0xf0 && byte < 0x90);
}

/** Merges slashes, then resolves `.` and `..` (RFC 3986 §5.2.4). */
function resolveSegments(path: string): Resolved | TargetError {
  const kept: string[] = [];
  let resolved = false;
  const segments = path.split('/');
  // An empty last segment is the trailing slash, and so is a dot segment in last place.
  let directory = false;
  for (const segment of segments) {
    directory = segment === '' || segment === '.' || segment === '..';
    if (segment === '.' || segment === '..') resolved = true;
    if (segment === '..') {
      if (kept.length === 0) return ABOVE_ROOT;
      kept.pop();
    } else if (!directory) {
      kept.push(segment);
    }
  }
  const joined = `/${kept.join('/')}`;
  return { path: directory && kept.length > 0 ? `${joined}/` : joined, resolved };
}
