// The chunked transfer coding (RFC 9112 §7.1), decoded incrementally and strictly: sizes are bare hexadecimal digits, every
// line ends in CR LF, extensions keep to their grammar (and have no blanks outside quotes), and extensions and trailers are
// bounded. Data is handed on as slices of what was read: nothing is copied.
import type { RawHeaders } from './exchange.ts';
import { HeadFields, parseFields } from './message-head.ts';
import { FIELD_VALUE, TCHAR } from './syntax.ts';

const STATE = { size: 0, extension: 1, sizeLf: 2, data: 3, dataCr: 4, dataLf: 5, trailer: 6, done: 7, failed: 8 } as const;
type State = (typeof STATE)[keyof typeof STATE];

/** Where in an extension: `;name`, `;name=token`, `;name="quoted"`. In the `…Start` places at least one character must follow. */
const EXTENSION = { nameStart: 0, name: 1, valueStart: 2, token: 3, quoted: 4, pair: 5, end: 6, bad: 7 } as const;
type Extension = (typeof EXTENSION)[keyof typeof EXTENSION];

const CR = 13;
const LF = 10;
const QUOTE = 34;
const SEMICOLON = 59;
const EQUALS = 61;
const BACKSLASH = 92;

const trailerFields = new HeadFields();

/** One message body. Feed it with `push`; it stops at the end of the body and says how many bytes it took. */
export class ChunkedDecoder {
  /** Set once the body has ended. */
  trailers: RawHeaders | undefined;
  /** Set once the coding is broken: nothing more may be read from this connection. */
  error: string | undefined;
  #state: State = STATE.size;
  #size = 0;
  #digits = 0;
  #extension: Extension = EXTENSION.nameStart;
  /** Bytes of extensions and trailers so far. */
  #overhead = 0;
  #trailerText = '';
  /** Octets of the trailer line that has begun. */
  #lineBytes = 0;
  #afterCr = false;
  readonly #maxOverhead: number;
  readonly #maxTrailers: number;

  constructor(maxOverhead: number, maxTrailers: number) {
    this.#maxOverhead = maxOverhead;
    this.#maxTrailers = maxTrailers;
  }

