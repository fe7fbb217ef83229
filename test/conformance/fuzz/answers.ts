// The other side: endpoints that answer with mutated bytes. What reaches the client is the answer that llhttp reads in those
// bytes, whole, or a refusal, or a visible cut; and whoever asks next gets the answer to the own question.
import { once } from 'node:events';
import net from 'node:net';
import { endpoint, simpleTable, startDataPlane } from '../../support/data-plane.ts';
import type { DataPlane } from '../../support/data-plane.ts';
import { RawClient } from '../../support/raw-client.ts';
import { StrictHttpError, parseRequests, parseResponses } from '../../support/strict-http1.ts';
import type { ParsedMessage } from '../../support/strict-http1.ts';
import { ANSWERS } from '../corpus/answers.ts';
import { statusOf } from '../support/judge.ts';
import { readAnswerByReference } from '../support/llhttp.ts';
import type { ReferenceAnswer } from '../support/llhttp.ts';
import { literal } from '../support/stream.ts';
import { mutate } from './mutate.ts';
import { Random } from './random.ts';
import type { FuzzOptions, FuzzReport } from './run.ts';

const LANES = 32;
const MAX_VIOLATIONS = 5;
const BASES = ANSWERS.map(({ bytes }) => bytes).filter(({ length }) => length > 0 && length < 1_000);
const GOOD = ANSWERS.filter(({ outcome, bytes }) => outcome === 200 && bytes.length < 1_000).map(({ bytes }) => bytes);
/** Reads as an answer to the next request, wherever a parser loses its place. */
const POISON = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nPOISON';

interface Case {
  readonly bytes: string;
  readonly method: string;
  /** How llhttp reads the bytes. */
  readonly reference: ReferenceAnswer | undefined;
}

async function fuzzAnswer(seed: number, index: number): Promise<Case> {
  const random = new Random(seed, index);
  let bytes = mutate(random.pick(random.once(4) ? BASES : GOOD), random, BASES);
  if (random.once(5)) bytes += POISON;
  const method = random.once(10) ? 'HEAD' : 'GET';
  return { bytes, method, reference: await readAnswerByReference(Buffer.from(bytes, 'latin1'), method) };
}

