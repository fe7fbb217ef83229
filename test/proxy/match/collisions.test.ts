// Two texts with the same hash stay two texts, in the map of hosts and in the index of paths.
import test from 'ava';
import { compileTable } from '../../../proxy/match/compile.ts';
import { hashOf } from '../../../proxy/match/hash.ts';
import { ShardedMap } from '../../../proxy/match/sharded-map.ts';
import { host, path, request, route, sections } from './builders.ts';

/** By the birthday paradox about twenty of 400,000 texts have a namesake among 2^32 hashes; hashes start elsewhere in every process. */
function collidingPair(text: (at: number) => string): readonly [string, string] | undefined {
  const seen = new Map<number, string>();
  for (let at = 0; at < 400_000; at++) {
    const one = text(at);
    const hash = hashOf(one);
    const other = seen.get(hash);
    if (other !== undefined) return [one, other];
    seen.set(hash, one);
  }
  return undefined;
}

test('keys with the same hash are added, replaced and removed apart', (t) => {
  const pair = collidingPair((at) => `host-${(at * 2_654_435_761) % 4_294_967_291}.example.com`);
  if (pair === undefined) return t.pass('no two texts collide from this start value');
  const [a, b] = pair;
  const none = ShardedMap.empty<number>();
  const both = none.with(new Map([[a, 1], [b, 2]]));
  t.deepEqual([both.get(a), both.get(b)], [1, 2]);
  for (const [gone, kept, value] of [[a, b, 2], [b, a, 1]] as const) {
    const one = both.with(new Map([[gone, undefined]]));
    t.deepEqual([one.get(gone), one.get(kept)], [undefined, value]);
    const seen: string[] = [];
    one.forEach((_, key) => seen.push(key));
    t.deepEqual(seen, [kept]);
    t.deepEqual([both.get(a), both.get(b)], [1, 2], 'the map before is as it was');
  }
  t.deepEqual([both.with(new Map([[b, 3]])).get(a), both.with(new Map([[b, 3]])).get(b)], [1, 3]);
});

test('paths with the same hash are routed apart', (t) => {
  const pair = collidingPair((at) => `/p${(at * 2_654_435_761) % 4_294_967_291}`);
  if (pair === undefined) return t.pass('no two texts collide from this start value');
  const [a, b] = pair;
  const { table } = compileTable(sections([host('shop.example.com', [route('a', path('PathPrefix', a)), route('b', path('Exact', b)), route('bb', path('PathPrefix', b))])]));
  const goes = (target: string): string | undefined => table.match('http', request(target))?.route.name;
  t.deepEqual([goes(a), goes(`${a}/x`), goes(b), goes(`${b}/x`)], ['a', 'a', 'b', 'bb']);
});