  /** Decodes from `at`; calls `onData` for each piece of content. Returns the offset behind the last byte taken. */
  push(chunk: Buffer, at: number, onData: (data: Buffer) => void): number {
    const end = chunk.length;
    while (at < end) {
      switch (this.#state) {
        case STATE.size: {
          const digit = hexDigit(chunk[at] as number);
          if (digit >= 0) {
            if (++this.#digits > 13) return this.#fail('a chunk size that is too large', end);
            this.#size = this.#size * 16 + digit;
          } else {
            const code = chunk[at] as number;
            if (this.#digits === 0) return this.#fail('a chunk size that is not hexadecimal', end);
            if (code === CR) {
              this.#state = STATE.sizeLf;
            } else if (code === SEMICOLON) {
              this.#state = STATE.extension;
              this.#extension = EXTENSION.nameStart;
            } else {
              return this.#fail('a chunk size that is not hexadecimal', end);
            }
          }
          at++;
          break;
        }
        case STATE.extension: {
          const code = chunk[at++] as number;
          if (code === CR && mayEnd(this.#extension)) {
            this.#state = STATE.sizeLf;
            break;
          }
          this.#extension = afterCharacter(this.#extension, code);
          if (this.#extension === EXTENSION.bad) return this.#fail('a malformed chunk extension', end);
          if (++this.#overhead > this.#maxOverhead) return this.#fail('chunk extensions that are too long', end);
          break;
        }
        case STATE.sizeLf:
          if (chunk[at++] !== 10) return this.#fail('a chunk size line that does not end in CR LF', end);
          this.#digits = 0;
          this.#state = this.#size === 0 ? STATE.trailer : STATE.data;
          break;
        case STATE.data: {
          const take = Math.min(this.#size, end - at);
          onData(at === 0 && take === end ? chunk : chunk.subarray(at, at + take));
          at += take;
          this.#size -= take;
          if (this.#size === 0) this.#state = STATE.dataCr;
          break;
        }
        case STATE.dataCr:
          if (chunk[at++] !== 13) return this.#fail('a chunk that does not end in CR LF', end);
          this.#state = STATE.dataLf;
          break;
        case STATE.dataLf:
          if (chunk[at++] !== 10) return this.#fail('a chunk that does not end in CR LF', end);
          this.#state = STATE.size;
          break;
        case STATE.trailer:
          at = this.#pushTrailer(chunk, at);
          break;
        default:
          return at;
      }
    }
    return at;
  }

  /** Collects the trailer section until its empty line. */
  #pushTrailer(chunk: Buffer, start: number): number {
    for (let at = start; at < chunk.length; ) {
      const code = chunk[at++] as number;
      if (++this.#overhead > this.#maxOverhead) return this.#fail('trailers that are too long', chunk.length);
      if (this.#afterCr !== (code === LF)) return this.#fail('a trailer line that does not end in CR LF', chunk.length);
      this.#afterCr = code === CR;
      this.#lineBytes++;
      if (code !== LF) continue;
      const empty = this.#lineBytes === 2;
      this.#lineBytes = 0;
      if (!empty) continue;
      this.#takeTrailers(this.#trailerText + chunk.toString('latin1', start, at));
      return this.error === undefined ? at : chunk.length;
    }
    this.#trailerText += chunk.toString('latin1', start);
    return chunk.length;
  }

  #takeTrailers(text: string): void {
    trailerFields.reset();
    const error = parseFields(text, 0, trailerFields, this.#maxTrailers);
    if (error !== undefined) return void this.#fail(`in the trailers: ${error.text}`, 0);
    if (comesTooLate(trailerFields)) return void this.#fail('trailers that speak of framing, routing or the connection', 0);
    this.trailers = trailerFields.headers;
    this.#state = STATE.done;
  }

  #fail(error: string, end: number): number {
    this.error = error;
    this.#state = STATE.failed;
    return end;
  }
}

/** True: fields that no trailer section may hold, because others take them for what they say (RFC 9110 §6.5.1). */
function comesTooLate(fields: HeadFields): boolean {
  return fields.chunked || fields.contentLength !== -1 || fields.host !== undefined || fields.close || fields.keepAlive || fields.upgrade !== undefined;
}

/** True: the line may end here. */
function mayEnd(extension: Extension): boolean {
  return extension === EXTENSION.name || extension === EXTENSION.token || extension === EXTENSION.end;
}

function afterCharacter(extension: Extension, code: number): Extension {
  switch (extension) {
    case EXTENSION.nameStart:
    case EXTENSION.name:
      if (TCHAR[code] === 1) return EXTENSION.name;
      if (extension === EXTENSION.nameStart) return EXTENSION.bad;
      if (code === EQUALS) return EXTENSION.valueStart;
      break;
    case EXTENSION.valueStart:
      if (code === QUOTE) return EXTENSION.quoted;
      return TCHAR[code] === 1 ? EXTENSION.token : EXTENSION.bad;
    case EXTENSION.token:
      if (TCHAR[code] === 1) return EXTENSION.token;
      break;
    case EXTENSION.quoted:
      if (code === QUOTE) return EXTENSION.end;
      if (code === BACKSLASH) return EXTENSION.pair;
      return FIELD_VALUE[code] === 1 ? EXTENSION.quoted : EXTENSION.bad;
    case EXTENSION.pair:
      return FIELD_VALUE[code] === 1 ? EXTENSION.quoted : EXTENSION.bad;
    default:
      break;
  }
  return code === SEMICOLON ? EXTENSION.nameStart : EXTENSION.bad;
}

/** -1: not a hexadecimal digit. */
function hexDigit(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  if (code >= 97 && code <= 102) return code - 87;
  if (code >= 65 && code <= 70) return code - 55;
  return -1;
}
