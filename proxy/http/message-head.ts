// The head of an HTTP/1.1 message (RFC 9112 §2–§6), parsed strictly from one string: start line, fields and the framing
// that they mean. Used for requests and responses alike, so that both sides have one idea of where a message ends.
// The result is one object per reader that is overwritten by the next parse: take what you need before parsing again.
import type { RawHeaders } from './exchange.ts';
import { FIELD_VALUE, TCHAR, withoutBlanks } from './syntax.ts';

/** Why a head was refused: the status to answer (for a request) and a sentence fragment for the log. */
export interface HeadError {
  readonly status: number;
  readonly text: string;
}

/** What ends a head. */
export const HEAD_END = '\r\n\r\n';
/** The same as bytes: quicker to look for in a buffer. */
export const HEAD_END_BYTES = Buffer.from(HEAD_END, 'latin1');

/** True: the last bytes are the end of a head. */
export function endsHead(bytes: Buffer): boolean {
  const at = bytes.length - 4;
  return bytes[at] === CR && bytes[at + 1] === LF && bytes[at + 2] === CR && bytes[at + 3] === LF;
}

const CR = 13;
const LF = 10;
const SP = 32;
const HT = 9;
const COLON = 58;
const COMMA = 44;

/** Fields of a parsed head; `-1` for no Content-Length. */
export class HeadFields {
  headers: RawHeaders = [];
  contentLength = -1;
  chunked = false;
  /** Connection options. */
  close = false;
  keepAlive = false;
  connectionUpgrade = false;
  /** Value of Host; undefined if there was none. */
  host: string | undefined = undefined;
  /** Value of Upgrade; undefined if there was none. */
  upgrade: string | undefined = undefined;
  expect: string | undefined = undefined;
  /** True: `TE: trailers`. */
  teTrailers = false;

  reset(): void {
    this.headers = [];
    this.contentLength = -1;
    this.chunked = false;
    this.close = false;
    this.keepAlive = false;
    this.connectionUpgrade = false;
    this.host = undefined;
    this.upgrade = undefined;
    this.expect = undefined;
    this.teTrailers = false;
  }
}

function bad(text: string): HeadError {
  return { status: 400, text };
}

const BARE_LF = bad('a line that ends in LF without CR');
const BAD_NAME = bad('a field name that is not a token');
const BAD_VALUE = bad('a control character in a field value');
const FOLDED = bad('a folded field line');
const NO_COLON = bad('a field line without colon');
const TOO_LONG: HeadError = { status: 414, text: 'a request line that is too long' };
const VERSION_LENGTH = 'HTTP/1.1'.length;
const TOO_MANY: HeadError = { status: 431, text: 'too many header fields' };

/** Case-insensitive comparison with a lower-case ASCII name of the same length. */
function isName(text: string, start: number, lower: string): boolean {
  for (let i = 0; i < lower.length; i++) {
    let code = text.charCodeAt(start + i);
    if (code >= 65 && code <= 90) code |= 32;
    if (code !== lower.charCodeAt(i)) return false;
  }
  return true;
}

/**
 * Parses field lines from `start` up to the empty line. `text` is Latin-1 and ends with CR LF CR LF (or, where there is no field,
 * `start` stands at the last CR LF). Fills `into`; returns undefined, or why the head must be refused.
 */
export function parseFields(text: string, start: number, into: HeadFields, maxCount: number): HeadError | undefined {
  const headers = into.headers;
  const end = text.length;
  let at = start;
  while (at < end) {
    let code = text.charCodeAt(at);
    if (code === CR) return text.charCodeAt(at + 1) === LF && at + 2 === end ? undefined : bad('a CR without LF');
    if (code === SP || code === HT) return FOLDED;
    const nameStart = at;
    while (TCHAR[code] === 1) code = text.charCodeAt(++at);
    if (code !== COLON) return code === CR || code === LF ? NO_COLON : BAD_NAME;
    if (at === nameStart) return BAD_NAME;
    const nameEnd = at;
    code = text.charCodeAt(++at);
    while (code === SP || code === HT) code = text.charCodeAt(++at);
    const valueStart = at;
    while (FIELD_VALUE[code] === 1) code = text.charCodeAt(++at);
    if (code !== CR) return code === LF ? BARE_LF : BAD_VALUE;
    if (text.charCodeAt(at + 1) !== LF) return BAD_VALUE;
    let valueEnd = at;
    while (valueEnd > valueStart) {
      code = text.charCodeAt(valueEnd - 1);
      if (code !== SP && code !== HT) break;
      valueEnd--;
    }
    const value = text.substring(valueStart, valueEnd);
    headers.push(text.substring(nameStart, nameEnd), value);
    if (headers.length > maxCount * 2) return TOO_MANY;
    const error = noteField(text, nameStart, nameEnd - nameStart, value, at, into);
    if (error !== undefined) return error;
    at += 2;
  }
  return bad('a head without end');
}

