// When the list-watch loop tries again, and with what.
import test from 'ava';
import { TIMINGS, backoffMs, needsConfirmation, plan } from '../../../controller/kube/pace.ts';
import type { Ending, Plan } from '../../../controller/kube/pace.ts';

const LISTED = { failures: 0, sinceListMs: 100_000, suspect: false };
const after = (ending: Ending, progress: Partial<typeof LISTED> = {}, random = 0.5): Plan => plan(ending, { ...LISTED, ...progress }, TIMINGS, random);
const failed = (more: object = {}): Ending => ({ type: 'failed', retryAfterMs: undefined, hadLivedMs: 0, ...more });

test('a watch that ends as agreed is followed by the next one at once', (t) => {
  t.deepEqual(after({ type: 'ended', livedMs: 40_000, heard: true }), { next: 'watch', waitMs: 0, failures: 0 });
});

test('a watch that never said a word is followed by a probe, because a server that lost its past says nothing', (t) => {
  t.is(after({ type: 'ended', livedMs: 40_000, heard: false }).next, 'probe');
});

test('watches that end within seconds are not repeated all the time', (t) => {
  const { waitMs, failures } = after({ type: 'ended', livedMs: 10, heard: true }, { failures: 6 });
  t.true(waitMs >= 8000, `${waitMs} ms`);
  t.is(failures, 7);
});

test('a watch that was over at once without a word is followed by a list, at the pace of lists and of failures', (t) => {
  const silent = { type: 'ended', livedMs: 10, heard: false } as const;
  t.like(after(silent, { sinceListMs: 100 }), { next: 'list', waitMs: 4900, failures: 1 });
  const { next, waitMs } = after(silent, { failures: 6 });
  t.is(next, 'list');
  t.true(waitMs >= 8000, `${waitMs} ms`);
});

test('a watch that was reset is resumed within a second, after a probe', (t) => {
  for (const random of [0, 0.5, 0.999]) {
    const next = after(failed({ hadLivedMs: 60_000 }), { failures: 9 }, random);
    t.is(next.next, 'probe');
    t.true(next.waitMs < 1000, `${next.waitMs} ms`);
    t.is(next.failures, 1);
  }
});

test('pauses between failures grow from an eighth of a second to half a minute, and go on without end', (t) => {
  let failures = 0;
  const waits = Array.from({ length: 1000 }, () => {
    const next = after(failed(), { failures }, 0);
    failures = next.failures;
    return next.waitMs;
  });
  t.deepEqual(waits.slice(0, 9), [125, 250, 500, 1000, 2000, 4000, 8000, 15_000, 15_000]);
  t.is(waits.at(-1), 15_000);
  t.is(backoffMs(1000, TIMINGS, 0.9999999), 30_000 - 15_000 * 1e-7);
});

test('two clients that fail at the same time do not return at the same time', (t) => {
  const waits = new Set(Array.from({ length: 100 }, () => Math.round(after(failed(), { failures: 7 }, Math.random()).waitMs / 100)));
  t.true(waits.size > 20, `${waits.size} different pauses`);
});

test('a server that asks for two minutes gets them, and one that asks for a day does not', (t) => {
  for (const random of [0, 0.999]) {
    const { waitMs } = after(failed({ retryAfterMs: 120_000 }), {}, random);
    t.true(waitMs >= 120_000 && waitMs <= 132_000, `${waitMs} ms`);
  }
  t.true(after(failed({ retryAfterMs: 86_400_000 })).waitMs <= 660_000);
});

test('410 on every watch leads to one list in five seconds at most', (t) => {
  t.is(after({ type: 'expired' }, { sinceListMs: 6000 }).waitMs, 0);
  t.true(after({ type: 'expired' }, { sinceListMs: 100 }).waitMs >= 4900);
  for (const type of ['expired', 'garbled', 'reverted'] as const) t.is(after({ type }).next, 'list');
});

test('everything is listed again after ten minutes, even if no event was missed', (t) => {
  for (const ending of [{ type: 'ended', livedMs: 40_000, heard: true }, { type: 'ended', livedMs: 10, heard: true }, failed({ hadLivedMs: 30_000 })] as const) t.is(after(ending, { sinceListMs: 600_001 }).next, 'list', JSON.stringify(ending));
});

test('a lost connection is resumed at once, and everything is listed again when the next watch has ended', (t) => {
  t.is(after(failed()).next, 'probe');
  t.is(after({ type: 'done' }, { suspect: true }).next, 'watch');
  t.is(after({ type: 'ended', livedMs: 40_000, heard: true }, { suspect: true }).next, 'list');
});

test('without a list there is nothing to resume', (t) => {
  t.is(after(failed(), { sinceListMs: Number.POSITIVE_INFINITY }).next, 'list');
});

test('what is forbidden is asked for again about once a minute', (t) => {
  const { next, waitMs } = after({ type: 'denied' });
  t.is(next, 'list');
  t.true(waitMs > 50_000 && waitMs <= 60_000, `${waitMs} ms`);
});

test('a list that lacks more than half of what is known has to be confirmed', (t) => {
  t.true(needsConfirmation(10, 6));
  t.false(needsConfirmation(10, 5));
  t.true(needsConfirmation(1, 1));
  t.false(needsConfirmation(0, 0));
});

test('a dead connection is found within a minute', (t) => {
  t.true(TIMINGS.watchMs[1] + TIMINGS.silenceMs <= 60_000);
});
