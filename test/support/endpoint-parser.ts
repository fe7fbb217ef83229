// A strict, independent HTTP/1.1 request parser for endpoints in tests: it tells how many messages a proxy sent, and which
// of them were complete. Anything that a recipient should not have to guess is an error.

export interface ReceivedRequest {
  readonly method: string;
  readonly target: string;
  /** In order, as sent: `[name, value]`. */
  readonly headers: readonly (readonly [string, string])[];
  /** What arrived of the body so far, decoded. */
  readonly body: Buffer;
  /** The whole message arrived. */
  complete: boolean;
  /** All values of a field, by lower-case name. */
  values(name: string): string[];
}

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** Feed it every byte of a connection. `onHead` and `onComplete` are called once per message; a violation throws. */
export class RequestParser {
  readonly #onHead: (request: ReceivedRequest) => void;
  readonly #onComplete: (request: ReceivedRequest) => void;
  #buffer: Buffer = Buffer.alloc(0);
  #request: ReceivedRequest | undefined;
  #parts: Buffer[] = [];
  #left = 0;
  #chunk: 'none' | 'size' | 'data' | 'data-end' | 'trailer' = 'none';

  constructor(onHead: (request: ReceivedRequest) => void, onComplete: (request: ReceivedRequest) => void = () => {}) {
    this.#onHead = onHead;
    this.#onComplete = onComplete;
  }

  push(bytes: Buffer): void {
    this.#buffer = this.#buffer.length === 0 ? bytes : Buffer.concat([this.#buffer, bytes]);
    while (this.#step());
  }

  #step(): boolean {
    if (this.#request === undefined) return this.#head();
    if (this.#chunk === 'none') return this.#fixed();
    return this.#chunked();
  }

  #head(): boolean {
    const end = this.#buffer.indexOf('\r\n\r\n');
    if (end < 0) return false;
    const lines = this.#buffer.subarray(0, end).toString('latin1').split('\r\n');
    this.#buffer = this.#buffer.subarray(end + 4);
    const start = /^([A-Z]+) ([\u0021-\u007e\u0080-\u00ff]+) HTTP\/1\.1$/.exec(lines[0] ?? '');
    if (start === null) throw new Error(`bad request line: ${lines[0]}`);
    const headers = lines.slice(1).map((line): [string, string] => {
      const colon = line.indexOf(':');
      const name = line.slice(0, colon);
      const value = line.slice(colon + 1).trim();
      if (!TOKEN.test(name) || hasControl(value)) throw new Error(`bad field: ${line}`);
      return [name, value];
    });
    const parts: Buffer[] = [];
    this.#parts = parts;
    const request: ReceivedRequest = {
      method: start[1] ?? '',
      target: start[2] ?? '',
      headers,
      get body() {
        return Buffer.concat(parts);
      },
      complete: false,
      values: (name) => headers.filter(([field]) => field.toLowerCase() === name).map(([, value]) => value),
    };
    const lengths = request.values('content-length');
    const codings = request.values('transfer-encoding');
    if (request.values('host').length !== 1) throw new Error('not exactly one Host');
    if (lengths.length + codings.length > 1) throw new Error('ambiguous framing');
    if (codings.length === 1 && codings[0] !== 'chunked') throw new Error('unknown transfer coding');
    if (lengths.length === 1 && !/^\d+$/.test(lengths[0] ?? '')) throw new Error('bad content-length');
    this.#request = request;
    this.#left = Number(lengths[0] ?? 0);
    this.#chunk = codings.length === 1 ? 'size' : 'none';
    this.#onHead(request);
    return true;
  }

  #fixed(): boolean {
    this.#take();
    if (this.#left > 0) return false;
    this.#complete();
    return true;
  }

  #chunked(): boolean {
    if (this.#chunk === 'data') {
      this.#take();
      if (this.#left > 0) return false;
      this.#chunk = 'data-end';
      return true;
    }
    const end = this.#buffer.indexOf('\r\n');
    if (end < 0) return false;
    const line = this.#buffer.subarray(0, end).toString('latin1');
    this.#buffer = this.#buffer.subarray(end + 2);
    if (this.#chunk === 'data-end') {
      if (line !== '') throw new Error('bad end of chunk');
      this.#chunk = 'size';
    } else if (this.#chunk === 'size') {
      if (!/^[0-9a-f]+$/i.test(line)) throw new Error(`bad chunk size: ${line}`);
      this.#left = Number.parseInt(line, 16);
      this.#chunk = this.#left === 0 ? 'trailer' : 'data';
    } else if (line === '') {
      this.#complete();
    }
    return true;
  }

  #take(): void {
    const part = this.#buffer.subarray(0, this.#left);
    this.#buffer = this.#buffer.subarray(part.length);
    this.#left -= part.length;
    if (part.length > 0) this.#parts.push(part);
  }

  #complete(): void {
    const request = this.#request;
    this.#request = undefined;
    this.#chunk = 'none';
    if (request === undefined) return;
    request.complete = true;
    this.#onComplete(request);
  }
}

function hasControl(value: string): boolean {
  return [...value].some((character) => (character < ' ' && character !== '\t') || character === '\u007f');
}
