// One payload of the corpus, and the few words it is written with. Bytes are Latin-1 text: one character per byte.

export interface Payload {
  /** What is odd about it. Unique within its family. */
  readonly name: string;
  readonly family: string;
  readonly bytes: string;
  /** Statuses of the answers, in order; empty: it waits for more. `consistent`: any, as long as everything else holds. */
  readonly answers: readonly number[] | 'consistent';
}

/** `[name, bytes, answers]`. */
export type Row = readonly [string, string, readonly number[] | 'consistent'];

export function family(name: string, rows: readonly Row[]): Payload[] {
  return rows.map(([what, bytes, answers]) => ({ family: name, name: what, bytes, answers }));
}

export const HOST = 'Host: a.test\r\n';

/** A request with these field lines (each with its CR LF) behind Host. */
export function get(fields = '', line = 'GET /get HTTP/1.1'): string {
  return `${line}\r\n${HOST}${fields}\r\n`;
}

/** A POST with these field lines and this body. */
export function post(fields: string, body = '', line = 'POST /post HTTP/1.1'): string {
  return `${line}\r\n${HOST}${fields}\r\n${body}`;
}

/** A POST whose chunked body is given with its framing. */
export function chunked(body: string): string {
  return post('Transfer-Encoding: chunked\r\n', body);
}

/** Looks like a request when a parser loses its place. */
export const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: smuggled.test\r\n\r\n';