/** Takes in the fields that decide about framing and connection. `end`: where in the text the line ends. */
function noteField(text: string, start: number, length: number, value: string, end: number, into: HeadFields): HeadError | undefined {
  switch (length) {
    case 2:
      if (isName(text, start, 'te') && /(^|,)[ \t]*trailers[ \t]*(,|$)/i.test(value)) into.teTrailers = true;
      return undefined;
    case 4:
      if (!isName(text, start, 'host')) return undefined;
      if (into.host !== undefined) return bad('more than one Host');
      into.host = value;
      return undefined;
    case 6:
      if (!isName(text, start, 'expect')) return undefined;
      into.expect = into.expect === undefined ? value : `${into.expect}, ${value}`;
      return undefined;
    case 7:
      if (!isName(text, start, 'upgrade')) return undefined;
      into.upgrade = into.upgrade === undefined ? value : `${into.upgrade}, ${value}`;
      return undefined;
    case 10:
      if (isName(text, start, 'connection')) noteConnection(value, into);
      return undefined;
    case 14:
      return isName(text, start, 'content-length') ? noteContentLength(value, into) : undefined;
    case 17:
      return isName(text, start, 'transfer-encoding') ? noteTransferEncoding(value, text, end, into) : undefined;
    default:
      return undefined;
  }
}

function noteConnection(value: string, into: HeadFields): void {
  let start = 0;
  for (let at = 0; at <= value.length; at++) {
    if (at < value.length && value.charCodeAt(at) !== COMMA) continue;
    const option = withoutBlanks(value.substring(start, at)).toLowerCase();
    if (option === 'close') into.close = true;
    else if (option === 'keep-alive') into.keepAlive = true;
    else if (option === 'upgrade') into.connectionUpgrade = true;
    start = at + 1;
  }
}

/** RFC 9112 §6.2, stricter: one field, digits only. Leading zeros are accepted; the number is what is sent on. */
function noteContentLength(value: string, into: HeadFields): HeadError | undefined {
  if (into.contentLength !== -1) return bad('more than one Content-Length');
  if (value.length === 0 || value.length > 64) return bad('a Content-Length that is not a number');
  let length = 0;
  for (let i = 0; i < value.length; i++) {
    const digit = value.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) return bad('a Content-Length that is not a number');
    length = length * 10 + digit;
    if (length > Number.MAX_SAFE_INTEGER) return bad('a Content-Length that is too large');
  }
  into.contentLength = length;
  return undefined;
}

/** RFC 9112 §6.1, stricter: exactly `chunked`, once, and no tab behind it, which some parsers take for a part of the name. */
function noteTransferEncoding(value: string, text: string, end: number, into: HeadFields): HeadError | undefined {
  if (into.chunked) return bad('more than one Transfer-Encoding');
  for (let at = end - 1; text.charCodeAt(at) === SP || text.charCodeAt(at) === HT; at--) {
    if (text.charCodeAt(at) === HT) return bad('a Transfer-Encoding with a tab behind it');
  }
  if (value.length !== 7 || value.toLowerCase() !== 'chunked') return { status: 501, text: 'a Transfer-Encoding other than chunked' };
  into.chunked = true;
  return undefined;
}

/** A request head. */
export class RequestHead extends HeadFields {
  method = '';
  /** As received; see target.ts. */
  target = '';
  /** 0 or 1: the minor version of HTTP/1. */
  minor = 1;
}

