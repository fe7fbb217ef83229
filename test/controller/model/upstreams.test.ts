// Upstreams that many objects share: what one of them costs.
import test from 'ava';
import { ProblemBook } from '../../../controller/model/problem-book.ts';
import type { RouteIntent, Translation } from '../../../controller/model/translation.ts';
import { Upstreams, upstreamKey } from '../../../controller/model/upstreams.ts';

const OBJECTS = 2000;
const WEB = { namespace: 'shop', service: 'web', port: 80 };

/** An object that forwards to shop/web; `asked` is called each time that somebody wants to know its age. */
function forwarding(index: number, asked: () => void): Translation {
  const origin = { kind: 'Ingress', namespace: 'shop', name: `i${index}` };
  const fallback: RouteIntent = {
    name: 'all',
    match: { path: { type: 'PathPrefix', value: '/' }, headers: [], queryParams: [], cookies: [] },
    filters: [],
    tlsFilters: [],
    action: { type: 'Forward', backends: [{ ...WEB, weight: 1, upstream: { serviceUpstream: index === 7 }, origin }], settings: {} },
    origin,
  };
  return {
    origin,
    get createdAt() {
      asked();
      return index;
    },
    hosts: [{ hostname: `h${index}.example.com`, routes: [], fallback, ownFallback: true }],
    tls: [],
    problems: [],
  };
}

test('the objects of one upstream are looked at once in a run, however many of them changed', (t) => {
  let looks = 0;
  const problems = new ProblemBook();
  const upstreams = new Upstreams(problems);
  for (let i = OBJECTS - 1; i >= 0; i--) upstreams.replace(`Ingress shop/i${i}`, forwarding(i, () => looks++));
  upstreams.takeChanged();
  t.true(looks < 20 * OBJECTS, `${looks} looks at ${OBJECTS} objects`);
  t.false(upstreams.settings(upstreamKey(WEB)).serviceUpstream);
  t.deepEqual(problems.list().map(({ origin, reason }) => `${origin.name} ${reason}`), ['i7 UpstreamConflict']);

  looks = 0;
  upstreams.replace('Ingress shop/i0', undefined);
  upstreams.takeChanged();
  t.true(looks < 20 * OBJECTS, `${looks} looks at ${OBJECTS} objects`);
});
