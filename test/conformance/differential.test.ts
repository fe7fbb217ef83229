// The parsers alone against llhttp, faster than over sockets: whatever llhttp refuses they refuse, what both take they take
// for the same, and how bytes are cut into pieces changes nothing.
import test from 'ava';
import { ChunkedDecoder } from '../../proxy/http/chunked.ts';
import { RequestHead, ResponseHead, parseRequestHead, parseResponseHead } from '../../proxy/http/message-head.ts';
import { readRequest } from '../../proxy/server/http1/request.ts';
import { PAYLOADS } from './corpus/all.ts';
import { ANSWERS } from './corpus/answers.ts';
import { mutate } from './fuzz/mutate.ts';
import { Random } from './fuzz/random.ts';
import { readAnswerByReference, readByReference } from './support/llhttp.ts';

const SEED = 7;
const ROUNDS = 20_000;

interface Decoded {
  readonly state: 'done' | 'failed' | 'waiting';
  readonly data: string;
  /** Bytes taken, where it is done. */
  readonly end: number;
}

function decode(body: Buffer, pieces: readonly Buffer[]): Decoded {
  const decoder = new ChunkedDecoder(16 * 1024, 128);
  const data: Buffer[] = [];
  let end = 0;
  for (const piece of pieces) {
    end += decoder.push(piece, 0, (chunk) => data.push(Buffer.from(chunk)));
    if (decoder.error !== undefined) return { state: 'failed', data: '', end: 0 };
    if (decoder.trailers !== undefined) return { state: 'done', data: Buffer.concat(data).toString('latin1'), end };
  }
  return { state: 'waiting', data: '', end: body.length };
}

function cut(bytes: Buffer, random: Random): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const next = Math.min(bytes.length, at + 1 + random.below(random.once(3) ? 2 : 30));
    pieces.push(bytes.subarray(at, next));
    at = next;
  }
  return pieces;
}

const HEAD = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';
const BODIES = PAYLOADS.filter(({ family, bytes }) => /^chunk|^trailers/.test(family) && bytes.length < 2_000).map(({ bytes }) => bytes.slice(bytes.indexOf('\r\n\r\n') + 4));

/** What is wrong with how a body is decoded; undefined: nothing. */
async function wrongBody(text: string, random: Random): Promise<string | undefined> {
  const body = Buffer.from(text, 'latin1');
  const whole = decode(body, [body]);
  const pieced = decode(body, cut(body, random));
  if (JSON.stringify(pieced) !== JSON.stringify(whole)) return `in pieces ${JSON.stringify(pieced)}, whole ${JSON.stringify(whole)}`;
  if (whole.state !== 'done') return undefined;
  const { requests, refused } = await readByReference(Buffer.concat([Buffer.from(HEAD), body.subarray(0, whole.end)]));
  if (refused !== undefined || requests.length !== 1) return `decoded ${JSON.stringify(whole)}, and llhttp says ${refused ?? 'incomplete'}`;
  return requests[0]?.body.toString('latin1') === whole.data ? undefined : `decoded ${JSON.stringify(whole.data)}, and llhttp reads ${JSON.stringify(requests[0]?.body.toString('latin1'))}`;
}

test('chunked bodies, as they are and mutated, are decoded as llhttp decodes them, however they are cut', async (t) => {
  const wrong: string[] = [];
  let done = 0;
  for (let index = 0; index < BODIES.length + ROUNDS; index++) {
    const random = new Random(SEED, index);
    const text = BODIES[index] ?? mutate(random.pick(BODIES), random, BODIES);
    if (decode(Buffer.from(text, 'latin1'), [Buffer.from(text, 'latin1')]).state === 'done') done++;
    const what = await wrongBody(text, random);
    if (what !== undefined) wrong.push(`${JSON.stringify(text)}: ${what}`);
  }
  t.deepEqual(wrong, []);
  t.true(done > 200, `${done} were whole`);
  t.log(`${BODIES.length + ROUNDS} bodies, ${done} of them whole`);
});

const HEADS = PAYLOADS.map(({ bytes }) => bytes.slice(0, bytes.indexOf('\r\n\r\n') + 4)).filter(({ length }) => length > 4 && length < 2_000);

test('request heads, as they are and mutated, are refused where llhttp refuses them, and read as it reads them', async (t) => {
  const head = new RequestHead();
  const wrong: string[] = [];
  let accepted = 0;
  for (let index = 0; index < HEADS.length + ROUNDS; index++) {
    const random = new Random(SEED + 1, index);
    const text = HEADS[index] ?? mutate(random.pick(HEADS), random, HEADS);
    const end = text.indexOf('\r\n\r\n');
    if (end === -1) continue;
    const only = text.slice(0, end + 4);
    if (parseRequestHead(only, head, 8_000, 128) !== undefined || 'refusal' in readRequest(head)) continue;
    accepted++;
    const { method, target, headers } = head;
    // A body that makes it complete, whatever its framing is.
    const { requests, refused } = await readByReference(Buffer.from(only + (head.chunked ? '0\r\n\r\n' : 'x'.repeat(Math.max(0, Math.min(head.contentLength, 10_000)))), 'latin1'));
    const seen = requests[0];
    if (refused === 'HPE_INVALID_METHOD' || (seen === undefined && refused === undefined && (head.contentLength > 10_000))) continue;
    if (seen === undefined) wrong.push(`${JSON.stringify(only)} is taken, and llhttp says ${refused ?? 'incomplete'}`);
    else if (seen.method !== method || seen.url !== target || JSON.stringify(seen.headers) !== JSON.stringify(headers)) wrong.push(`${JSON.stringify(only)} is read as ${JSON.stringify([method, target, headers])} and by llhttp as ${JSON.stringify(seen)}`);
  }
  t.deepEqual(wrong, []);
  t.true(accepted > 300, `${accepted} were taken`);
  t.log(`${HEADS.length + ROUNDS} heads, ${accepted} of them taken`);
});

const ANSWER_HEADS = ANSWERS.map(({ bytes }) => bytes.slice(0, bytes.indexOf('\r\n\r\n') + 4)).filter(({ length }) => length > 4 && length < 2_000);

test('answer heads, as they are and mutated, are refused where llhttp refuses them, and read as it reads them', async (t) => {
  const head = new ResponseHead();
  const wrong: string[] = [];
  let accepted = 0;
  for (let index = 0; index < ANSWER_HEADS.length + ROUNDS; index++) {
    const random = new Random(SEED + 2, index);
    const text = ANSWER_HEADS[index] ?? mutate(random.pick(ANSWER_HEADS), random, ANSWER_HEADS);
    const end = text.indexOf('\r\n\r\n');
    if (end === -1) continue;
    const only = text.slice(0, end + 4);
    if (parseResponseHead(only, head, 256) !== undefined || head.status < 200) continue;
    accepted++;
    const { status, headers } = head;
    const seen = await readAnswerByReference(Buffer.from(only, 'latin1'));
    if (seen === undefined) wrong.push(`${JSON.stringify(only)} is taken, and llhttp refuses it`);
    else if (seen.status !== status || JSON.stringify(seen.headers) !== JSON.stringify(headers)) wrong.push(`${JSON.stringify(only)} is read as ${JSON.stringify([status, headers])} and by llhttp as ${JSON.stringify([seen.status, seen.headers])}`);
  }
  t.deepEqual(wrong, []);
  t.true(accepted > 300, `${accepted} were taken`);
  t.log(`${ANSWER_HEADS.length + ROUNDS} heads, ${accepted} of them taken`);
});
