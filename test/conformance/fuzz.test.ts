// A short, fixed run of the fuzzer, with FUZZ=minute one of a minute, as the check of a change has it. `npm run fuzz` has the
// long one, with a new seed each time.
import test from 'ava';
import { fuzzAnswers } from './fuzz/answers.ts';
import { fuzz } from './fuzz/run.ts';
import { fuzzStream } from './fuzz/streams.ts';
import { minimise } from './fuzz/minimise.ts';
import { pieces, streamOf } from './support/stream.ts';

const SEED = 20_261_123;
const MINUTE = process.env['FUZZ'] === 'minute';
/** For both ways at most: on a slow machine fewer streams, and always the same first ones. */
const BUDGET_MS = MINUTE ? 50_000 : 25_000;
const ALL = Number.POSITIVE_INFINITY;

// Each way has streams of its own: the numbers of the second begin where no first run comes to.
for (const [how, requestBuffering, from] of [['held', true, 0], ['streaming', false, 1_000_000]] as const) {
  test.serial(`mutated streams are refused or understood as llhttp understands them, and reach the endpoint as they are answered (bodies ${how})`, async (t) => {
    t.timeout(BUDGET_MS * 2);
    const report = await fuzz({ seed: SEED, streams: MINUTE ? ALL : 12_500, ms: BUDGET_MS / 2, requestBuffering, from });
    t.log(`${report.streams} streams of seed ${SEED} in ${Math.round(report.ms / 1000)} s, ${report.forwarded} requests forwarded, ${report.refused} streams refused`);
    t.deepEqual(report.violations, []);
    t.true(report.streams > 1_000);
    t.true(report.forwarded > report.streams / 10, 'enough of them are served');
    t.true(report.refused > report.streams / 10, 'enough of them are refused');
  });
}

test.serial('mutated answers reach the client as llhttp reads them, or are refused or cut, and nobody else gets them', async (t) => {
  const report = await fuzzAnswers({ seed: SEED, streams: MINUTE ? ALL : 3_000, ms: BUDGET_MS / 5 });
  t.log(`${report.streams} answers of seed ${SEED} in ${Math.round(report.ms / 1000)} s, ${report.forwarded} of them passed on whole`);
  t.deepEqual(report.violations, []);
  t.true(report.forwarded > report.streams / 20, 'enough of them are passed on');
});

test('the same seed and number give the same stream', (t) => {
  for (const index of [0, 1, 12_345]) t.deepEqual(fuzzStream(SEED, index), fuzzStream(SEED, index));
  t.notDeepEqual(fuzzStream(SEED, 0), fuzzStream(SEED, 1));
  t.notDeepEqual(fuzzStream(SEED, 0), fuzzStream(SEED + 1, 0));
});

test('a stream is made as small as it still shows what is wrong', async (t) => {
  const stream = streamOf(`${'x'.repeat(100)}A${'y'.repeat(57)}B${'z'.repeat(31)}`, [3, 120]);
  const small = await minimise(stream, (candidate) => Promise.resolve(/A.*B/.test(candidate.bytes.toString('latin1'))));
  t.is(small.bytes.toString(), 'AB');
  t.deepEqual(pieces(small).map(String), ['AB']);
});
