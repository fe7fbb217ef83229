// The indexed matcher is the obvious one, only faster; a changed table is the one that would have been compiled anew.
import test from 'ava';
import fc from 'fast-check';
import { compileTable } from '../../proxy/match/compile.ts';
import type { RoutingTable } from '../../proxy/match/compile.ts';
import type { MatchInput } from '../../proxy/match/conditions.ts';
import { explainMatch } from '../../proxy/match/explain.ts';
import { matchLinear } from '../../proxy/match/linear.ts';
import type { Sections } from '../../proxy/table/snapshot.ts';
import { requests, tables } from './match-arbitraries.ts';

const someRequests = fc.array(requests, { minLength: 1, maxLength: 10 });

test('the routing table finds what the linear matcher finds', (t) => {
  let hits = 0;
  fc.assert(
    fc.property(tables, someRequests, (hosts, list) => {
      const { table, errors } = compileTable(hosts);
      if (errors.length > 0) throw new Error(JSON.stringify(errors));
      for (const request of list) {
        for (const listener of ['http', 'https', 'other']) {
          const linear = matchLinear(Object.values(hosts.virtualHosts), listener, request);
          const found = table.match(listener, request);
          if (found?.route !== linear?.route) throw new Error(`${JSON.stringify(request)} on ${listener}: ${found?.route.name} instead of ${linear?.route?.name}`);
          if (table.virtualHost(listener, request.hostname) !== linear?.virtualHost) throw new Error(`another virtual host for ${request.hostname}`);
          if (found !== undefined) hits++;
        }
      }
    }),
    { numRuns: 2000 },
  );
  t.true(hits > 1000, `only ${hits} requests matched anything`);
});

test('an explanation names the route that answers, and it is the first without a failed condition', (t) => {
  fc.assert(
    fc.property(tables, someRequests, (hosts, list) => {
      const { table } = compileTable(hosts);
      for (const request of list) {
        const { candidates, winner, host } = explainMatch(table, 'http', request);
        const first = candidates.find(({ failed }) => failed === undefined);
        if (first?.compiled !== winner || winner !== table.match('http', request)) throw new Error(JSON.stringify(request));
        if (host?.virtualHost.routes.length !== (host === undefined ? undefined : candidates.length)) throw new Error('a candidate is missing');
      }
    }),
    { numRuns: 1000 },
  );
  t.pass();
});

function answers(table: RoutingTable, list: readonly MatchInput[]): (string | undefined)[] {
  return list.flatMap((request) => ['http', 'https'].map((listener) => {
    const found = table.match(listener, request);
    return found === undefined ? undefined : `${found.virtualHost.hostname} ${found.route.name} ${JSON.stringify(found.route.match)}`;
  }));
}

/** What turns one record of virtual hosts into the other; a copy that says the same counts as a change, which must do no harm. */
function changesOf(before: Sections['virtualHosts'], after: Sections['virtualHosts']): { readonly set: Sections['virtualHosts']; readonly remove: readonly string[] } {
  return {
    set: Object.fromEntries(Object.entries(after).filter(([key, host]) => before[key] !== host)),
    remove: Object.keys(before).filter((key) => !Object.hasOwn(after, key)),
  };
}

test('a table that was changed step by step answers as one that was compiled at once', (t) => {
  fc.assert(
    fc.property(fc.array(tables, { minLength: 2, maxLength: 5 }), someRequests, (steps, list) => {
      const [start, ...rest] = steps as [typeof steps[number], ...typeof steps];
      let table = compileTable(start).table;
      let now = start;
      for (const next of rest) {
        table = table.with(changesOf(now.virtualHosts, next.virtualHosts)).table;
        now = next;
        const anew = answers(compileTable(next).table, list);
        const reused = answers(compileTable(next, table).table, list);
        if (JSON.stringify(answers(table, list)) !== JSON.stringify(anew) || JSON.stringify(reused) !== JSON.stringify(anew)) throw new Error('they differ');
      }
    }),
    { numRuns: 500 },
  );
  t.pass();
});
