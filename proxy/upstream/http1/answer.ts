// What the lean client reads out of a response head beyond its framing, and what a head can still become.
import type { RawHeaders } from '../../http/exchange.ts';

/** A connection that the endpoint announced to close within this time is not used again. */
const KEEP_ALIVE_MARGIN_MS = 1_000;

const HEAD_START = Buffer.from('HTTP/1.', 'latin1');

/** False: these first bytes can never become a response head. */
export function mayBecomeHead(bytes: Buffer, at: number): boolean {
  const length = Math.min(bytes.length - at, HEAD_START.length);
  if (bytes.compare(HEAD_START, 0, length, at, at + length) !== 0 || bytes.indexOf(0, at) !== -1) return false;
  for (let lf = bytes.indexOf(10, at); lf !== -1; lf = bytes.indexOf(10, lf + 1)) if (bytes[lf - 1] !== 13) return false;
  return true;
}

/** `Keep-Alive: timeout=5` of the endpoint, a little shortened, or our own limit. */
export function keepAliveOf(headers: RawHeaders, limit: number): number {
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    if (name.length !== 10 || name.toLowerCase() !== 'keep-alive') continue;
    const match = /timeout=(\d{1,6})/i.exec(headers[i + 1] as string);
    if (match !== null) return Math.min(limit, Number(match[1]) * 1000 - KEEP_ALIVE_MARGIN_MS);
  }
  return limit;
}

/** For handlers written for undici: repeated fields become lists. */
export function headersObject(list: RawHeaders): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = Object.create(null) as Record<string, string | string[]>;
  for (let i = 0; i < list.length; i += 2) {
    const name = (list[i] as string).toLowerCase();
    const value = list[i + 1] as string;
    const before = headers[name];
    if (before === undefined) headers[name] = value;
    else if (Array.isArray(before)) before.push(value);
    else headers[name] = [before, value];
  }
  return headers;
}
