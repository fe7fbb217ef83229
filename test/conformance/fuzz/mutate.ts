// Mutators for streams of HTTP/1.1 messages: single bytes, bytes that mean something to a parser, whole lines, boundaries
// between messages. Each takes Latin-1 text and gives another.
import type { Random } from './random.ts';

export type Mutator = (text: string, random: Random, others: readonly string[]) => string;

const MEANINGFUL = ['\r\n', '\r\n', '\r', '\n', '\0', ':', '\t', ' ', '\r\n\r\n', '\r\n ', ',', ';', '=', '"', '0', '\v', '\f', '\x7f', '\x80', '\x85', '\xa0', '\xff', 'chunked', '0\r\n\r\n', '%', '#', '@', '/'];
const LINES = [
  'Content-Length: 0', 'Content-Length: 3', 'Content-Length: 10', 'Content-Length: 1000000000', 'Content-Length: 00', 'Content-Length:', 'content-length : 3', 'Content-Length: 3, 3', 'Content-Length: +3',
  'Transfer-Encoding: chunked', 'Transfer-Encoding: identity', 'Transfer-Encoding: gzip, chunked', 'transfer-encoding:chunked', 'Transfer-Encoding\t: chunked', 'Transfer-Encoding: xchunked', 'Transfer_Encoding: chunked',
  'Host: b.test', 'Host:', 'Host: a/b', 'Connection: close', 'Connection: keep-alive', 'Connection: upgrade', 'Connection: X-A, Host', 'Connection: Content-Length, Transfer-Encoding',
  'Upgrade: websocket', 'Upgrade: h2c', 'HTTP2-Settings: AAA', 'Expect: 100-continue', 'Expect: x', 'TE: trailers', 'Trailer: X-A', 'Keep-Alive: 1', 'Proxy-Connection: close', 'X-A: b', 'X_A: b', ' folded',
  'X-Forwarded-For: 6.6.6.6', 'X_Forwarded_For: 6.6.6.6', 'X-Real-IP: 6.6.6.6', 'Forwarded: for=6.6.6.6', 'X-Request-ID: a b', '__proto__: x', 'Cookie: a=b', 'GET /smuggled HTTP/1.1', '0', '3', 'abc',
];
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'CONNECT', 'TRACE', 'PATCH', 'PRI', 'FOO', 'get', 'G\tET', ''];
const TARGETS = ['/', '*', '/a?b', 'http://b.test/c', 'http://b.test', '//a', '/a/../b', '/%2e%2e/', '/a b', '/a#b', '/\x80', 'a.test:80', ''];
const VERSIONS = ['HTTP/1.1', 'HTTP/1.0', 'HTTP/1.2', 'HTTP/2.0', 'HTTP/0.9', 'http/1.1', 'HTTP/1.1 ', ''];
const NUMBERS = ['0', '1', '2', '3', '5', '7', '10', '2f', 'ff', '00', '003', '+3', '-1', '0x3', '3 ', ' 3', '9007199254740993', 'ffffffffffffffff', '18446744073709551619', '3;x', '3;x=y', '3;x="y"', ''];

const at = (text: string, random: Random): number => random.below(text.length + 1);
const splice = (text: string, start: number, remove: number, insert: string): string => text.slice(0, start) + insert + text.slice(start + remove);
const anyByte = (random: Random): string => String.fromCharCode(random.below(256));

/** Start and length of a random line without its CR LF. */
function line(text: string, random: Random): { start: number; length: number } {
  const lines = text.split('\r\n');
  const index = random.below(Math.min(lines.length, 30));
  let start = 0;
  for (let i = 0; i < index; i++) start += (lines[i] as string).length + 2;
  return { start, length: (lines[index] as string).length };
}

/** A part of the request line, by place: method, target, version. */
function requestPart(text: string, random: Random, place: number, words: readonly string[]): string {
  const end = text.indexOf('\r\n');
  const parts = (end === -1 ? text : text.slice(0, end)).split(' ');
  parts[place] = random.pick(words);
  return parts.join(' ') + (end === -1 ? '' : text.slice(end));
}

