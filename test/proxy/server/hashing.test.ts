// Requests with the same key go to the same endpoint; which part of a request the key is, the table says.
import test from 'ava';
import type { KeyPart } from '../../../proxy/table/cluster.ts';
import { answer, forwardPlane, ok } from '../../support/forward-plane.ts';
import { exchangeRaw } from '../../support/raw-client.ts';

/** A part of the key, and two requests that differ in it and in nothing else. */
const KEYS: readonly (readonly [KeyPart, (value: string) => string])[] = [
  [{ type: 'Header', name: 'x-user' }, (value) => `GET / HTTP/1.1\r\nHost: a\r\nX-User: ${value}\r\n\r\n`],
  [{ type: 'Cookie', name: 'id' }, (value) => `GET / HTTP/1.1\r\nHost: a\r\nCookie: x=1; id=${value}\r\n\r\n`],
  [{ type: 'QueryParam', name: 'id' }, (value) => `GET /?a=b&id=${value} HTTP/1.1\r\nHost: a\r\n\r\n`],
  [{ type: 'Path' }, (value) => `GET /${value}?x=1 HTTP/1.1\r\nHost: a\r\n\r\n`],
  [{ type: 'RequestTarget' }, (value) => `GET /a?${value} HTTP/1.1\r\nHost: a\r\n\r\n`],
  [{ type: 'Query' }, (value) => `GET /a?${value} HTTP/1.1\r\nHost: a\r\n\r\n`],
  [{ type: 'Host' }, (value) => `GET / HTTP/1.1\r\nHost: ${value}.example:80\r\n\r\n`],
  [{ type: 'Authority' }, (value) => `GET / HTTP/1.1\r\nHost: ${value}.example\r\n\r\n`],
];

async function fetched(port: number, bytes: string): Promise<string> {
  const { message, client } = await exchangeRaw(port, bytes);
  client.destroy();
  return message.body.toString();
}

for (const [part, request] of KEYS) {
  test(`by ${part.type}: the same value leads to the same endpoint, many values to all of them`, async (t) => {
    const plane = await forwardPlane(t, [ok, ok, ok], { cluster: { loadBalancer: { type: 'ConsistentHash', key: [{ type: 'Literal', value: 'k' }, part] } } });
    const seen = new Set<string>();
    for (let nth = 0; nth < 48; nth++) {
      const first = await fetched(plane.port, request(`v${nth}`));
      seen.add(first);
      t.is(await fetched(plane.port, request(`v${nth}`)), first);
    }
    t.is(seen.size, 3);
  });
}

test('by client address: all requests of one client stay together', async (t) => {
  const plane = await forwardPlane(t, [ok, ok, ok], { cluster: { loadBalancer: { type: 'ConsistentHash', key: [{ type: 'ClientAddress' }] } } });
  const bodies = new Set<string>();
  for (let nth = 0; nth < 12; nth++) bodies.add(await fetched(plane.port, `GET /${nth} HTTP/1.1\r\nHost: a\r\n\r\n`));
  t.is(bodies.size, 1);
});

test('a request without a key goes anywhere', async (t) => {
  const plane = await forwardPlane(t, [ok, ok, ok], { cluster: { loadBalancer: { type: 'ConsistentHash', key: [{ type: 'Header', name: 'x-user' }] } } });
  const bodies = new Set<string>();
  for (let nth = 0; nth < 40; nth++) bodies.add(await fetched(plane.port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'));
  t.is(bodies.size, 3);
});

test('an endpoint that fails gives its keys away only as long as it does', async (t) => {
  let broken = true;
  const plane = await forwardPlane(t, [(request, socket) => (broken ? void socket.resetAndDestroy() : ok(request, socket)), ok, ok], { cluster: { loadBalancer: { type: 'ConsistentHash', key: [{ type: 'Path' }] } } });
  const get = (path: string): Promise<string> => fetched(plane.port, `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
  const given = (): string[] => plane.log.filter(({ exchange }) => exchange.attempts.length === 2).map(({ exchange }) => exchange.request.path);
  for (let nth = 0; given().length < 3; nth++) t.regex(await get(`/${nth}`), /^from/);
  const paths = given();
  for (const path of paths) t.not(await get(path), `from ${plane.endpoints[0]!.port}`);
  broken = false;
  // It may have failed five times in a row, and then it is left out for a moment.
  for (const end = performance.now() + 5_000; (await get(paths[0]!)) !== `from ${plane.endpoints[0]!.port}` && performance.now() < end; );
  for (const path of paths) t.is(await get(path), `from ${plane.endpoints[0]!.port}`);
});

test('the Host for endpoints is made of the request where the route says so; what would be no Host is not sent', async (t) => {
  const host: typeof ok = (request) => answer(200, request.fields.find(([name]) => name === 'host')![1]);
  const plane = await forwardPlane(t, [host], { forward: { upstreamHost: [{ type: 'Header', name: 'x-tenant' }, { type: 'Literal', value: '.internal' }] } });
  t.is(await fetched(plane.port, 'GET / HTTP/1.1\r\nHost: a.example\r\nX-Tenant: blue\r\n\r\n'), 'blue.internal');
  t.is(await fetched(plane.port, 'GET / HTTP/1.1\r\nHost: a.example\r\nX-Tenant: a/b@c\r\n\r\n'), 'a.example');
});