/**
 * Parses a whole request head: `text` is Latin-1 from the request line to the empty line, both included.
 * Refuses everything that two parsers could read differently (§6.3 of RFC 9112, and stricter). `maxLine`: octets of the request line without its end.
 */
export function parseRequestHead(text: string, into: RequestHead, maxLine: number, maxCount: number): HeadError | undefined {
  into.reset();
  into.method = '';
  into.target = '';
  let at = 0;
  let code = text.charCodeAt(0);
  while (TCHAR[code] === 1) code = text.charCodeAt(++at);
  if (at === 0 || code !== SP) return bad('a request line that does not begin with a method');
  into.method = text.substring(0, at);
  const targetStart = ++at;
  code = text.charCodeAt(at);
  while (code > SP && code < 127) code = text.charCodeAt(++at);
  if (at > maxLine) return TOO_LONG;
  if (at === targetStart) return bad('a request line without target');
  if (code !== SP) return code === CR || code === LF ? bad('a request line without version (HTTP/0.9)') : bad('a request target with a byte that is not visible ASCII');
  into.target = text.substring(targetStart, at);
  at++;
  if (!text.startsWith('HTTP/', at)) return bad('a request line without HTTP version');
  const major = text.charCodeAt(at + 5) - 48;
  const minor = text.charCodeAt(at + 7) - 48;
  if (text.charCodeAt(at + 6) !== 46 || major < 0 || major > 9 || minor < 0 || minor > 9) return bad('a malformed HTTP version');
  if (text.charCodeAt(at + 8) !== CR) return text.charCodeAt(at + 8) === LF ? BARE_LF : bad('bytes behind the HTTP version');
  if (text.charCodeAt(at + 9) !== LF) return bad('a CR without LF');
  if (at + VERSION_LENGTH > maxLine) return TOO_LONG;
  if (major !== 1 || minor > 1) return { status: 505, text: 'an HTTP version other than 1.0 and 1.1' };
  into.minor = minor;
  const error = parseFields(text, at + 10, into, maxCount);
  if (error !== undefined) return error;
  if (into.chunked) {
    if (into.contentLength !== -1) return bad('Content-Length together with Transfer-Encoding');
    if (into.minor === 0) return bad('Transfer-Encoding in HTTP/1.0');
  }
  if (into.host === undefined && into.minor === 1) return bad('no Host');
  return undefined;
}

/** A response head. */
export class ResponseHead extends HeadFields {
  status = 0;
  minor = 1;
}

/** Parses a whole response head from an endpoint; any error means that the connection cannot be trusted any further. */
export function parseResponseHead(text: string, into: ResponseHead, maxCount: number): HeadError | undefined {
  into.reset();
  if (!text.startsWith('HTTP/1.')) return bad('a status line that is not HTTP/1.x');
  const minor = text.charCodeAt(7) - 48;
  if (minor < 0 || minor > 1 || text.charCodeAt(8) !== SP) return bad('a malformed status line');
  let status = 0;
  for (let i = 9; i < 12; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (!(digit >= 0 && digit <= 9)) return bad('a status that is not three digits');
    status = status * 10 + digit;
  }
  if (status < 100 || status > 599) return bad('a status outside 100–599');
  let at = 12;
  let code = text.charCodeAt(at);
  if (code === SP) {
    code = text.charCodeAt(++at);
    while (FIELD_VALUE[code] === 1) code = text.charCodeAt(++at);
  }
  if (code !== CR || text.charCodeAt(at + 1) !== LF) return bad('a malformed reason phrase');
  into.status = status;
  into.minor = minor;
  const error = parseFields(text, at + 2, into, maxCount);
  if (error !== undefined) return error;
  if (into.chunked && into.contentLength !== -1) return bad('Content-Length together with Transfer-Encoding');
  if (into.chunked && into.minor === 0) return bad('Transfer-Encoding in HTTP/1.0');
  if (status < 200) {
    if (into.minor === 0) return bad('an interim response in HTTP/1.0');
    if (into.chunked || into.contentLength !== -1 || into.close) return bad('an interim response that announces a body or the end');
  }
  return undefined;
}
