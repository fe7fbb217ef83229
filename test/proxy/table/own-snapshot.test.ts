// Deltas onto a worker's table: in place, cheap, and only onto their base.
import test from 'ava';
import { applyInPlace, ownSnapshot } from '../../../proxy/table/own-snapshot.ts';
import { equal } from '../../../proxy/table/equal.ts';
import type { Endpoint } from '../../../proxy/table/cluster.ts';
import { EMPTY_SNAPSHOT } from '../../../proxy/table/snapshot.ts';
import type { Snapshot } from '../../../proxy/table/snapshot.ts';

const endpoint = (address: string): Endpoint => ({ address, port: 80, ready: true, serving: true, terminating: false });
const withEndpoints = (endpoints: Snapshot['endpoints'], version = 1): Snapshot => ({ ...EMPTY_SNAPSHOT, version, endpoints });

test('a delta for another base is refused', (t) => {
  const delta = { base: 3, version: 4, set: {}, remove: { endpoints: ['shop/web:80'] } };
  const own = ownSnapshot(withEndpoints({ 'shop/web:80': [] }, 2));
  t.false(applyInPlace(own, delta));
  t.deepEqual(own, withEndpoints({ 'shop/web:80': [] }, 2), 'and nothing was done');
});

test('an own snapshot changes in place and leaves the one that it was made of alone', (t) => {
  const own = ownSnapshot(EMPTY_SNAPSHOT);
  t.true(applyInPlace(own, { base: 0, version: 1, set: { endpoints: { 'shop/web:80': [] } }, remove: {} }));
  t.deepEqual(own, withEndpoints({ 'shop/web:80': [] }, 1));
  t.true(applyInPlace(own, { base: 1, version: 2, set: {}, remove: { endpoints: ['shop/web:80'] } }));
  t.deepEqual(own, withEndpoints({}, 2));
  t.deepEqual(EMPTY_SNAPSHOT.endpoints, {});
});

test('an endpoint delta onto ten thousand clusters takes far less than a millisecond in place', (t) => {
  const own = ownSnapshot(withEndpoints(Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`shop/svc-${i}:80`, [endpoint('10.0.0.1')]]))));
  const started = performance.now();
  for (let i = 0; i < 1000; i++) applyInPlace(own, { base: own.version, version: own.version + 1, set: { endpoints: { [`shop/svc-${i}:80`]: [] } }, remove: {} });
  t.true(performance.now() - started < 500, 'a thousand of them');
});

test('equality is of structure, and an undefined value is an absent one', (t) => {
  t.true(equal({ a: [1, { b: 'x' }], c: null }, { c: null, a: [1, { b: 'x' }] }));
  t.true(equal({ a: undefined }, {}));
  t.true(equal({}, { a: undefined }));
  t.true(equal(Number.NaN, Number.NaN));
  for (const [a, b] of [[{ a: undefined }, { a: 1 }], [{ a: 1 }, { a: '1' }], [[1], [1, 2]], [[], {}], [{}, null], [{ a: 1 }, { b: 1 }], [{ constructor: 1 }, {}], [{}, { toString: 1 }], [[undefined], []]]) {
    t.false(equal(a, b), JSON.stringify([a, b]));
    t.false(equal(b, a), JSON.stringify([b, a]));
  }
});
