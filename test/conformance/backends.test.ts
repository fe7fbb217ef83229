// What this proxy forwards is read by other servers as it is read here: the bytes of accepted streams, sent to nginx and to
// HAProxy, are as many requests there, and none of them is malformed.
import net from 'node:net';
import test from 'ava';
import { parseResponses } from '../support/strict-http1.ts';
import { PAYLOADS } from './corpus/all.ts';
import { fuzzStream } from './fuzz/streams.ts';
import { statusOf } from './support/judge.ts';
import { startPeers } from './support/peers.ts';
import type { Peer } from './support/peers.ts';
import { startStage } from './support/stage.ts';
import { streamOf } from './support/stream.ts';
import type { Stream } from './support/stream.ts';

const SEED = 11;
const FUZZED = 2_000;
const LANES = 32;
/** Requests on one connection. */
const BATCH = 25;

interface Forwarded {
  readonly method: string;
  readonly raw: Buffer;
}

/** What the proxy forwards of the corpus and of mutated streams. */
async function collect(): Promise<Forwarded[]> {
  const stage = await startStage();
  const streams: Stream[] = [...PAYLOADS.map(({ bytes }) => streamOf(bytes)), ...Array.from({ length: FUZZED }, (_, index) => fuzzStream(SEED, index).stream)];
  const forwarded: Forwarded[] = [];
  await Promise.all(
    Array.from({ length: LANES }, async (_, lane) => {
      for (let stream = streams.pop(); stream !== undefined; stream = streams.pop()) {
        const verdict = await stage.perform(lane, stream);
        verdict.raw.forEach((raw, i) => forwarded.push({ raw, method: verdict.forwarded[i]?.startLine.split(' ')[0] ?? '' }));
      }
    }),
  );
  await stage.close();
  return forwarded;
}

/** Statuses of all answers on one connection that these bytes get; the last request closes it. */
async function statuses(peer: Peer, batch: readonly Forwarded[]): Promise<number[]> {
  const socket = net.connect(peer.socket);
  let received = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => (received = Buffer.concat([received, chunk])));
  socket.write(Buffer.concat([...batch.map(({ raw }) => raw), Buffer.from('GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')]));
  await new Promise((resolve) => socket.on('close', resolve).on('error', () => undefined));
  return parseResponses(received, [...batch.map(({ method }) => method), 'GET'], true).responses.map(statusOf);
}

/** nginx takes methods of upper-case letters, `_` and `-`; HAProxy takes names of 255 bytes. An upgrade ends the stream of requests. */
function isComparable({ method, raw }: Forwarded): boolean {
  const text = raw.toString('latin1');
  return /^[A-Z_-]+$/.test(method) && !/\r\nupgrade:/i.test(text) && !/\r\n[^:\r\n]{256}/.test(text.slice(0, text.indexOf('\r\n\r\n')));
}

test('nginx and HAProxy count as many requests in what is forwarded as were forwarded', async (t) => {
  t.timeout(90_000);
  const { peers, missing } = await startPeers(t);
  if (missing.length > 0) t.log(`not installed, and left out: ${missing.join(', ')}`);
  if (peers.length === 0) return t.pass();
  const forwarded = (await collect()).filter(isComparable);
  t.true(forwarded.length > 500);
  const wrong: string[] = [];
  for (const peer of peers) {
    for (let at = 0; at < forwarded.length; at += BATCH) {
      const batch = forwarded.slice(at, at + BATCH);
      const seen = await statuses(peer, batch);
      if (seen.length === batch.length + 1 && seen.every((status) => status === 200)) continue;
      // Which of them is it?
      for (const each of batch) {
        const alone = await statuses(peer, [each]);
        if (alone.join() !== '200,200') wrong.push(`${peer.name}: ${alone.join()} for ${JSON.stringify(each.raw.toString('latin1').slice(0, 600))}`);
      }
    }
  }
  t.deepEqual(wrong, []);
  t.log(`${forwarded.length} forwarded requests sent to ${peers.map(({ name }) => name).join(' and ')}`);
});
