// What has an endpoint left out for a while, as far as its requests tell: each failure by its own rule, seen from outside. That it
// comes back, for how long it is out, and of how many it may be one: places.test.ts, and proxy/balance.
import test from 'ava';
import { answer, crowd, forwardPlane, ok, reset, silent } from '../../support/forward-plane.ts';
import type { AnswerWith, ForwardPlaneOptions } from '../../support/forward-plane.ts';

const FAILURES: readonly (readonly [what: string, endpoint: AnswerWith, forward: NonNullable<ForwardPlaneOptions['forward']>, inRow: number])[] = [
  ['whose answers do not come in time', silent, { timeouts: { responseHeadMs: 150 } }, 1],
  ['that resets connections', reset, {}, 5],
  ['whose answers are no HTTP', () => '<html>\r\n\r\n', { retry: { on: ['invalid-response'] } }, 5],
  ['with a status of the route\'s list', () => answer(503, 'sorry'), { retry: { on: ['503'] } }, 5],
];

for (const [what, bad, forward, inRow] of FAILURES) {
  test(`an endpoint ${what} is left out for a second ${inRow === 1 ? 'at once' : 'when it has done so five times in a row'}`, async (t) => {
    const plane = await forwardPlane(t, [bad, ok], { forward });
    const { port } = plane.endpoints[0]!;
    /** Its tries: when each began, and how many requests had ended before. */
    const tries = (): { readonly at: number; readonly before: number }[] =>
      plane.log.flatMap(({ exchange: { attempts } }, before) => attempts.filter((each) => each.endpoint.port === port).map(({ startedAt }) => ({ at: startedAt, before })));
    while (tries().length <= inRow) t.deepEqual([...(await crowd(plane.port, { count: 10, clients: 1, rate: 200 }))], [['200', 10]]);
    const [last, next] = [tries()[inRow - 1]!, tries()[inRow]!];
    t.true(last.before <= 2 * inRow, `the last before it was out is that of request ${last.before}`);
    t.true(next.at - last.at >= 1_000, `${next.at - last.at} ms`);
  });
}

test('an endpoint that answers with a status of nobody\'s list goes on being asked', async (t) => {
  const plane = await forwardPlane(t, [() => answer(503, 'sorry'), ok]);
  const outcomes = await crowd(plane.port, { count: 40, clients: 1 });
  t.deepEqual([...outcomes].sort(), [['200', 20], ['503', 20]]);
});
