// The obvious matcher: every virtual host, then every route in order, each condition in plain words. It is the oracle that the
// indexed matcher is tested against, and shares nothing with it but the regular expression engine.
import type { Route, RouteMatch, ValueMatch, VirtualHost } from '../table/route.ts';
import type { MatchInput } from './conditions.ts';
import { compileRegex } from './regex.ts';
import type { RegexOptions } from './regex.ts';

export interface LinearMatch {
  readonly virtualHost: VirtualHost;
  /** Undefined: this virtual host answers, and no route of it matches. */
  readonly route: Route | undefined;
}

/** Undefined: no virtual host of this listener answers for the hostname. */
export function matchLinear(virtualHosts: Iterable<VirtualHost>, listener: string, request: MatchInput): LinearMatch | undefined {
  const here = [...virtualHosts].filter(({ listeners }) => listeners.includes(listener));
  const virtualHost =
    here.find(({ hostname }) => hostname === request.hostname) ??
    here.find(({ hostname }) => wildcardCovers(hostname, request.hostname)) ??
    here.find(({ hostname }) => hostname === '*');
  if (virtualHost === undefined) return undefined;
  return { virtualHost, route: virtualHost.routes.find(({ match }) => matches(match, request)) };
}

function wildcardCovers(pattern: string, hostname: string): boolean {
  const [star, ...suffix] = pattern.split('.');
  const [label, ...rest] = hostname.split('.');
  return star === '*' && suffix.length > 0 && label !== '' && rest.join('.') === suffix.join('.');
}

function matches(match: RouteMatch, request: MatchInput): boolean {
  return (
    pathMatches(match.path, request.path) &&
    (match.method === undefined || match.method === request.method) &&
    match.headers.every((wanted) => headerValues(request, wanted.name).some((value) => valueMatches(wanted, value))) &&
    match.queryParams.every((wanted) => valueMatches(wanted, firstQueryValue(request.query, wanted.name))) &&
    match.cookies.every((wanted) => valueMatches(wanted, firstCookie(request, wanted.name)))
  );
}

function pathMatches({ type, value, ignoreCase }: RouteMatch['path'], path: string): boolean {
  if (type === 'RegularExpression') return regexMatches(value, path, { anchored: true, ignoreCase: ignoreCase === true });
  const wanted = ignoreCase === true ? value.toLowerCase() : value;
  const seen = ignoreCase === true ? path.toLowerCase() : path;
  if (type === 'Exact') return seen === wanted;
  if (type === 'StringPrefix') return seen.startsWith(wanted);
  const elements = seen.split('/');
  const prefix = (wanted.endsWith('/') ? wanted.slice(0, -1) : wanted).split('/');
  return prefix.every((element, at) => elements[at] === element);
}

function valueMatches({ type, value }: ValueMatch, seen: string | undefined): boolean {
  if (seen === undefined) return false;
  if (type === 'Present') return true;
  return type === 'Exact' ? seen === value : regexMatches(value, seen, {});
}

function regexMatches(pattern: string, text: string, options: RegexOptions): boolean {
  const test = compileRegex(pattern, options);
  return typeof test === 'function' && test(text);
}

function headerValues({ headers }: MatchInput, name: string): string[] {
  return headers.filter((_, at) => at % 2 === 1 && headers[at - 1]?.toLowerCase() === name.toLowerCase());
}

function firstQueryValue(query: string, name: string): string | undefined {
  for (const part of query.split('&')) {
    const [key = '', ...rest] = part.split('=');
    if (part !== '' && decoded(key) === name) return decoded(rest.join('='));
  }
  return undefined;
}

function decoded(text: string): string {
  const spaced = text.split('+').join(' ');
  try {
    return decodeURIComponent(spaced);
  } catch {
    return spaced;
  }
}

function firstCookie(request: MatchInput, name: string): string | undefined {
  const pairs = headerValues(request, 'cookie').flatMap((value) => value.split(';'));
  for (const pair of pairs) {
    const [key = '', ...rest] = pair.replace(/^ +/, '').split('=');
    if (rest.length > 0 && key === name) return rest.join('=').trimEnd();
  }
  return undefined;
}