export const MUTATORS: readonly Mutator[] = [
  function deleteBytes(text, random) {
    return splice(text, at(text, random), random.once(2) ? 1 : 1 + random.below(8), '');
  },
  function replaceByte(text, random) {
    return splice(text, at(text, random), 1, anyByte(random));
  },
  function flipBit(text, random) {
    const place = random.below(text.length);
    return splice(text, place, 1, String.fromCharCode(text.charCodeAt(place) ^ (1 << random.below(8))));
  },
  function insertByte(text, random) {
    return splice(text, at(text, random), 0, anyByte(random));
  },
  function insertMeaningful(text, random) {
    return splice(text, at(text, random), 0, random.pick(MEANINGFUL));
  },
  function replaceByMeaningful(text, random) {
    return splice(text, at(text, random), 1, random.pick(MEANINGFUL));
  },
  function breakLineEnd(text, random) {
    const { start, length } = line(text, random);
    return splice(text, start + length, 2, random.pick(['\n', '\r', '\r\r\n', '\n\r', '', ' \r\n', '\r\n ', '\r\n\t', '\r\n\r\n', '\0\r\n', '\rX']));
  },
  function concatenate(text, random, others) {
    return random.once(2) ? text + random.pick(others) : random.pick(others) + text;
  },
  function insertAnother(text, random, others) {
    return splice(text, at(text, random), 0, random.pick(others));
  },
  function split(text, random) {
    const place = at(text, random);
    return random.once(2) ? text.slice(0, place) : text.slice(place);
  },
  function shift(text, random) {
    const start = at(text, random);
    const length = random.below(40);
    const moved = text.slice(start, start + length);
    const left = splice(text, start, length, '');
    return splice(left, at(left, random), 0, moved);
  },
  function duplicate(text, random) {
    if (random.once(3)) return text + text;
    const start = at(text, random);
    const length = 1 + random.below(60);
    return splice(text, start, 0, text.slice(start, start + length));
  },
  function addLine(text, random) {
    return splice(text, line(text, random).start, 0, `${random.pick(LINES)}\r\n`);
  },
  function addLine2(text, random) {
    const end = text.indexOf('\r\n');
    return end === -1 ? text : splice(text, end + 2, 0, `${random.pick(LINES)}\r\n`);
  },
  function removeLine(text, random) {
    const { start, length } = line(text, random);
    return splice(text, start, length + 2, '');
  },
  function replaceLine(text, random) {
    const { start, length } = line(text, random);
    return splice(text, start, length, random.pick(LINES));
  },
  function duplicateLine(text, random) {
    const { start, length } = line(text, random);
    return splice(text, start, 0, text.slice(start, start + length + 2));
  },
  function replaceMethod(text, random) {
    return requestPart(text, random, 0, METHODS);
  },
  function replaceTarget(text, random) {
    return requestPart(text, random, 1, TARGETS);
  },
  function replaceVersion(text, random) {
    return requestPart(text, random, 2, VERSIONS);
  },
  function replaceNumber(text, random) {
    const numbers = [...text.matchAll(/\d+/g)];
    const found = random.pick(numbers);
    return found === undefined ? text : splice(text, found.index, found[0].length, random.pick(NUMBERS));
  },
  function changeCase(text, random) {
    const { start, length } = line(text, random);
    const old = text.slice(start, start + length);
    return splice(text, start, length, random.once(2) ? old.toUpperCase() : old.toLowerCase());
  },
];

/** Longer streams are cut off: they find nothing that shorter ones do not. */
const MAX_LENGTH = 4_000;

/** Applies one to three mutators. */
export function mutate(text: string, random: Random, others: readonly string[]): string {
  let mutated = text;
  for (let left = 1 + random.below(3); left > 0; left--) mutated = random.pick(MUTATORS)(mutated, random, others);
  return mutated.slice(0, MAX_LENGTH);
}
