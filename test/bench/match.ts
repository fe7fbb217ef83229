// What routing costs: a lookup in tables of 1,000 to 100,000 routes, a change to one of 10,000 virtual hosts, and a delta.
// Run with `node --expose-gc test/bench/match.ts`; figures are medians of several rounds.
import { compileTable } from '../../proxy/match/compile.ts';
import type { RoutingTable } from '../../proxy/match/compile.ts';
import type { MatchInput } from '../../proxy/match/conditions.ts';
import { parseTarget } from '../../proxy/http/target.ts';
import { applyInPlace, ownSnapshot } from '../../proxy/table/own-snapshot.ts';
import type { VirtualHost } from '../../proxy/table/route.ts';
import { EMPTY_SNAPSHOT } from '../../proxy/table/snapshot.ts';
import { host, path, request, route, sections } from '../proxy/match/builders.ts';

const ROUNDS = 9;

/** Median microseconds of one of `times` calls. */
function measure(times: number, work: (at: number) => void): number {
  const rounds: number[] = [];
  for (let round = 0; round < ROUNDS + 2; round++) {
    globalThis.gc?.();
    const started = performance.now();
    for (let at = 0; at < times; at++) work(at);
    if (round >= 2) rounds.push(((performance.now() - started) * 1000) / times);
  }
  return rounds.sort((a, b) => a - b)[ROUNDS >> 1] as number;
}

function say(what: string, microseconds: number): void {
  const text = microseconds < 1000 ? `${microseconds.toFixed(3)} µs` : `${(microseconds / 1000).toFixed(2)} ms`;
  process.stdout.write(`${what.padEnd(72)} ${text.padStart(12)}\n`);
}

const hostname = (at: number): string => `shop-${at}.customer-${at % 97}.example.com`;

function manyHosts(hosts: number, paths: number): VirtualHost[] {
  return Array.from({ length: hosts }, (_, at) => host(hostname(at), routes(paths)));
}

function routes(paths: number): VirtualHost['routes'] {
  const longestFirst = Array.from({ length: paths - 1 }, (_, at) => route(`r${at}`, path(at % 2 === 0 ? 'PathPrefix' : 'Exact', `/api/v1/resource-${at}`)));
  return [...longestFirst, route('root', path('PathPrefix', '/'))];
}

/** Requests spread over all routes of the table. Half of them hit an Exact path, half go below a PathPrefix. */
function asked(count: number, hosts: number, paths: number): MatchInput[] {
  return Array.from({ length: count }, (_, at) => {
    const which = (at * 7919) % (paths - 1);
    const target = parseTarget(`/api/v1/resource-${which}${which % 2 === 0 ? '/items/4711' : ''}?q=${at}`, 'GET');
    if ('status' in target) throw new Error(target.text);
    return request('/', { hostname: hostname((at * 104_729) % hosts), path: target.path, query: target.query });
  });
}

function lookups(table: RoutingTable, list: readonly MatchInput[], times: number): number {
  for (const each of list) if (table.match('http', each) === undefined) throw new Error(`nothing matches ${each.hostname}${each.path}`);
  return measure(times, (at) => void table.match('http', list[at % list.length] as MatchInput));
}

for (const [hosts, paths] of [[1, 10], [1, 1000], [100, 10], [1000, 10], [10_000, 10], [1, 100_000]] as const) {
  const hostSections = sections(manyHosts(hosts, paths));
  const started = performance.now();
  const { table } = compileTable(hostSections);
  const compiling = performance.now() - started;
  say(`match, ${hosts} hosts × ${paths} paths, 1,000 requests again and again`, lookups(table, asked(1000, hosts, paths), 100_000));
  say('  50,000 requests all over the table (bound by memory)', lookups(table, asked(50_000, hosts, paths), 50_000));
  say('  compiling the table', compiling * 1000);
}

{
  const list = asked(1000, 10_000, 10);
  const { table } = compileTable(sections(manyHosts(10_000, 10)));
  const all = (): void => {
    for (let at = 0; at < 200_000; at++) table.match('http', list[at % list.length] as MatchInput);
  };
  all();
  globalThis.gc?.();
  const before = process.memoryUsage().heapUsed;
  all();
  process.stdout.write(`${'heap bytes allocated per match'.padEnd(72)} ${((process.memoryUsage().heapUsed - before) / 200_000).toFixed(2).padStart(9)}\n`);
}

{
  const hostSections = sections(manyHosts(10_000, 10));
  const { table } = compileTable(hostSections);
  const changed = Array.from({ length: 100 }, (_, at) => host(hostname(at * 97), routes(10)));
  say('with(): one virtual host of 10 routes changed, of 10,000', measure(100, (at) => {
    const one = changed[at] as VirtualHost;
    table.with({ set: { [`http/${one.hostname}`]: one } });
  }));
  say('compileTable() of 10,000 unchanged virtual hosts', measure(5, () => void compileTable(hostSections, table)));
}

{
  const endpoint = { address: '10.0.0.1', port: 80, ready: true, serving: true, terminating: false };
  const endpoints = Object.fromEntries(Array.from({ length: 10_000 }, (_, at) => [`shop/svc-${at}:80`, [endpoint]]));
  const snapshot = { ...EMPTY_SNAPSHOT, version: 1, endpoints };
  const own = ownSnapshot(snapshot);
  const set = { endpoints: { 'shop/svc-7:80': [endpoint, { ...endpoint, address: '10.0.0.2' }] } };
  say('applyInPlace: one of 10,000 endpoint sets changed', measure(1000, () => void applyInPlace(own, { set, remove: {}, base: own.version, version: own.version + 1 })));
}
