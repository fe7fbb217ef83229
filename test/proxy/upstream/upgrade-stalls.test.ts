// Tunnels of which one side takes nothing: what they hold is not held for good.
import net from 'node:net';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import type { Connector } from '../../../proxy/upstream/connector.ts';
import { until } from '../../support/endpoint-call.ts';
import type { Front, FrontOptions, FrontRecord } from '../../support/endpoint-front.ts';
import type { RawEndpoint, Script } from '../../support/endpoint-raw.ts';
import { LINGER_MS, SWITCH, UPGRADE, scripted, tunnel } from '../../support/tunnel-site.ts';
import type { Teardown } from '../../support/tunnel-site.ts';

/** More than all buffers on the way hold. */
const MUCH = Buffer.alloc(32 * 1024 * 1024, 'a');

const refuseAtLength: Script = (_request, socket) => {
  socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${MUCH.length}\r\n\r\n`);
  socket.write(MUCH);
};

async function tunnelTo(t: Teardown, script: Script, stallMs: number, options: FrontOptions = {}): Promise<{ made: Front; raw: RawEndpoint; connector: Connector }> {
  const raw = await scripted(t, script);
  const { front: made, connector } = await tunnel(t, raw.endpoint, { ...options, stallMs });
  return { made, raw, connector };
}

/** A client that reads nothing until it is told to. */
function deaf(t: Teardown, port: number): net.Socket {
  const socket = net.connect(port, '127.0.0.1');
  socket.pause();
  socket.on('error', () => {});
  socket.write(UPGRADE);
  t.teardown(() => socket.destroy());
  return socket;
}

test('a refusal of which the client takes nothing is cut when it has waited for it long enough', async (t) => {
  const { made, raw, connector } = await tunnelTo(t, refuseAtLength, 200, { timeouts: { readIdleMs: 60_000 } });
  deaf(t, made.port);
  await until(() => made.records[0]?.events.length === 2);
  t.like(made.records[0], { events: ['refused', 'close'], error: { reason: 'DownstreamConnectionTermination' } });
  await raw.idle();
  t.is(connector.open, 0);
});

test('a client that takes a refusal slowly gets all of it', async (t) => {
  // All of it takes twice as long, and a piece of it a small part of that, however crowded this machine is.
  const { made } = await tunnelTo(t, refuseAtLength, 1_500);
  const client = deaf(t, made.port);
  const beganAt = performance.now();
  let received = 0;
  client.on('data', (chunk: Buffer) => {
    received += chunk.length;
    client.pause();
    setTimeout(() => client.resume(), beganAt + 3_000 * (received / MUCH.length) - performance.now());
  });
  client.resume();
  await until(() => made.records.length === 1);
  await made.records[0]?.over;
  t.is(made.records[0]?.error, undefined);
  await until(() => received > MUCH.length);
});

test('closing does not wait for a client that takes nothing of a refusal', async (t) => {
  for (const when of ['before', 'after'] as const) {
    const { made, raw } = await tunnelTo(t, (...of) => void setTimeout(() => refuseAtLength(...of), 50), 60_000, { timeouts: { readIdleMs: 60_000 } });
    deaf(t, made.port);
    await until(() => raw.requests.length === 1);
    if (when === 'after') {
      await until(() => made.records[0]?.events.length === 1);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    made.records[0]?.tunnel.close();
    await until(() => made.records[0]?.events.length === 2);
    t.deepEqual(made.records[0]?.events, ['refused', 'close'], when);
  }
});

test('closing lets a client that takes a refusal have all of it', async (t) => {
  const { made } = await tunnelTo(t, (_request, socket) => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n');
    let left = 10;
    const timer = setInterval(() => {
      if (left-- > 0) socket.write('x');
      else clearInterval(timer);
    }, 40);
  }, 60_000);
  const client = deaf(t, made.port);
  let received = '';
  client.on('data', (chunk: Buffer) => (received += chunk.toString('latin1')));
  client.resume();
  await until(() => received.includes('\r\n\r\nx'));
  made.records[0]?.tunnel.close();
  await made.records[0]?.over;
  t.true(received.endsWith('x'.repeat(10)), received);
  t.is(made.records[0]?.error, undefined);
});

test('a WebSocket whose client says much and takes nothing is cut', async (t) => {
  const { made, raw, connector } = await tunnelTo(t, (_request, socket) => {
    socket.removeAllListeners('data');
    socket.resume();
    socket.write(SWITCH);
    socket.write(MUCH);
  }, 300, { timeouts: { readIdleMs: 60_000 } });
  const client = deaf(t, made.port);
  const timer = setInterval(() => client.write(Buffer.from([0x89, 0x80, 0, 0, 0, 0])), 20);
  t.teardown(() => clearInterval(timer));
  await until(() => made.records[0]?.events.length === 2);
  t.like(made.records[0], { events: ['switched', 'close'], error: { reason: 'DownstreamConnectionTermination' } });
  await raw.idle();
  t.is(connector.open, 0);
});

test('a WebSocket whose endpoint says much and takes nothing is cut after the time for sending to it', async (t) => {
  const { made, raw, connector } = await tunnelTo(t, (_request, socket) => {
    socket.removeAllListeners('data');
    socket.pause();
    socket.write(SWITCH);
    const timer = setInterval(() => socket.write(Buffer.from([0x89, 0])), 20);
    socket.on('close', () => clearInterval(timer));
  }, 60_000, { timeouts: { readIdleMs: 60_000, sendIdleMs: 300 } });
  const client = deaf(t, made.port);
  client.resume();
  await until(() => made.records[0]?.events.length === 1);
  client.write(MUCH);
  await until(() => made.records[0]?.events.length === 2);
  t.like(made.records[0], { events: ['switched', 'close'], error: { reason: 'StreamIdleTimeout' } });
  for (const socket of raw.open) socket.resume();
  await raw.idle();
  t.is(connector.open, 0);
});

/** An endpoint that speaks until all that is between it and a client which takes nothing is full, and no further, and ends then. */
async function speakToTheFull(t: ExecutionContext): Promise<{ client: net.Socket; record: FrontRecord; octets: number }> {
  const { made, raw } = await tunnelTo(t, (_request, socket) => void socket.write(SWITCH), 5_000);
  const client = deaf(t, made.port);
  await until(() => made.records[0]?.events.length === 1);
  const record = made.records[0]!;
  const [endpoint] = raw.open;
  const message = Buffer.concat([Buffer.from([0x82, 126, 0x40, 0]), Buffer.alloc(16 * 1024, 'a')]);
  let octets = 0;
  // Further, the end would wait in front of us.
  for (; record.socket.writableLength === 0; octets += message.length) {
    endpoint!.write(message);
    await until(() => record.socket.bytesWritten > octets + message.length);
  }
  endpoint!.end();
  await until(() => record.socket.writableEnded);
  t.true(record.socket.writableLength > 0);
  return { client, record, octets };
}

/** Octets behind the 101 that a client has by the end of its connection. */
async function readToTheEnd(client: net.Socket): Promise<number> {
  const chunks: Buffer[] = [];
  client.on('data', (chunk: Buffer) => chunks.push(chunk));
  client.resume();
  await new Promise((resolve) => client.once('close', resolve));
  const received = Buffer.concat(chunks);
  return received.length - received.indexOf('\r\n\r\n') - 4;
}

test('closing does not lose what an endpoint that has ended said last, and its client has not taken yet', async (t) => {
  const { client, record, octets } = await speakToTheFull(t);
  record.tunnel.close();
  t.is(await readToTheEnd(client), octets);
});

test('a slow client has what an endpoint that has ended said last, also when it takes longer than it may stay open behind that', async (t) => {
  const { client, record, octets } = await speakToTheFull(t);
  await new Promise((resolve) => setTimeout(resolve, 3 * LINGER_MS));
  t.is(await readToTheEnd(client), octets);
  await record.over;
  t.is(record.error, undefined);
});

test('so has one that ends its own side before it has taken that', async (t) => {
  const { client, record, octets } = await speakToTheFull(t);
  client.end();
  await until(() => record.socket.readableEnded);
  await new Promise((resolve) => setTimeout(resolve, 3 * LINGER_MS));
  t.is(await readToTheEnd(client), octets);
  await record.over;
  t.is(record.error, undefined);
});
