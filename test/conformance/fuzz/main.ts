// `npm run fuzz [-- --seed N --minutes N --from N --streams N --side requests|answers]`: mutated streams for ten minutes. Prints its
// seed; with the seed and its number every stream can be had again. Exit code 1 if anything was violated.
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { fuzzAnswers } from './answers.ts';
import { fuzz } from './run.ts';
import type { FuzzReport } from './run.ts';

const { values } = parseArgs({
  options: { seed: { type: 'string' }, minutes: { type: 'string', default: '10' }, from: { type: 'string', default: '0' }, streams: { type: 'string' }, side: { type: 'string', default: 'both' } },
});
const seed = values.seed === undefined ? randomInt(2 ** 31) : Number(values.seed);
const streams = values.streams === undefined ? Number.POSITIVE_INFINITY : Number(values.streams);
const from = Number(values.from);
/** What clients send is most of it. */
const share = values.side === 'both' ? { requests: 0.8, answers: 0.2 } : values.side === 'answers' ? { requests: 0, answers: 1 } : { requests: 1, answers: 0 };
const say = (text: string): void => void process.stdout.write(`${text}\n`);
let violated = 0;

async function run(what: string, part: number, work: (ms: number) => Promise<FuzzReport>): Promise<void> {
  if (part === 0) return;
  const report = await work(Number(values.minutes) * 60_000 * part);
  violated += report.violations.length;
  for (const violation of report.violations) say(`\n${violation}\n`);
  say(`${what}: ${report.streams} streams in ${Math.round(report.ms / 1000)} s (${Math.round(report.streams / (report.ms / 60_000))} a minute), ${report.violations.length} violations; seed ${seed}`);
}

say(`seed ${seed}`);
for (const requestBuffering of [true, false]) {
  await run(`requests whose bodies ${requestBuffering ? 'are held' : 'stream'}`, share.requests / 2, (ms) =>
    fuzz({ seed, streams, ms, from, requestBuffering, progress: (now) => say(`${now.streams} streams, ${now.forwarded} requests forwarded, ${now.refused} streams refused, ${now.violations.length} violations`) }));
}
await run('answers', share.answers, (ms) => fuzzAnswers({ seed, streams, ms, from }));
process.exitCode = violated === 0 ? 0 : 1;
