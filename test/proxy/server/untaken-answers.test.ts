// Clients of HTTP/1.1 that have asked for everything and are slow to take the last answer: the proxy is done with it, and its
// end still waits in the socket. A connection like that looks idle, and is not.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { setImmediate as turn, setTimeout as pause } from 'node:timers/promises';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import type { Limits } from '../../../proxy/server/limits.ts';
import type { DataPlane } from '../../support/data-plane.ts';
import { answer, forwardPlane } from '../../support/forward-plane.ts';
import { RawClient } from '../../support/raw-client.ts';

const BODY = 'x'.repeat(12_000);

interface Untaken {
  readonly proxy: DataPlane;
  readonly client: RawClient;
  /** The proxy's end of the connection. */
  readonly accepted: Socket;
  /** Octets of all answers. */
  readonly octets: number;
}

/** A client that takes nothing and asks, one request after the other, until the system takes no more answers and the last one waits. */
async function untaken(t: ExecutionContext, limits: Partial<Limits>): Promise<Untaken> {
  const proxy = await forwardPlane(t, [() => answer(200, BODY, 'date: now\r\n')], { limits });
  const sockets: Socket[] = [];
  const note = (message: unknown): void => void sockets.push((message as { readonly socket: Socket }).socket);
  subscribe('net.server.socket', note);
  t.teardown(() => unsubscribe('net.server.socket', note));
  const client = await RawClient.connect(proxy.port);
  t.teardown(() => client.destroy());
  client.socket.pause();
  const accepted = (): Socket | undefined => sockets.find(({ localPort }) => localPort === proxy.port);
  let asked = 0;
  while ((accepted()?.writableLength ?? 0) === 0) {
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    asked++;
    while (proxy.log.length < asked) await turn();
  }
  const head = `HTTP/1.1 200 OK\r\ndate: now\r\ncontent-length: ${BODY.length}\r\n\r\n`;
  return { proxy, client, accepted: accepted() as Socket, octets: asked * (head.length + BODY.length) };
}

/** Takes everything, to the connection's end. */
async function take(client: RawClient): Promise<number> {
  let octets = 0;
  client.socket.removeAllListeners('data');
  client.socket.on('data', (chunk: Buffer) => (octets += chunk.length));
  client.socket.resume();
  await client.end(20_000);
  return octets;
}

test('a client that is slow to take its last answer gets all of it, though longer than an idle connection is kept', async (t) => {
  const { client, accepted, octets } = await untaken(t, { keepAliveTimeoutMs: 500 });
  for (const end = performance.now() + 5_000; !accepted.writableEnded && performance.now() < end; await pause(10));
  t.is(await take(client), octets);
});

test('and though the worker ends meanwhile', async (t) => {
  const { proxy, client, accepted, octets } = await untaken(t, {});
  const drained = proxy.server.drain(20_000);
  for (const end = performance.now() + 10_000; !accepted.writableEnded && performance.now() < end; await pause(10));
  t.is(await take(client), octets);
  client.destroy();
  await drained;
});

test('one that takes nothing more is cut in time', async (t) => {
  const { accepted } = await untaken(t, { keepAliveTimeoutMs: 500, writeStallMs: 1_000 });
  for (const end = performance.now() + 8_000; !accepted.destroyed && performance.now() < end; await pause(10));
  t.true(accepted.destroyed);
});
