// A listener whose port somebody else holds: no table is acknowledged without it, and it opens as soon as it can.
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import { HTTP_LISTENER, endpoint, simpleTable, startDataPlane } from '../../support/data-plane.ts';

test('a listener that could not be opened is missed by every later change, and opened with the first one after its port is free', async (t) => {
  const holder = createServer().listen(0, '127.0.0.1');
  await once(holder, 'listening');
  t.teardown(() => holder.close());
  const { port } = holder.address() as AddressInfo;
  const proxy = await startDataPlane(simpleTable([]));
  t.teardown(() => proxy.close());
  const change = (version: number): Parameters<typeof proxy.server.applyDelta>[0] => ({
    base: version - 1,
    version,
    set: { endpoints: { 'test/web:80': [endpoint(version)] } },
    remove: {},
  });
  const second = { ...HTTP_LISTENER, name: 'second', port };
  await t.throwsAsync(proxy.server.applyDelta({ base: 1, version: 2, set: { listeners: { 'listener/second': second } }, remove: {} }), { message: /listener second .*EADDRINUSE/ });
  await t.throwsAsync(proxy.server.applyDelta(change(3)), { message: /listener second .*EADDRINUSE/ });
  t.deepEqual(proxy.server.snapshot.endpoints['test/web:80'], [endpoint(3)], 'what else it says is in force');

  holder.close();
  await once(holder, 'close');
  t.deepEqual(await proxy.server.applyDelta(change(4)), { http: proxy.port, second: port });
  const client = connect(port, '127.0.0.1');
  await once(client, 'connect');
  client.destroy();
});
