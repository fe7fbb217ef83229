// The path that is matched is the path that the endpoint gets, however the endpoint reads it.
import test from 'ava';
import fc from 'fast-check';
import { ambiguity } from '../../proxy/match/ambiguity.ts';
import { compileTable } from '../../proxy/match/compile.ts';
import { canonicalPath, parseTarget } from '../../proxy/http/target.ts';
import type { Route } from '../../proxy/table/route.ts';
import { aimedTables, tables } from './match-arbitraries.ts';

const PIECES = ['/', '/', '/', '//', '.', '..', '...', '%2e', '%2E', '%2f', '%5C', '\\', ';', '%3b', 'a', 'b', 'A', '%41', '%61', '%25', '%252e', '%c3%a9', '%c0%ae', '%00', '%0a', '%7f', '%', '%4', '|', '"', '#', '?', '&', '=', ' ', '\u00e9', '__proto__', '~', '+', '$'];
const rawTargets = fc.array(fc.constantFrom(...PIECES), { maxLength: 12 }).map((pieces) => `/${pieces.join('')}`);
const anyTargets = fc.oneof(rawTargets, fc.string({ unit: 'grapheme', maxLength: 20 }), fc.string({ unit: 'binary', maxLength: 20 }));

/** Path and target of what was accepted. */
function accepted(raw: string): { path: string; target: string; query: string } | undefined {
  const parsed = parseTarget(raw, 'GET');
  return 'status' in parsed ? undefined : parsed;
}

test('normalising twice is normalising once', (t) => {
  let seen = 0;
  fc.assert(fc.property(anyTargets, (raw) => {
    const first = accepted(raw);
    if (first === undefined) return;
    seen++;
    const again = canonicalPath(first.path);
    if (again !== first.path) throw new Error(`${first.path} became ${JSON.stringify(again)}`);
    const whole = accepted(first.path + (first.query === '' ? '' : `?${first.query}`));
    if (whole?.path !== first.path || whole.target !== first.path + (first.query === '' ? '' : `?${first.query}`)) throw new Error(`${first.path} is read as ${JSON.stringify(whole)}`);
  }), { numRuns: 20_000 });
  t.true(seen > 1000);
});

test('what is sent on has the canonical path that was matched, and no byte that ends a request line', (t) => {
  fc.assert(fc.property(anyTargets, (raw) => {
    const first = accepted(raw);
    if (first === undefined) return;
    if (accepted(first.target)?.path !== first.path) throw new Error(`${first.target} is not ${first.path}`);
    if (!/^\/[\u0021-\u007e]*$/.test(first.target) || first.target.includes('#')) throw new Error(first.target);
  }), { numRuns: 20_000 });
  t.pass();
});

/** Segments as an endpoint sees them that decodes everything first, takes `\` for `/`, and cuts parameters off. */
function carelessSegments(target: string): string[] {
  const path = (target.split('?')[0] ?? '').replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return path.split(/[/\\]/).map((segment) => segment.split(';')[0] ?? '');
}

test('no endpoint finds dot segments in what is sent on, even if it decodes slashes and drops parameters first', (t) => {
  fc.assert(fc.property(rawTargets, (raw) => {
    const first = accepted(raw);
    if (first !== undefined && carelessSegments(first.target).some((segment) => segment === '.' || segment === '..')) throw new Error(`${raw} is sent on as ${first.target}`);
  }), { numRuns: 30_000 });
  t.pass();
});

test('a path is routed as its canonical form is', (t) => {
  fc.assert(fc.property(tables, rawTargets, (hosts, raw) => {
    const first = accepted(raw);
    if (first === undefined) return;
    const { table } = compileTable(hosts);
    const again = accepted(first.target);
    for (const hostname of ['a.test', 'b.test', 'other']) {
      const request = { hostname, method: 'GET', headers: [], query: '' };
      if (table.match('http', { ...request, path: first.path }) !== table.match('http', { ...request, path: again?.path ?? '' })) throw new Error(raw);
    }
  }), { numRuns: 1000 });
  t.pass();
});

/** Where endpoints look that decode slashes, or drop parameters, or both, in either order. */
function carelessPaths(path: string): string[] {
  const decode = (text: string): string => text.replaceAll(/%(2f|5c|3b)/gi, (octet) => decodeURIComponent(octet).replace('\\', '/'));
  const cut = (text: string): string => text.split('/').map((segment) => segment.split(';')[0] ?? '').join('/');
  return [decode(path), cut(path), cut(decode(path)), decode(cut(path))].map((text) => text.split(/\/+/).join('/'));
}

test('no endpoint finds in what is sent on the path of a route that does something else, even if it decodes slashes and drops parameters', (t) => {
  let refused = 0;
  let differed = 0;
  fc.assert(fc.property(aimedTables, ({ hosts, hostname, raw }) => {
    const target = parseTarget(raw, 'GET');
    if ('status' in target) return;
    const { table } = compileTable(hosts);
    const request = { hostname, method: 'GET', headers: [], query: '', path: target.path, otherPaths: target.otherPaths };
    const written = table.match('http', request);
    if (written === undefined || written.route.match.path.type === 'Exact') return;
    const does = (route: Route | undefined): string => JSON.stringify([route?.filters, route?.action]);
    // What the route's own path spells out is meant.
    const { value } = written.route.match.path;
    const meant = /;|%(2f|5c|3b)/i.test(value) ? value.replace(/\/$/, '').length : 0;
    const other = carelessPaths(target.path.slice(meant)).map((rest) => target.path.slice(0, meant) + rest).find((path) => does(table.match('http', { ...request, path })?.route) !== does(written.route));
    const found = ambiguity(table, 'http', request, written);
    if (found !== undefined) refused++;
    if (other !== undefined) differed++;
    if ((found === undefined) !== (other === undefined)) throw new Error(`${raw} may be read as ${other}, and is taken for ${found?.path}`);
  }), { numRuns: 5000 });
  t.true(differed > 100 && refused === differed, `${refused} of ${differed}`);
});
