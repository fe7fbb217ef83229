// Reads past the stream must be what the stream would have given: every byte once and in order, whatever the sizes, with
// pauses, with bytes that were put back, and after the reads were given back.
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { readDirectly } from '../../../proxy/net/direct-read.ts';
import { isLent } from '../../../proxy/net/read-blocks.ts';
import { packedTls } from '../../support/packed-tls.ts';
import { DEFAULT } from '../../support/tls-plane.ts';

async function pair(t: ExecutionContext): Promise<[net.Socket, net.Socket]> {
  const server = net.createServer({ noDelay: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = net.connect({ port: (server.address() as net.AddressInfo).port, host: '127.0.0.1', noDelay: true });
  const [accepted] = (await once(server, 'connection')) as [net.Socket];
  t.teardown(() => {
    client.destroy();
    accepted.destroy();
    server.close();
  });
  return [client, accepted];
}

const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

test('every byte comes once and in order, and what was received stays as it is while more is read on this and other sockets', async (t) => {
  const pairs = await Promise.all([pair(t), pair(t), pair(t)]);
  await Promise.all(
    pairs.map(async ([client, accepted]) => {
      const chunks: Buffer[] = [];
      let dataEvents = 0;
      readDirectly(accepted, (chunk) => chunks.push(chunk));
      accepted.on('data', () => dataEvents++);
      const sent: Buffer[] = [];
      for (const size of [1, 100, 8_191, 8_192, 200_000, 5, 70_000, 300, 1_000_000, 3]) {
        const bytes = randomBytes(size);
        sent.push(bytes);
        client.write(bytes);
        await new Promise((resolve) => setTimeout(resolve, 3));
      }
      client.end();
      await once(accepted, 'end');
      t.is(digest(Buffer.concat(chunks)), digest(Buffer.concat(sent)));
      t.is(dataEvents, 0, 'reads go past the stream in this version of Node');
    }),
  );
});

test('a paused socket gives nothing until it is resumed', async (t) => {
  const [client, accepted] = await pair(t);
  const chunks: Buffer[] = [];
  readDirectly(accepted, (chunk) => {
    chunks.push(chunk);
    accepted.pause();
  });
  client.write('one');
  while (chunks.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  client.write('two');
  await new Promise((resolve) => setTimeout(resolve, 50));
  t.is(Buffer.concat(chunks).toString(), 'one');
  accepted.resume();
  while (chunks.length === 1) await new Promise((resolve) => setTimeout(resolve, 1));
  t.is(Buffer.concat(chunks).toString(), 'onetwo');
});

test('what was put back comes first', async (t) => {
  const [client, accepted] = await pair(t);
  accepted.pause();
  accepted.unshift(Buffer.from('before '));
  const chunks: Buffer[] = [];
  readDirectly(accepted, (chunk) => chunks.push(chunk));
  client.end('after');
  accepted.resume();
  await once(accepted, 'end');
  t.is(Buffer.concat(chunks).toString(), 'before after');
});

test('reads that were given back are the stream\'s again, with its backpressure', async (t) => {
  const [client, accepted] = await pair(t);
  const mine: Buffer[] = [];
  const giveBack = readDirectly(accepted, (chunk) => mine.push(chunk));
  client.write('mine');
  while (mine.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  accepted.pause();
  giveBack();
  const bytes = randomBytes(5_000_000);
  client.end(bytes);
  await new Promise((resolve) => setTimeout(resolve, 50));
  t.true(accepted.readableLength <= 2 * 64 * 1024 + accepted.readableHighWaterMark, `${accepted.readableLength} bytes were read of a paused socket`);
  const chunks: Buffer[] = [];
  accepted.on('data', (chunk: Buffer) => chunks.push(chunk));
  accepted.resume();
  await once(accepted, 'end');
  t.is(Buffer.concat(mine).toString(), 'mine');
  t.is(digest(Buffer.concat(chunks)), digest(bytes));
  t.true(chunks.some(({ length }) => length > 20 * 1024), 'and they are as large as the stream\'s own');
  t.deepEqual(chunks.filter(isLent), [], 'nobody waits for what nobody gives back');
});

test('TLS that is paused between records of one packet gives nothing until it is resumed, and then all of it in order', async (t) => {
  const server = tls.createServer({ cert: DEFAULT.certPem, key: DEFAULT.keyPem }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const secured = once(server, 'secureConnection') as Promise<[tls.TLSSocket]>;
  const client = await packedTls((server.address() as net.AddressInfo).port, { rejectUnauthorized: false });
  const [accepted] = await secured;
  t.teardown(() => {
    client.socket.destroy();
    accepted.destroy();
    server.close();
  });
  const chunks: Buffer[] = [];
  let paused = false;
  let whilePaused = 0;
  readDirectly(accepted, (chunk) => {
    if (paused) whilePaused++;
    chunks.push(chunk);
    if (chunks.length % 3 !== 1) return;
    paused = true;
    accepted.pause();
    setTimeout(() => {
      paused = false;
      accepted.resume();
    }, 2);
  });
  const pieces = [1, 300, 16_000, 5, 9_000, 16_384, 2, 16_384, 40_000, 7].map((size) => randomBytes(size));
  await client.send(pieces);
  client.socket.end();
  await once(accepted, 'end');
  t.is(whilePaused, 0);
  t.is(digest(Buffer.concat(chunks)), digest(Buffer.concat(pieces)));
});
