// Reads the values of command line flags. Each reader takes the text and returns the value, or throws commander's
// InvalidArgumentError, whose message says what is allowed; commander adds the flag and what was given.
import { InvalidArgumentError } from 'commander';
import { availableParallelism, networkInterfaces } from 'node:os';
import { isIP } from 'node:net';

const MAX_WORKERS = 256;
const UNITS_MS: ReadonlyMap<string, number> = new Map([['ms', 1], ['', 1000], ['s', 1000], ['m', 60_000], ['h', 3_600_000]]);
const UNITS_BYTES: ReadonlyMap<string, number> = new Map([['', 1], ['k', 1024], ['m', 1024 ** 2], ['g', 1024 ** 3]]);
/** Longest delay that a timer of Node keeps (2^31 - 1 ms). */
const MAX_MS = 2_147_483_647;

export function readPort(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65535) throw new InvalidArgumentError('Allowed: a port from 1 to 65535, or 0 for any free port.');
  return port;
}

/** `auto`: one worker per processor that this process may use. */
export function readWorkers(text: string): number {
  if (text === 'auto') return availableParallelism();
  const workers = Number(text);
  if (!/^\d{1,3}$/.test(text) || workers < 1 || workers > MAX_WORKERS) throw new InvalidArgumentError(`Allowed: a number from 1 to ${MAX_WORKERS}, or auto.`);
  return workers;
}

export function readAddress(text: string): string {
  if (isIP(text) === 0) throw new InvalidArgumentError('Allowed: an IP address, such as 192.0.2.1 or 2001:db8::1.');
  return text;
}

/** `::` (both families), or `0.0.0.0` where the machine has no IPv6. */
export function defaultAddress(): string {
  return Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ family }) => family === 'IPv6')) ? '::' : '0.0.0.0';
}

/** Milliseconds. */
export function readDuration(text: string): number {
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text) ?? [];
  const ms = Math.round(Number(number) * (UNITS_MS.get(unit) ?? NaN));
  if (number === '' || !(ms <= MAX_MS)) throw new InvalidArgumentError('Allowed: a time such as 500ms, 30s, 5m or 1h (a bare number is seconds).');
  return ms;
}

/** Milliseconds, not 0. */
export function readTimeout(text: string): number {
  const ms = readDuration(text);
  if (ms === 0) throw new InvalidArgumentError('Allowed: a time longer than 0, such as 500ms, 30s or 5m (a bare number is seconds).');
  return ms;
}

/** Bytes. */
export function readSize(text: string): number {
  const [, number = '', unit = ''] = /^(\d{1,12})([kmg])?$/i.exec(text) ?? [];
  const bytes = Number(number) * (UNITS_BYTES.get(unit.toLowerCase()) ?? NaN);
  if (number === '' || !Number.isSafeInteger(bytes)) throw new InvalidArgumentError('Allowed: a size such as 16k, 10m or 1g (a bare number is bytes), 0 for no limit.');
  return bytes;
}

/** Bytes of all processes: less than two of them take at their start would be a service that refuses everything, by a unit forgotten. */
export function readMemory(text: string): number {
  const bytes = readSize(text);
  if (bytes > 0 && bytes < 64 * 1024 ** 2) throw new InvalidArgumentError('Allowed: a size from 64m, such as 512m or 1g (a bare number is bytes), or 0 for that of the container.');
  return bytes;
}

/** Bytes of a request head: what the parser can hold. */
export function readHeadSize(text: string): number {
  const bytes = readSize(text);
  if (bytes < 1024 || bytes > 1024 ** 2) throw new InvalidArgumentError('Allowed: a size from 1k to 1m.');
  return bytes;
}

export function readCount(text: string): number {
  const count = Number(text);
  if (!/^\d{1,9}$/.test(text) || count < 1) throw new InvalidArgumentError('Allowed: a whole number from 1.');
  return count;
}

export function readCountOrNone(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('Allowed: a whole number from 0.');
  return Number(text);
}

/** Proxies in a row; 0: they are not counted. */
export function readHops(text: string): number {
  if (!/^\d{1,2}$/.test(text)) throw new InvalidArgumentError('Allowed: a whole number from 0 to 99.');
  return Number(text);
}

export function readBoolean(text: string): boolean {
  if (text !== 'true' && text !== 'false') throw new InvalidArgumentError('Allowed: true or false.');
  return text === 'true';
}

/** A list whose flag may be repeated; each use may hold several values with commas between them. */
export function listOf(read: (text: string) => string): (text: string, before: readonly string[] | undefined) => readonly string[] {
  return (text, before) => [...(before ?? []), ...text.split(',').map((item) => read(item.trim()))];
}

export function readPath(text: string): string {
  if (text === '') throw new InvalidArgumentError('Allowed: the path of a folder or file.');
  return text;
}

/** `10.0.0.0/8`; a bare address means that address alone. */
export function readCidr(text: string): string {
  const [address = '', length, ...rest] = text.split('/');
  const family = isIP(address);
  const bits = family === 4 ? 32 : 128;
  const valid = family !== 0 && rest.length === 0 && (length === undefined || (/^\d{1,3}$/.test(length) && Number(length) <= bits));
  if (!valid) throw new InvalidArgumentError('Allowed: networks such as 10.0.0.0/8 or fd00::/8, or single addresses.');
  return length === undefined ? `${address}/${bits}` : text;
}

/** `1.2.3.4`, `1.2.3.4:53`, `[::1]:53`. */
export function readDnsServer(text: string): string {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+|[^[\]]+:[^[\]]*:[^[\]]*))(?::(\d{1,5}))?$/.exec(text) ?? [];
  if (isIP(bracketed ?? plain ?? '') === 0 || Number(port ?? 53) > 65535) throw new InvalidArgumentError('Allowed: IP addresses with an optional port, such as 10.96.0.10 or [::1]:5353.');
  return text;
}

/** `namespace/name` as Kubernetes allows it (RFC 1123 labels; a Secret's or Service's name). */
export function readObjectName(text: string): string {
  if (!/^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?\/[a-z0-9](?:[-.a-z0-9]{0,251}[a-z0-9])?$/.test(text)) throw new InvalidArgumentError('Allowed: namespace/name.');
  return text;
}

/** The name of an IngressClass, or the controller name that classes give in spec.controller. */
export function readName(text: string): string {
  if (!/^[A-Za-z0-9][-./A-Za-z0-9]{0,251}$/.test(text)) throw new InvalidArgumentError('Allowed: letters, digits, dots, dashes and slashes, at most 252.');
  return text;
}

/** `http://` or `https://` and what follows, or without either. It is not taken apart here: the proxy's own parsers do that. */
export function readUrl(text: string): string {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase() ?? 'http';
  if (scheme !== 'http' && scheme !== 'https') throw new InvalidArgumentError('Allowed: a URL with http:// or https://, such as https://shop.example.com/cart.');
  return text;
}

/** A method: any token (RFC 9110 5.6.2), as methods are case-sensitive. */
export function readMethod(text: string): string {
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$/.test(text)) throw new InvalidArgumentError('Allowed: a method such as GET or POST.');
  return text;
}

/** Adds `name: value` to a flat list of names and values. */
export function readHeader(text: string, before: readonly string[] | undefined): readonly string[] {
  const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*((?:\t|\P{Cc})*)$/u.exec(text) ?? [];
  if (name === undefined || value === undefined) throw new InvalidArgumentError('Allowed: a header field such as "x-beta: 1".');
  return [...(before ?? []), name, value.trim()];
}
