// The corpus of payloads that two parsers could understand differently, each alone and each with a plain request behind it:
// the statuses are those written down, and whatever is sent, what reaches the endpoint is what was answered.
import test from 'ava';
import { PAYLOADS } from './corpus/all.ts';
import type { Payload } from './corpus/payload.ts';
import { startStage } from './support/stage.ts';
import type { Stage } from './support/stage.ts';
import { streamOf } from './support/stream.ts';

let held: Stage;
let streaming: Stage;
test.before(async () => {
  held = await startStage();
  streaming = await startStage(false);
});
test.after.always(async () => {
  await held.close();
  await streaming.close();
});

/** Payloads that run at the same time, each a client of its own. */
const LANES = 16;

/** Runs all payloads; gives back what was wrong, by payload. */
async function inLanes(work: (payload: Payload, lane: number) => Promise<readonly string[]>): Promise<string[]> {
  const queue = [...PAYLOADS];
  const wrong: string[] = [];
  await Promise.all(
    Array.from({ length: LANES }, async (_, lane) => {
      for (let payload = queue.shift(); payload !== undefined; payload = queue.shift()) {
        for (const what of await work(payload, lane)) wrong.push(`${titleOf(payload)}: ${what}`);
      }
    }),
  );
  return wrong;
}

/** Wrong, if the answers are not those that were written down. */
function compare({ answers }: Payload, statuses: readonly number[]): string[] {
  return answers === 'consistent' || answers.join() === statuses.join() ? [] : [`answered ${statuses.join()} instead of ${answers.join()}`];
}

const titleOf = ({ family, name }: Payload): string => `${family}: ${name}`;

test('the corpus has at least 200 payloads, and every one a title of its own', (t) => {
  t.true(PAYLOADS.length >= 200);
  t.is(new Set(PAYLOADS.map(titleOf)).size, PAYLOADS.length);
  t.log(`${PAYLOADS.length} payloads in ${new Set(PAYLOADS.map(({ family }) => family)).size} families`);
});

for (const [how, stage] of [['bodies are held', () => held], ['bodies stream', () => streaming]] as const) {
  test.serial(`each payload is answered as written down, and reaches the endpoint as it was answered or not at all (${how})`, async (t) => {
    t.deepEqual(await inLanes(async (payload, lane) => {
      const { statuses, wrong } = await stage().perform(lane, streamOf(payload.bytes));
      await stage().honest();
      return [...wrong, ...compare(payload, statuses)];
    }), []);
  });

  test.serial(`a request behind each payload is answered for itself or not at all (${how})`, async (t) => {
    let tails = 0;
    t.deepEqual(await inLanes(async (payload, lane) => {
      const target = `/tail/${lane}-${++tails}`;
      const { statuses, wrong } = await stage().perform(lane, streamOf(`${payload.bytes}GET ${target} HTTP/1.1\r\nHost: tail.test\r\n\r\n`), `GET ${target} HTTP/1.1`);
      await stage().honest();
      // What waits for more takes the tail as its own; what is whole does not notice it.
      return payload.answers === 'consistent' || payload.answers.length === 0 ? wrong : [...wrong, ...compare(payload, statuses.slice(0, payload.answers.length))];
    }), []);
  });

  test.serial(`a payload that comes in two pieces, cut anywhere, is the same payload (${how})`, async (t) => {
    t.deepEqual(await inLanes(async (payload, lane) => {
      const { length } = payload.bytes;
      const cut = 1 + ((payload.name.length * 7) % (length - 1));
      const { statuses, wrong } = await stage().perform(lane, streamOf(payload.bytes, [cut]));
      await stage().honest();
      return [...wrong, ...compare(payload, statuses)].map((what) => `cut at ${cut}: ${what}`);
    }), []);
  });
}
