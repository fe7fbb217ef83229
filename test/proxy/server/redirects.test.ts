// Redirects of routes as they leave: a Location that is given whole, and one that is made of a path and the request.
import test from 'ava';
import { route, startDataPlane, virtualHost } from '../../support/data-plane.ts';
import type { DataPlane } from '../../support/data-plane.ts';
import { RawClient, statusOf } from '../../support/raw-client.ts';
import { field } from '../../support/strict-http1.ts';
import type { Redirect, Route } from '../../../proxy/table/route.ts';

let proxy: DataPlane;

function redirected(prefix: string, action: Omit<Redirect, 'type'>): Route {
  return { ...route(prefix, ''), action: { type: 'Redirect', ...action } };
}

test.before(async () => {
  const routes = [redirected('/whole', { status: 300, location: 'HTTPS://New.example.org:443?x=1' }), redirected('/path', { status: 308, path: '/moved?to=here' })];
  proxy = await startDataPlane({ virtualHosts: { 'http/*': virtualHost('*', routes) }, clusters: {}, endpoints: {} });
});
test.after.always(async () => {
  await proxy.close();
});

test('a Location that is given whole goes out as it is, and a path on the host that was asked for, without its port', async (t) => {
  const client = await RawClient.connect(proxy.port);
  client.write('POST /whole/x?y=1 HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 2\r\n\r\nhiGET /path HTTP/1.1\r\nHost: shop.test:8080\r\n\r\n');
  const responses = await client.responses(2);
  t.deepEqual(responses.map((message) => [statusOf(message), field(message, 'location')]), [[300, 'HTTPS://New.example.org:443?x=1'], [308, 'http://shop.test/moved?to=here']]);
  client.destroy();
});

test('a request without Host, which HTTP/1.0 knows, is sent to the path alone', async (t) => {
  const client = await RawClient.connect(proxy.port);
  client.write('GET /path HTTP/1.0\r\n\r\n');
  const [message] = await client.responses(1);
  t.is(message && field(message, 'location'), '/moved?to=here');
  await client.end();
});
