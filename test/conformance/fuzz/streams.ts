// The streams of the fuzzer: a function of seed and index, so that each one can be had again by its number.
import { PAYLOADS } from '../corpus/all.ts';
import { streamOf } from '../support/stream.ts';
import type { Stream } from '../support/stream.ts';
import { mutate } from './mutate.ts';
import { Random } from './random.ts';

const BASES = PAYLOADS.map(({ bytes }) => bytes).filter((bytes) => bytes.length < 1_000);
/** What is well-formed is where mutations tell most. */
const GOOD = PAYLOADS.filter(({ answers, bytes }) => answers !== 'consistent' && bytes.length < 1_000 && answers.length > 0 && answers.every((status) => status === 200)).map(({ bytes }) => bytes);

export interface FuzzStream {
  readonly stream: Stream;
  /** Text of the answer to the request that was put behind the mutated bytes; undefined: there is none. */
  readonly last: string | undefined;
}

export function fuzzStream(seed: number, index: number): FuzzStream {
  const random = new Random(seed, index);
  let text = random.pick(random.once(4) ? BASES : GOOD);
  if (random.once(3)) text += random.pick(GOOD);
  text = mutate(text, random, BASES);
  const tail = random.once(2) ? `/tail/${index}` : undefined;
  if (tail !== undefined) text += `GET ${tail} HTTP/1.1\r\nHost: tail.test\r\n\r\n`;
  const cuts: number[] = [];
  if (random.once(4)) for (let left = 1 + random.below(5); left > 0; left--) cuts.push(1 + random.below(text.length));
  return { stream: streamOf(text, cuts.sort((a, b) => a - b)), last: tail === undefined ? undefined : `GET ${tail} HTTP/1.1` };
}
