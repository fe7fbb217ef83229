// explain and the data plane agree: the same generated table, the same request once asked and once really sent.
import fc from 'fast-check';
import test from 'ava';
import { explain } from '../../controller/explain.ts';
import type { MatchInput } from '../../proxy/match/conditions.ts';
import type { Route, VirtualHost } from '../../proxy/table/route.ts';
import { EMPTY_SNAPSHOT } from '../../proxy/table/snapshot.ts';
import { HTTP_LISTENER, startDataPlane } from '../support/data-plane.ts';
import { RawClient, statusOf } from '../support/raw-client.ts';
import type { ParsedMessage } from '../support/strict-http1.ts';
import { DEFAULT_TEST_OPTIONS } from '../support/worker-options.ts';
import { ROOT, requests, separators, spelled, tables } from './match-arbitraries.ts';

const TABLES = 100;
const REQUESTS = 100;

/** Each route answers with its own name, and each virtual host on the listener that the test asks. */
function answering(virtualHosts: Readonly<Record<string, VirtualHost>>): Record<string, VirtualHost> {
  return Object.fromEntries(
    Object.entries(virtualHosts).map(([key, host], at) => [
      key,
      // Most of them are open at their root.
      { ...host, listeners: ['http'], routes: [...host.routes, ...(at % 3 === 0 ? [] : [{ ...(host.routes[0] as Route), name: 'root', match: ROOT }])].map((route) => ({ ...route, action: { type: 'Respond' as const, status: 200, body: `${host.hostname} ${route.name}`, reason: 'Test' } })) },
    ]),
  );
}

/** What may follow a route's value; where an endpoint may take it for something else, another route may be meant. */
const TAILS = ['/a', '%2Fa', ';v/a', '/a;v'];

/** Half of the requests are aimed at a route of the table, so that not nearly all of them miss, and more of them at a host. */
function aimed(request: MatchInput, at: number, between: readonly string[], hosts: readonly VirtualHost[]): MatchInput {
  const host = hosts[at % hosts.length];
  const route = host?.routes[at % host.routes.length];
  if (host === undefined || route === undefined) return request;
  if (at % 4 === 0) return { ...request, hostname: host.hostname.replace('*', 'w'), path: spelled(request.path, between) };
  if (at % 2 === 0 || route.match.path.type === 'RegularExpression') return request;
  const path = at % 5 === 0 ? spelled(`${route.match.path.value.replace(/\/$/, '')}/a`, between) : at % 3 === 0 ? `${route.match.path.value.replace(/\/$/, '')}${TAILS[(at >> 1) % TAILS.length]}` : route.match.path.value;
  return { ...request, hostname: host.hostname.replace('*', 'w'), path, method: route.match.method ?? request.method };
}

function bytesOf({ method, path, query, hostname, headers }: MatchInput): string {
  const lines = headers.map((text, at) => (at % 2 === 0 ? `${text}: ` : `${text}\r\n`)).join('');
  return `${method} ${path}${query === '' ? '' : `?${query}`} HTTP/1.1\r\nHost: ${hostname}\r\n${lines}\r\n`;
}

/** What the data plane said: status, and host and route by name. */
function said(message: ParsedMessage): string {
  const status = statusOf(message);
  return status === 200 ? `200 ${message.body.toString().split('\n')[1]?.replace('Test: ', '')}` : String(status);
}

test('explain and the data plane agree on 10,000 tables and requests', async (t) => {
  const plane = await startDataPlane({});
  t.teardown(() => plane.close());
  const hosts = fc.sample(tables, { numRuns: TABLES, seed: 20261123 });
  const between = fc.sample(separators, { numRuns: TABLES * REQUESTS, seed: 20261125 });
  const asked = fc.sample(requests, { numRuns: TABLES * REQUESTS, seed: 20261124 });
  let compared = 0;
  let routed = 0;
  let ambiguous = 0;
  for (const [at, { virtualHosts }] of hosts.entries()) {
    const sections = { ...EMPTY_SNAPSHOT, listeners: { 'listener/http': HTTP_LISTENER }, virtualHosts: answering(virtualHosts) };
    await plane.swap({ virtualHosts: sections.virtualHosts });
    let client = await RawClient.connect(plane.port);
    const some = asked.slice(at * REQUESTS, (at + 1) * REQUESTS).map((request, index) => aimed(request, index, between[at * REQUESTS + index] as string[], Object.values(sections.virtualHosts)));
    for (const request of some) {
      client.received = Buffer.alloc(0);
      client.write(bytesOf(request));
      const [message] = await client.responses(1);
      const url = `http://${request.hostname}${request.path}${request.query === '' ? '' : `?${request.query}`}`;
      const explained = explain(sections, { url, method: request.method, headers: request.headers, from: '127.0.0.1' }, () => undefined, DEFAULT_TEST_OPTIONS);
      const action = explained.answer?.action;
      const expected = explained.refused !== undefined ? String(explained.refused.status) : explained.ambiguous !== undefined ? String(explained.ambiguous.reply.status) : action === undefined ? '404' : `200 ${action.type === 'Respond' ? action.body : ''}`;
      if (message === undefined || said(message) !== expected) t.fail(`${bytesOf(request)}: explained ${expected}, served ${message && said(message)}`);
      compared++;
      if (action !== undefined) routed++;
      if (explained.ambiguous !== undefined) ambiguous++;
      if (explained.refused !== undefined) {
        client.destroy();
        client = await RawClient.connect(plane.port);
      }
    }
    client.destroy();
  }
  t.is(compared, TABLES * REQUESTS);
  t.true(ambiguous > 50, `${ambiguous} requests were ambiguous`);
  t.true(routed > compared / 8, `${routed} requests found a route`);
});