/** Answers `/fuzz/N` with the bytes of case N, and everything else with its own target. */
async function startEndpoint(cases: ReadonlyMap<string, Case>): Promise<net.Server> {
  const server = net.createServer({ noDelay: true }, (socket) => {
    let rest: Buffer = Buffer.alloc(0);
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      const parsed = parseRequests(Buffer.concat([rest, chunk]));
      rest = parsed.rest;
      for (const { startLine } of parsed.requests) {
        const target = startLine.split(' ')[1] as string;
        const asked = cases.get(target);
        if (asked === undefined) socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${target.length}\r\n\r\n${target}`, 'latin1');
        else if (asked.reference?.complete === true && !asked.reference.untilClose) socket.write(asked.bytes, 'latin1');
        // Nothing more would come: the end of the connection says so.
        else socket.end(asked.bytes, 'latin1');
      }
    });
  });
  server.listen(0, '127.0.0.1', 4096);
  await once(server, 'listening');
  return server;
}

/** The proxy's own reply, of which the endpoint knows nothing. */
function isOwn(answer: ParsedMessage): boolean {
  return /^50[0234] [A-Za-z ]+\n\w+\n$/.test(answer.body.toString('latin1'));
}

function judge(answer: ParsedMessage | undefined, { bytes, reference, method }: Case): string[] {
  // Cut where the client sees it, or refused: always right.
  if (answer === undefined) return [];
  const status = statusOf(answer);
  if (isOwn(answer) || (method === 'HEAD' && status === 502)) return status === 502 ? [] : [`the proxy failed with ${status}: ${answer.body.toString('latin1')}`];
  // llhttp closes for Proxy-Connection, which is no field of HTTP, in interim answers too.
  if (reference === undefined && /proxy-connection/i.test(bytes)) return [];
  if (reference?.complete !== true) return [`a whole answer with ${status} of what llhttp ${reference === undefined ? 'refuses' : 'does not find complete'}`];
  const wrong: string[] = [];
  if (status !== reference.status) wrong.push(`status ${status} instead of ${reference.status}`);
  if (!answer.body.equals(reference.body)) wrong.push(`a body of ${answer.body.length} bytes instead of ${reference.body.length}`);
  const sent = new Set<string>(['connection: close']);
  for (let i = 0; i < reference.headers.length; i += 2) sent.add(`${(reference.headers[i] as string).toLowerCase()}: ${reference.headers[i + 1]}`);
  for (const [name, value] of answer.fields) {
    if (name !== 'date' && name !== 'content-length' && name !== 'transfer-encoding' && !sent.has(`${name}: ${value}`)) wrong.push(`the field ${name} was not in the answer`);
  }
  return wrong;
}

/** `served`: the client has an answer that is whole, and it is the endpoint's. */
async function ask(proxy: DataPlane, target: string, asked: Case): Promise<{ readonly wrong: string[]; readonly served: boolean }> {
  const client = await RawClient.connect(proxy.port);
  try {
    client.write(`${asked.method} ${target} HTTP/1.1\r\nHost: a.test\r\n\r\n`);
    await client.until(() => (client.closed || parseResponses(client.received, [asked.method], false).responses.length > 0 ? true : undefined), 10_000);
    const [answer] = parseResponses(client.received, [asked.method], false).responses;
    return { wrong: judge(answer, asked), served: answer !== undefined && !isOwn(answer) && statusOf(answer) !== 502 };
  } catch (error) {
    return { wrong: [error instanceof StrictHttpError ? `malformed bytes for the client: ${error.message}` : String(error)], served: false };
  } finally {
    client.destroy();
  }
}

async function plain(client: RawClient, target: string): Promise<string[]> {
  client.received = Buffer.alloc(0);
  client.write(`GET ${target} HTTP/1.1\r\nHost: b.test\r\n\r\n`);
  const [answer] = await client.responses(1, [], 10_000);
  const body = answer?.body.toString('latin1');
  return body === target ? [] : [`the next client asked for ${target} and got ${JSON.stringify(body?.slice(0, 100))}`];
}

export async function fuzzAnswers(options: FuzzOptions): Promise<FuzzReport> {
  const cases = new Map<string, Case>();
  const server = await startEndpoint(cases);
  const proxy = await startDataPlane(simpleTable([endpoint((server.address() as net.AddressInfo).port)]), { timeouts: { responseHeadMs: 5_000, readIdleMs: 5_000 } });
  const began = performance.now();
  const report = { streams: 0, ms: 0, forwarded: 0, refused: 0, violations: [] as string[] };
  let index = options.from ?? 0;
  const end = index + options.streams;
  const lane = async (): Promise<void> => {
    let honest = await RawClient.connect(proxy.port);
    while (index < end && performance.now() - began < options.ms && report.violations.length < MAX_VIOLATIONS) {
      const own = index++;
      const target = `/fuzz/${own}`;
      const asked = await fuzzAnswer(options.seed, own);
      cases.set(target, asked);
      const { wrong, served } = await ask(proxy, target, asked);
      cases.delete(target);
      if (served) report.forwarded++;
      else report.refused++;
      wrong.push(...(await plain(honest, `/plain/${own}`).catch((error: unknown) => [`the next client got no answer: ${String(error)}`])));
      // A connection takes so many requests, and no more.
      if (/\r\nconnection: close\r\n/.test(honest.received.toString('latin1'))) {
        honest.destroy();
        honest = await RawClient.connect(proxy.port);
      }
      proxy.log.length = 0;
      report.streams++;
      report.ms = performance.now() - began;
      if (wrong.length > 0) report.violations.push(`answer ${own} of seed ${options.seed} to ${asked.method}:\n  ${wrong.join('\n  ')}\n  ${literal(Buffer.from(asked.bytes, 'latin1'))}`);
    }
    honest.destroy();
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  await proxy.close();
  server.close();
  return report;
}
