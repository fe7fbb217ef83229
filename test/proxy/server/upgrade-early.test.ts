// Upgrades until their answer: what clients do meanwhile (they speak already, or they leave), and the fields of both.
import { once } from 'node:events';
import net from 'node:net';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { until } from '../../support/endpoint-call.ts';
import { rawEndpoint } from '../../support/endpoint-raw.ts';
import type { RawEndpoint, Script } from '../../support/endpoint-raw.ts';
import { simpleTable, startDataPlane } from '../../support/data-plane.ts';
import type { DataPlane, DataPlaneOptions } from '../../support/data-plane.ts';

const UPGRADE = 'GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n';

async function planeOf(t: ExecutionContext, scripts: readonly Script[], options: DataPlaneOptions = {}): Promise<{ plane: DataPlane; raws: RawEndpoint[] }> {
  const raws = await Promise.all(scripts.map((script) => rawEndpoint(script)));
  const plane = await startDataPlane(simpleTable(raws.map((raw) => raw.endpoint)), options);
  t.teardown(async () => {
    await plane.close();
    for (const raw of raws) await raw.close();
  });
  return { plane, raws };
}

async function connect(t: ExecutionContext, port: number): Promise<net.Socket> {
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
  socket.on('error', () => {});
  t.teardown(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** Takes what comes behind the head as it is, into `into`. */
function listen(socket: net.Socket, into: Buffer[]): void {
  socket.removeAllListeners('data');
  socket.on('data', (chunk: Buffer) => into.push(chunk));
}

for (const [way, leave, mostMs] of [['by a reset', (client: net.Socket) => client.resetAndDestroy(), 500], ['politely', (client: net.Socket) => client.destroy(), 2_000]] as const) {
  test(`a client that leaves ${way} before its upgrade is answered is noticed then, and not when the endpoint's time is over`, async (t) => {
    for (const early of ['', 'early']) {
      const { plane, raws } = await planeOf(t, [() => {}]);
      const client = await connect(t, plane.port);
      client.write(UPGRADE + early);
      await until(() => raws[0]!.requests.length === 1);
      const leftAt = performance.now();
      leave(client);
      await until(() => plane.log.length === 1);
      t.true(performance.now() - leftAt < mostMs);
      t.like(plane.log[0], { status: 499, reason: 'DownstreamConnectionTermination' });
      await raws[0]!.idle();
    }
  });
}

test('a client that has only closed its sending side hears a refusal that comes within a second', async (t) => {
  const { plane } = await planeOf(t, [(_request, socket) => void setTimeout(() => socket.write('HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nnope'), 200)]);
  const client = await connect(t, plane.port);
  const received: Buffer[] = [];
  listen(client, received);
  client.end(UPGRADE);
  await once(client, 'end');
  t.true(Buffer.concat(received).toString('latin1').endsWith('nope'));
  await until(() => plane.log.length === 1);
  t.like(plane.log[0], { status: 403, reason: '' });
});

test('what a client sends and closes before the answer reaches the endpoint, with the end behind it', async (t) => {
  const got: Buffer[] = [];
  let ended = false;
  const { plane } = await planeOf(t, [(_request, socket) => {
    listen(socket, got);
    socket.on('end', () => (ended = true));
    setTimeout(() => socket.write(SWITCH), 100);
  }]);
  const client = await connect(t, plane.port);
  client.write(UPGRADE);
  setTimeout(() => client.end('early'), 30);
  await until(() => ended);
  t.is(Buffer.concat(got).toString(), 'early');
});

test('what a client sends before the answer is held up to a limit, and arrives whole behind it', async (t) => {
  const much = Buffer.alloc(24 * 1024 * 1024);
  for (let at = 0; at < much.length; at += 4) much.writeUInt32BE(at, at);
  const got: Buffer[] = [];
  let waiting = 0;
  const { plane } = await planeOf(t, [(_request, socket) => {
    listen(socket, got);
    setTimeout(() => {
      waiting = client.writableLength;
      socket.write(SWITCH);
    }, 300);
  }]);
  const client = await connect(t, plane.port);
  client.write(UPGRADE);
  client.write(much);
  client.resume();
  await until(() => got.reduce((sum, chunk) => sum + chunk.length, 0) >= much.length);
  t.true(waiting > 0, 'not all of it had been read before');
  t.true(Buffer.concat(got).equals(much));
  client.destroy();
  await until(() => plane.log.length === 1);
  t.is(plane.log[0]!.bytesIn, much.length);
});

test('what a client sends while one endpoint fails reaches the next one, once', async (t) => {
  const got: Buffer[] = [];
  let tries = 0;
  const script: Script = (_request, socket) => {
    listen(socket, got);
    if (tries++ === 0) setTimeout(() => socket.resetAndDestroy(), 100);
    else setTimeout(() => socket.write(SWITCH), 100);
  };
  const { plane } = await planeOf(t, [script, script]);
  const client = await connect(t, plane.port);
  client.write(`${UPGRADE}one `);
  for (const [ms, text] of [[30, 'two '], [150, 'three '], [300, 'four']] as const) setTimeout(() => client.write(text), ms);
  client.resume();
  await until(() => Buffer.concat(got).length >= 'one two three four'.length);
  t.is(Buffer.concat(got).toString(), 'one two three four');
  t.is(tries, 2);
});

test('a WebSocket that is told to go before its answer has what its client said by then in front of the goodbye', async (t) => {
  const got: Buffer[] = [];
  const { plane, raws } = await planeOf(t, [(_request, socket) => {
    listen(socket, got);
    setTimeout(() => socket.write(SWITCH), 200);
  }]);
  const client = await connect(t, plane.port);
  const received: Buffer[] = [];
  listen(client, received);
  const ping = Buffer.from([0x89, 0x80, 1, 2, 3, 4]);
  client.write(Buffer.concat([Buffer.from(UPGRADE), ping]));
  await until(() => raws[0]!.requests.length === 1);
  const drained = plane.server.drain(2_000);
  await until(() => got.length > 0 && Buffer.concat(received).includes('\r\n\r\n'));
  await until(() => Buffer.concat(got).length >= ping.length + 8);
  t.true(Buffer.concat(got).subarray(0, 6).equals(ping));
  t.is(Buffer.concat(got)[6], 0x88);
  const answer = Buffer.concat(received).toString('latin1');
  t.true(answer.startsWith('HTTP/1.1 101 ') && answer.endsWith('\r\n\r\n\u0088\u0002\u0003\u00e9'), answer);
  client.destroy();
  await drained;
});

test('field values of an upgrade and of its answer keep their octets, whatever these are', async (t) => {
  const octets = Buffer.from(Array.from({ length: 0x80 }, (_, nth) => 0x80 + nth)).toString('latin1');
  const { plane, raws } = await planeOf(t, [(_request, socket) => void socket.write(`${SWITCH.slice(0, -2)}Set-Cookie: a=${octets}\r\n\r\n\u0081\u0003\u00e2\u0082\u00ac`, 'latin1')]);
  const client = await connect(t, plane.port);
  const received: Buffer[] = [];
  listen(client, received);
  client.write(`${UPGRADE.slice(0, -2)}X-Octets: ${octets}\r\n\r\n`, 'latin1');
  await until(() => Buffer.concat(received).includes('\u20ac'));
  t.is(raws[0]!.requests[0]!.headers.find(([name]) => name === 'X-Octets')?.[1], octets);
  t.true(Buffer.concat(received).toString('latin1').includes(`Set-Cookie: a=${octets}\r\n`));
});
