// The small readers that decoders are put together from. Each takes a value of which nothing is known and gives one of its
// type, noting a Problem if it does not fit. Kubernetes writes an unset field as absent or as null, and so do these.
import { isIPv4, isIPv6 } from 'node:net';
import type { Reading } from './decode-reading.ts';

export type Read<T> = (value: unknown, at: Reading) => T;
export type Fields = Readonly<Record<string, unknown>>;

const NO_FIELDS: Fields = {};
const LABEL = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$/;
const SUBDOMAIN = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/;

/** Stands in for a text that is nothing like one: no host, no path, and nothing that means nothing. */
export const UNREADABLE = '(unreadable)';

/** Stands in for a text that is refused: what was written, as far as it is text of one line. */
export function asWritten(value: unknown): string {
  if (typeof value === 'string') return value.replace(/[\r\n\0]/g, '');
  if (value === undefined || value === null) return '';
  return typeof value === 'object' ? UNREADABLE : String(value);
}

/** A string of one line: CR, LF and NUL are how text breaks out of where it is put. */
export const text: Read<string> = (value, at) => {
  if (typeof value !== 'string') return at.refuse(value, 'a string', asWritten(value));
  return /[\r\n\0]/.test(value) ? at.refuse(value, 'a string without CR, LF and NUL', asWritten(value)) : value;
};

export const boolean: Read<boolean> = (value, at) => (typeof value === 'boolean' ? value : at.refuse(value, 'true or false', false));

/** A whole number from `min` to `max`. */
export function integer(min: number, max: number): Read<number> {
  return (value, at) => (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max ? value : at.refuse(value, `a whole number from ${min} to ${max}`, min));
}

export const portNumber: Read<number> = integer(1, 65535);

/** One of some words. */
export function oneOf<const W extends string>(first: W, ...others: readonly W[]): Read<W> {
  const words = [first, ...others];
  return (value, at) => words.find((word) => word === value) ?? at.refuse(value, `one of ${words.join(', ')}`, first);
}

/** A string that passes `test`; `allowed` says what passes. */
export function textThat(test: (value: string) => boolean, allowed: string): Read<string> {
  return (value, at) => (typeof value === 'string' && test(value) ? value : at.refuse(value, allowed, asWritten(value)));
}

export function isLabel(value: string): boolean {
  return value.length <= 63 && LABEL.test(value);
}

export function isSubdomain(value: string): boolean {
  return value.length <= 253 && SUBDOMAIN.test(value);
}

/** Names of most objects. */
export const subdomain = textThat(isSubdomain, 'a DNS-1123 subdomain: at most 253 lower-case letters, digits, "-" and ".", with a letter or digit at both ends of each part');
/** Names of Services, namespaces and ports. */
export const label = textThat(isLabel, 'a DNS-1123 label: at most 63 lower-case letters, digits and "-", with a letter or digit at both ends');

export const ipv4 = textThat(isIPv4, 'an IPv4 address');
export const ipv6 = textThat((value) => isIPv6(value) && !value.includes('%'), 'an IPv6 address without zone');

/** Absent and null mean `unset`. */
export function optional<T, const U>(read: Read<T>, unset: U): Read<T | U> {
  return (value, at) => (value === undefined || value === null ? unset : read(value, at));
}

/** Absent, null and empty mean `unset`. */
export function optionalText<T, const U>(read: Read<T>, unset: U): Read<T | U> {
  return (value, at) => (value === undefined || value === null || value === '' ? unset : read(value, at));
}

/** A string of one line; absent and null mean empty. */
export const anyText: Read<string> = optionalText(text, '');

/** A list; absent and null mean empty. */
export function list<T>(read: Read<T>): Read<readonly T[]> {
  return (value, at) => {
    if (value === undefined || value === null) return [];
    if (!Array.isArray(value)) return at.refuse(value, 'a list', []);
    const result: T[] = [];
    for (let index = 0; index < value.length; index++) {
      at.enter(index);
      result.push(read(value[index], at));
      at.leave();
    }
    return result;
  };
}

/** A list that may be absent, but not null: where nothing sensible is meant by `rules:` with nothing after it. */
export function listNotNull<T>(read: Read<T>): Read<readonly T[]> {
  const readList = list(read);
  return (value, at) => (value === null ? at.refuse(value, 'a list', []) : readList(value, at));
}

/** A mapping with fields; what fields it may have is the caller's business, and unknown ones are ignored. */
export const fields: Read<Fields> = (value, at) => (isMapping(value) ? value : at.refuse(value, 'a mapping', NO_FIELDS));

export function isMapping(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Reads one field of a mapping. */
export function field<T>(of: Fields, name: string, read: Read<T>, at: Reading): T {
  at.enter(name);
  const value = read(of[name], at);
  at.leave();
  return value;
}

/** A mapping whose keys the user chose, as a Map, in which a key such as `__proto__` is nothing special. Absent and null mean empty. */
export function mapOf<T>(readKey: Read<string>, readValue: Read<T>): Read<ReadonlyMap<string, T>> {
  return (value, at) => {
    const result = new Map<string, T>();
    if (value === undefined || value === null) return result;
    if (!isMapping(value)) return at.refuse(value, 'a mapping', result);
    for (const key of Object.keys(value)) {
      at.enterKey(key);
      result.set(readKey(key, at), readValue(value[key], at));
      at.leave();
    }
    return result;
  };
}
