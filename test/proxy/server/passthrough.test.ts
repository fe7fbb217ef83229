// How long a connection that is passed through lasts: as long as bytes go one way or the other, and not because a client takes
// nothing of what its endpoint sent before it went.
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import type { Limits } from '../../../proxy/server/limits.ts';
import { cluster, endpoint } from '../../support/data-plane.ts';
import { clientHello } from '../../support/hello.ts';
import { startTlsPlane } from '../../support/tls-plane.ts';
import type { TlsPlane } from '../../support/tls-plane.ts';

const MORE_THAN_BUFFERS_HOLD = Buffer.alloc(24 * 1024 * 1024, 'x');

interface Passing {
  readonly plane: TlsPlane;
  /** Connections of the endpoint, in order. */
  readonly held: readonly Socket[];
  /** Says a hello; resolves once the endpoint has the connection. */
  open(): Promise<readonly [client: Socket, held: Socket]>;
}

/** One endpoint with one place, of which the test makes what it wants. */
async function passing(t: ExecutionContext, limits: Partial<Limits>): Promise<Passing> {
  const held: Socket[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    held.push(socket);
    socket.on('error', () => undefined).resume();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const plane = await startTlsPlane(t, {
    hosts: { 'pass.test': { passthrough: { cluster: 'test/pass:443', origin: { kind: 'Ingress', namespace: 'test', name: 'pass' } } } },
    more: { clusters: { 'test/web:80': cluster('test/web:80'), 'test/pass:443': cluster('test/pass:443') }, endpoints: { 'test/web:80': [], 'test/pass:443': [endpoint(port)] } },
  }, { limits, forwarding: { endpointRequests: 1 } });
  const clients: Socket[] = [];
  t.teardown(() => {
    for (const socket of [...clients, ...held]) socket.destroy();
    server.close();
  });
  return {
    plane,
    held,
    async open() {
      const before = held.length;
      const client = connect({ port: plane.httpsPort, host: '127.0.0.1', allowHalfOpen: true });
      clients.push(client);
      client.on('error', () => undefined).pause();
      client.write(clientHello({ serverName: 'pass.test' }));
      await until(() => held.length > before);
      return [client, held[before] as Socket];
    },
  };
}

for (const [what, leave] of [
  ['and whose endpoint died meanwhile', (held: Socket) => void held.destroy()],
  ['and whose endpoint has closed', (held: Socket) => void held.end()],
  ['and whose endpoint waits', () => undefined],
] as const) {
  test(`a client that takes nothing ${what} is cut, and its place is free`, async (t) => {
    const { plane, open } = await passing(t, { writeStallMs: 500 });
    const [, held] = await open();
    held.write(MORE_THAN_BUFFERS_HOLD);
    await new Promise((resolve) => setTimeout(resolve, 300));
    leave(held);
    await until(() => plane.passages.length === 1);
    t.deepEqual([plane.passages[0]?.endedBy, plane.passages[0]?.reason], ['proxy', 'DownstreamWriteTimeout']);
    await until(() => held.destroyed || held.readableEnded);
    const [, next] = await open();
    t.false(next.destroyed);
  });
}

test('one that goes on sending does not last the longer for it', async (t) => {
  const { plane, open } = await passing(t, { writeStallMs: 500 });
  const [client, held] = await open();
  held.write(MORE_THAN_BUFFERS_HOLD);
  const sending = setInterval(() => client.write('x'), 50);
  t.teardown(() => clearInterval(sending));
  await until(() => plane.passages.length === 1);
  t.is(plane.passages[0]?.reason, 'DownstreamWriteTimeout');
});

test('a client that is slow to take gets all, however long it takes', async (t) => {
  const { plane, open } = await passing(t, { writeStallMs: 1_500 });
  const [client, held] = await open();
  held.end(MORE_THAN_BUFFERS_HOLD);
  const startedAt = performance.now();
  let got = 0;
  client.on('data', (chunk: Buffer) => {
    got += chunk.length;
    client.pause();
    setTimeout(() => client.resume(), 10);
  });
  client.on('end', () => client.end()).resume();
  await until(() => plane.passages.length === 1, 20_000);
  t.is(got, MORE_THAN_BUFFERS_HOLD.length);
  t.true(performance.now() - startedAt > 3_000, 'longer than a stall may be');
  t.is(plane.passages[0]?.reason, '');
});

test('in silence it is kept for as long as the flag says, whichever side spoke last', async (t) => {
  const { plane, open } = await passing(t, { passthroughIdleMs: 2_000 });
  const [client, held] = await open();
  const startedAt = performance.now();
  for (const side of [client, held, client, held]) {
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    side.write('x');
  }
  t.is(plane.passages.length, 0);
  await until(() => plane.passages.length === 1);
  t.true(performance.now() - startedAt > 6_000);
  t.deepEqual([plane.passages[0]?.endedBy, plane.passages[0]?.reason], ['proxy', 'StreamIdleTimeout']);
  await until(() => held.destroyed || held.readableEnded);
});

test('with no such limit it is kept', async (t) => {
  const { plane, open } = await passing(t, { passthroughIdleMs: 0, writeStallMs: 500 });
  const [client, held] = await open();
  held.write('x');
  client.write('x');
  await new Promise((resolve) => setTimeout(resolve, 3_500));
  t.is(plane.passages.length, 0);
  held.destroy();
});

test('when the endpoint has gone, what the client still sends does not destroy what it has yet to read, and it has two seconds to go', async (t) => {
  const { plane, open } = await passing(t, {});
  const [client, held] = await open();
  held.write('the last word');
  await new Promise((resolve) => setTimeout(resolve, 50));
  held.destroy();
  await new Promise((resolve) => setTimeout(resolve, 100));
  client.write('more');
  await new Promise((resolve) => setTimeout(resolve, 100));
  let got = '';
  client.on('data', (chunk: Buffer) => (got += chunk.toString('latin1'))).resume();
  t.is(plane.passages.length, 0);
  const [, next] = await open();
  t.false(next.destroyed, 'its place is free at once');
  await until(() => plane.passages.length === 1);
  t.is(got, 'the last word');
  t.deepEqual([plane.passages[0]?.endedBy, plane.passages[0]?.reason], ['endpoint', '']);
});

async function until(look: () => boolean, withinMs = 8_000): Promise<void> {
  for (const deadline = performance.now() + withinMs; !look(); await new Promise((resolve) => setTimeout(resolve, 5))) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms`);
  }
}
