// The stage of a conformance run: witness, proxy, and an honest client that keeps one connection and must always get the
// answer to its own request. `perform` sends one stream and gives the verdict.
import { endpoint, simpleTable, startDataPlane } from '../../support/data-plane.ts';
import { RawClient } from '../../support/raw-client.ts';
import { field, parseResponses } from '../../support/strict-http1.ts';
import type { ParsedMessage } from '../../support/strict-http1.ts';
import { judge, statusOf } from './judge.ts';
import { laneAddress, talk } from './lane.ts';
import { readByReference } from './llhttp.ts';
import type { Stream } from './stream.ts';
import { startWitness } from './witness.ts';

export interface Verdict {
  /** Statuses of the answers, in order. */
  readonly statuses: readonly number[];
  readonly answers: readonly ParsedMessage[];
  /** Complete requests that reached the endpoint, in order. */
  readonly forwarded: readonly ParsedMessage[];
  /** Their bytes. */
  readonly raw: readonly Buffer[];
  readonly wrong: readonly string[];
}

export interface Stage {
  /** `lane`: number of the client; streams of one lane must follow one another. `last`: see `talk`. */
  perform(lane: number, stream: Stream, last?: string): Promise<Verdict>;
  /** One request of the honest client; rejects if it gets another's answer or none. */
  honest(): Promise<void>;
  /** Rejects if something reached the endpoint behind the last verdict of its client. */
  close(): Promise<void>;
}

const PREFACE = 'PRI * HTTP/2.0\r\n\r\n';
const HONEST_ADDRESS = '127.0.0.1';

/** `requestBuffering`: small bodies are held until they are complete, as they are by default, or stream. */
export async function startStage(requestBuffering = true): Promise<Stage> {
  const witness = await startWitness();
  const proxy = await startDataPlane(simpleTable([endpoint(witness.port)]), { forwarding: { requestBuffering } });
  // None until it has something to say: the time for a first head is short.
  let client: RawClient | undefined;
  let asked = 0;
  let queue: Promise<void> = Promise.resolve();
  const ask = async (): Promise<void> => {
    const target = `/honest/${++asked}`;
    client ??= await RawClient.connect(proxy.port);
    client.received = Buffer.alloc(0);
    client.write(`GET ${target} HTTP/1.1\r\nHost: honest.test\r\n\r\n`);
    const [answer] = await client.responses(1);
    const [own] = witness.take(HONEST_ADDRESS);
    const line = `GET ${target} HTTP/1.1`;
    if (answer === undefined || statusOf(answer) !== 200 || answer.body.toString('latin1') !== line || own?.request.startLine !== line || field(answer, 'x-serial') !== String(own.serial)) {
      throw new Error(`the honest client asked for ${target} and got ${answer?.startLine} ${JSON.stringify(answer?.body.toString('latin1').slice(0, 200))}`);
    }
    // A connection takes so many requests, and no more; any other end of it shows when it is asked next.
    if (field(answer, 'connection') !== 'close') return;
    client.destroy();
    client = undefined;
  };
  return {
    perform: async (lane, stream, last) => {
      const address = laneAddress(lane);
      const [reference, said] = await Promise.all([readByReference(stream.bytes), talk(proxy.port, address, stream, last)]);
      proxy.log.length = 0;
      const witnessed = witness.take(address);
      // The preface begins HTTP/2, whose answers are read elsewhere.
      const wrong = stream.bytes.toString('latin1', 0, PREFACE.length) === PREFACE ? [] : judge({ address, sent: stream.bytes, talk: said, witnessed, reference });
      wrong.push(...witness.violations.splice(0).map((violation) => `the endpoint cannot read what was forwarded: ${violation}`));
      const answers = answersIn(said.received);
      return { statuses: answers.map(statusOf), answers, forwarded: witnessed.map(({ request }) => request), raw: witnessed.map(({ raw }) => raw), wrong };
    },
    honest: () => (queue = queue.then(ask)),
    close: async () => {
      client?.destroy();
      await proxy.close();
      const late = await witness.close();
      if (late.length > 0) throw new Error(`behind its verdict there came: ${late.join('\n')}`);
    },
  };
}

function answersIn(received: Buffer): readonly ParsedMessage[] {
  try {
    return parseResponses(received, [], true).responses;
  } catch {
    return [];
  }
}
