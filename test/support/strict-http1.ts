// An HTTP/1.1 parser that shares nothing with the product: written from RFC 9112's grammar, strict, for whole byte strings.
// Tests use it to count what was really forwarded or answered; anything it does not understand is an error.

export interface ParsedMessage {
  /** Request line or status line. */
  readonly startLine: string;
  /** Lower-case name and value, in order. */
  readonly fields: readonly (readonly [string, string])[];
  readonly body: Buffer;
  readonly trailers: readonly (readonly [string, string])[];
}

export class StrictHttpError extends Error {}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** The first value of a field, or undefined. */
export function field(message: ParsedMessage, name: string): string | undefined {
  return message.fields.find(([seen]) => seen === name)?.[1];
}

/** All requests in the bytes. `rest` holds what follows the last complete one. */
export function parseRequests(bytes: Buffer): { requests: ParsedMessage[]; rest: Buffer } {
  const requests: ParsedMessage[] = [];
  let at = 0;
  for (;;) {
    const head = readHead(bytes, at);
    if (head === undefined) return { requests, rest: bytes.subarray(at) };
    if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+ [\x21-\x7e]+ HTTP\/1\.[01]$/.test(head.startLine)) throw new StrictHttpError(`request line ${JSON.stringify(head.startLine)}`);
    const hosts = head.fields.filter(([name]) => name === 'host');
    if (hosts.length !== 1) throw new StrictHttpError(`${hosts.length} Host fields`);
    const body = readBody(bytes, head.end, head.fields, false);
    if (body === undefined) return { requests, rest: bytes.subarray(at) };
    requests.push({ startLine: head.startLine, fields: head.fields, body: body.body, trailers: body.trailers });
    at = body.end;
  }
}

/** All final responses in the bytes, for requests with these methods; interim ones are in `interim`. `closed`: the connection has ended. */
export function parseResponses(bytes: Buffer, methods: readonly string[], closed: boolean): { responses: ParsedMessage[]; interim: ParsedMessage[]; rest: Buffer } {
  const responses: ParsedMessage[] = [];
  const interim: ParsedMessage[] = [];
  let at = 0;
  for (;;) {
    const head = readHead(bytes, at);
    if (head === undefined) return { responses, interim, rest: bytes.subarray(at) };
    const match = /^HTTP\/1\.1 (\d{3}) [\t\x20-\x7e]*$/.exec(head.startLine);
    if (match === null) throw new StrictHttpError(`status line ${JSON.stringify(head.startLine)}`);
    const status = Number(match[1]);
    const message = { startLine: head.startLine, fields: head.fields, trailers: [] };
    if (status < 200 && status !== 101) {
      interim.push({ ...message, body: Buffer.alloc(0) });
      at = head.end;
      continue;
    }
    const method = methods[responses.length] ?? 'GET';
    if (method === 'HEAD' || status === 204 || status === 304 || status === 101) {
      responses.push({ ...message, body: Buffer.alloc(0) });
      at = head.end;
      continue;
    }
    const framed = head.fields.some(([name]) => name === 'content-length' || name === 'transfer-encoding');
    if (!framed) {
      if (!closed) return { responses, interim, rest: bytes.subarray(at) };
      responses.push({ ...message, body: bytes.subarray(head.end) });
      return { responses, interim, rest: Buffer.alloc(0) };
    }
    const body = readBody(bytes, head.end, head.fields, true);
    if (body === undefined) return { responses, interim, rest: bytes.subarray(at) };
    responses.push({ ...message, body: body.body, trailers: body.trailers });
    at = body.end;
  }
}

function readHead(bytes: Buffer, at: number): { startLine: string; fields: [string, string][]; end: number } | undefined {
  const end = bytes.indexOf('\r\n\r\n', at, 'latin1');
  if (end === -1) return undefined;
  const lines = bytes.toString('latin1', at, end).split('\r\n');
  return { startLine: lines[0] as string, fields: lines.slice(1).map(readField), end: end + 4 };
}

function readField(line: string): [string, string] {
  const colon = line.indexOf(':');
  const name = line.slice(0, colon);
  const value = line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, '');
  if (colon <= 0 || !TOKEN.test(name) || hasControl(value)) throw new StrictHttpError(`field line ${JSON.stringify(line)}`);
  return [name.toLowerCase(), value];
}

function readBody(bytes: Buffer, at: number, fields: readonly [string, string][], isResponse: boolean): { body: Buffer; trailers: [string, string][]; end: number } | undefined {
  const lengths = fields.filter(([name]) => name === 'content-length').map(([, value]) => value);
  const codings = fields.filter(([name]) => name === 'transfer-encoding').map(([, value]) => value);
  if (codings.length > 1 || lengths.length > 1 || (codings.length > 0 && lengths.length > 0)) throw new StrictHttpError('ambiguous framing');
  if (codings.length === 1) {
    if (codings[0] !== 'chunked') throw new StrictHttpError(`transfer coding ${codings[0]}`);
    return readChunks(bytes, at);
  }
  if (lengths.length === 0) {
    if (isResponse) throw new StrictHttpError('a response without framing');
    return { body: Buffer.alloc(0), trailers: [], end: at };
  }
  if (!/^\d+$/.test(lengths[0] as string)) throw new StrictHttpError(`length ${lengths[0]}`);
  const end = at + Number(lengths[0]);
  return end > bytes.length ? undefined : { body: bytes.subarray(at, end), trailers: [], end };
}

function readChunks(bytes: Buffer, at: number): { body: Buffer; trailers: [string, string][]; end: number } | undefined {
  const chunks: Buffer[] = [];
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at, 'latin1');
    if (lineEnd === -1) return undefined;
    const line = bytes.toString('latin1', at, lineEnd);
    if (!/^[0-9A-Fa-f]{1,13}(;[\t\x20-\x7e]*)?$/.test(line)) throw new StrictHttpError(`chunk size line ${JSON.stringify(line)}`);
    const size = Number.parseInt(line, 16);
    at = lineEnd + 2;
    if (size === 0) break;
    if (at + size + 2 > bytes.length) return undefined;
    if (bytes.toString('latin1', at + size, at + size + 2) !== '\r\n') throw new StrictHttpError('a chunk without end');
    chunks.push(bytes.subarray(at, at + size));
    at += size + 2;
  }
  const trailers: [string, string][] = [];
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at, 'latin1');
    if (lineEnd === -1) return undefined;
    if (lineEnd === at) return { body: Buffer.concat(chunks), trailers, end: at + 2 };
    trailers.push(readField(bytes.toString('latin1', at, lineEnd)));
    at = lineEnd + 2;
  }
}

/** Control characters other than tab. */
function hasControl(text: string): boolean {
  return [...text].some((character) => (character < ' ' && character !== '\t') || character === '\u007f');
}
