// Deltas: applied to where they start from they give where they lead to, and to nothing else.
import test from 'ava';
import fc from 'fast-check';
import { apply, applyInPlace, diff, makeDelta, ownSnapshot } from '../../proxy/table/diff.ts';
import type { Sections, Snapshot } from '../../proxy/table/snapshot.ts';

const KEYS = ['shop/web:80', 'shop/api:80', 'a/__proto__:80', 'constructor/toString:1', 'https/shop.example.com', 'sha256/00'];

/** Sections of entries whose content does not matter: nothing in diff.ts looks into them. */
const section = fc.dictionary(fc.constantFrom(...KEYS), fc.oneof(fc.record({ n: fc.nat(3), list: fc.array(fc.nat(2), { maxLength: 2 }) }), fc.array(fc.record({ address: fc.constantFrom('10.0.0.1', '10.0.0.2') }), { maxLength: 2 })), { noNullPrototype: true });
const sections = fc.record({ listeners: section, virtualHosts: section, clusters: section, endpoints: section, certificates: section }) as unknown as fc.Arbitrary<Sections>;

function sectionsOf({ version: _version, ...others }: Snapshot): Sections {
  return others;
}

test('apply undoes diff: a with the delta from a to b is b', (t) => {
  fc.assert(fc.property(sections, sections, fc.nat(), (from, to, version) => {
    const a: Snapshot = { ...from, version };
    const before = structuredClone(a);
    const delta = makeDelta(a, to);
    if (delta === undefined) return t.deepEqual(from, to);
    t.is(delta.version, version + 1);
    const sent = structuredClone(delta);
    const b = apply(a, sent);
    if (b === undefined) return t.fail();
    t.deepEqual(sectionsOf(b), to);
    t.is(b.version, delta.version);
    t.deepEqual(a, before, 'the snapshot before is as it was');
    const own = ownSnapshot(a);
    t.true(applyInPlace(own, structuredClone(delta)));
    t.deepEqual(own, b);
    t.deepEqual(a, before, 'an own snapshot is a copy');
    t.is(diff(b, to), undefined);
  }), { numRuns: 500 });
});

test('a delta fits its base alone', (t) => {
  fc.assert(fc.property(sections, sections, fc.nat(9), fc.nat(9), (from, to, version, other) => {
    fc.pre(version !== other);
    const delta = makeDelta({ ...from, version }, to);
    fc.pre(delta !== undefined);
    t.is(apply({ ...from, version: other }, delta), undefined);
    const own = ownSnapshot({ ...from, version: other });
    t.false(applyInPlace(own, delta));
    t.deepEqual(own, { ...from, version: other });
  }), { numRuns: 200 });
});

test('a copy that says the same is no change', (t) => {
  fc.assert(fc.property(sections, (from) => t.is(diff(from, structuredClone(from)), undefined)), { numRuns: 200 });
});
