// The conditions of a route as compiled functions. The data plane asks them whether they hold; explain.ts asks the very same
// ones, and what they saw, so that an explanation cannot differ from what happens.
import type { RawHeaders, Request } from '../http/exchange.ts';
import { getField, sameName } from '../http/fields.ts';
import { canonicalPath } from '../http/target.ts';
import type { PathMatch, RouteMatch, ValueMatch } from '../table/route.ts';
import { compileRegex } from './regex.ts';
import type { RegexError, TextTest } from './regex.ts';

/** What of a request decides about its route. `path` is canonical. */
export type MatchInput = Pick<Request, 'hostname' | 'path' | 'method' | 'headers' | 'query'>;

export interface Condition {
  readonly kind: 'path' | 'method' | 'header' | 'query' | 'cookie';
  /** For people: `PathPrefix /api`, `x-canary: always`. */
  readonly expected: string;
  holds(request: MatchInput): boolean;
  /** What the request has in that place; undefined: nothing. */
  seen(request: MatchInput): string | undefined;
}

/** The path condition, or why there cannot be one. */
export function pathCondition(match: PathMatch): Condition | RegexError {
  const test = pathTest(match);
  if (typeof test !== 'function') return test;
  const expected = `${match.type} ${match.value}${match.ignoreCase === true ? ' (any case)' : ''}`;
  return { kind: 'path', expected, holds: (request) => test(request.path), seen: (request) => request.path };
}

function pathTest({ type, value, ignoreCase }: PathMatch): TextTest | RegexError {
  if (type === 'RegularExpression') return compileRegex(value, { anchored: true, ignoreCase: ignoreCase === true });
  const error = notCanonical(type, value);
  if (error !== undefined) return error;
  if (ignoreCase === true) {
    const test = plainTest(type, value.toLowerCase());
    return (path) => test(path.toLowerCase());
  }
  return plainTest(type, value);
}

function plainTest(type: Exclude<PathMatch['type'], 'RegularExpression'>, value: string): TextTest {
  if (type === 'Exact') return (path) => path === value;
  if (type === 'StringPrefix') return (path) => path.startsWith(value);
  const element = withoutTrailingSlash(value);
  return (path) => path.startsWith(element) && (path.length === element.length || path.charCodeAt(element.length) === 47);
}

/** A PathPrefix as its elements: `/a` for `/a/`, and empty for `/`. */
export function withoutTrailingSlash(value: string): string {
  return value.endsWith('/') ? value.slice(0, -1) : value;
}

/** A value in another spelling than requests have by the time they are matched would never match, and leave its path to another route. */
function notCanonical(type: PathMatch['type'], value: string): RegexError | undefined {
  // A prefix of characters may end within a segment: `/.` is no dot segment there.
  const tail = type === 'StringPrefix' ? 'x' : '';
  const canonical = canonicalPath(value + tail);
  if (typeof canonical !== 'string') return { error: `the value is ${canonical.text}` };
  return canonical === value + tail ? undefined : { error: `the path is not in its canonical form, ${canonical.slice(0, canonical.length - tail.length)}` };
}

/** Everything but the path, in the order in which it is tested; or why it does not compile. */
export function otherConditions(match: RouteMatch): readonly Condition[] | RegexError {
  const conditions: Condition[] = [];
  const { method } = match;
  if (method !== undefined) {
    conditions.push({ kind: 'method', expected: method, holds: (request) => request.method === method, seen: (request) => request.method });
  }
  for (const header of match.headers) {
    const condition = headerCondition(header);
    if ('error' in condition) return condition;
    conditions.push(condition);
  }
  for (const param of match.queryParams) {
    const condition = valueCondition('query', param, (request) => queryParam(request.query, param.name));
    if ('error' in condition) return condition;
    conditions.push(condition);
  }
  for (const cookie of match.cookies) {
    const condition = valueCondition('cookie', cookie, (request) => cookieValue(request.headers, cookie.name));
    if ('error' in condition) return condition;
    conditions.push(condition);
  }
  return conditions.length === 0 ? NO_CONDITIONS : conditions;
}

const NO_CONDITIONS: readonly Condition[] = [];

/** Holds if any field of that name has the value. */
function headerCondition(match: ValueMatch): Condition | RegexError {
  const test = valueTest(match);
  if (typeof test !== 'function') return test;
  const name = match.name.toLowerCase();
  return {
    kind: 'header',
    expected: expectation(match),
    holds({ headers }) {
      for (let i = 0; i < headers.length; i += 2) if (sameName(headers[i] as string, name) && test(headers[i + 1] as string)) return true;
      return false;
    },
    seen: ({ headers }) => getField(headers, name),
  };
}

function valueCondition(kind: 'query' | 'cookie', match: ValueMatch, seen: Condition['seen']): Condition | RegexError {
  const test = valueTest(match);
  if (typeof test !== 'function') return test;
  return {
    kind,
    expected: expectation(match),
    holds(request) {
      const value = seen(request);
      return value !== undefined && test(value);
    },
    seen,
  };
}

function valueTest({ type, value }: ValueMatch): TextTest | RegexError {
  if (type === 'Present') return () => true;
  return type === 'Exact' ? (text) => text === value : compileRegex(value);
}

function expectation({ name, type, value }: ValueMatch): string {
  if (type === 'Present') return `${name} (any value)`;
  return type === 'Exact' ? `${name}: ${value}` : `${name} like ${value}`;
}

/** The first parameter of that name, decoded as forms are (`+` is a blank). Gateway API: only the first one counts. */
export function queryParam(query: string, name: string): string | undefined {
  let start = 0;
  while (start <= query.length) {
    const and = query.indexOf('&', start);
    const end = and === -1 ? query.length : and;
    const equals = query.indexOf('=', start);
    const nameEnd = equals === -1 || equals > end ? end : equals;
    if (end > start && formDecoded(query.substring(start, nameEnd)) === name) {
      return nameEnd === end ? '' : formDecoded(query.substring(nameEnd + 1, end));
    }
    start = end + 1;
  }
  return undefined;
}

function formDecoded(text: string): string {
  const spaced = text.includes('+') ? text.replaceAll('+', ' ') : text;
  if (!spaced.includes('%')) return spaced;
  try {
    return decodeURIComponent(spaced);
  } catch {
    return spaced;
  }
}

/** The first cookie of that name (RFC 6265 §5.4), as it was sent. Cookie names have upper and lower case. */
export function cookieValue(headers: RawHeaders, name: string): string | undefined {
  for (let i = 0; i < headers.length; i += 2) {
    if (!sameName(headers[i] as string, 'cookie')) continue;
    const text = headers[i + 1] as string;
    let start = 0;
    while (start < text.length) {
      const semicolon = text.indexOf(';', start);
      const end = semicolon === -1 ? text.length : semicolon;
      while (text.charCodeAt(start) === 32) start++;
      if (text.startsWith(name, start) && text.charCodeAt(start + name.length) === 61 && start + name.length < end) {
        return text.substring(start + name.length + 1, end).trimEnd();
      }
      start = end + 1;
    }
  }
  return undefined;
}
