// What is published arrives: a worker that applies every delta has the table of the primary, entry by entry.
import test from 'ava';
import fc from 'fast-check';
import { Versions } from '../../controller/publish/versions.ts';
import { applyInPlace, ownSnapshot } from '../../proxy/table/own-snapshot.ts';
import { EMPTY_SNAPSHOT, SECTION_NAMES } from '../../proxy/table/snapshot.ts';
import type { Sections } from '../../proxy/table/snapshot.ts';

const KEYS = ['shop/web:80', 'shop/api:80', 'a/__proto__:80', 'constructor/toString:1', 'https/shop.example.com', 'sha256/00'];
const section = fc.dictionary(fc.constantFrom(...KEYS), fc.oneof(fc.record({ n: fc.nat(3) }), fc.array(fc.record({ address: fc.constantFrom('10.0.0.1', '10.0.0.2') }), { maxLength: 2 })), { noNullPrototype: true });
const sections = fc.record({ listeners: section, virtualHosts: section, clusters: section, endpoints: section, certificates: section }) as unknown as fc.Arbitrary<Sections>;

for (const told of [false, true]) {
  test(`the deltas of a history of tables, applied one after the other, give every table${told ? ', also if the primary is told what to look at' : ''}`, (t) => {
    let deltas = 0;
    fc.assert(
      fc.property(fc.array(sections, { minLength: 1, maxLength: 6 }), (history) => {
        const versions = new Versions();
        const worker = ownSnapshot(EMPTY_SNAPSHOT);
        for (const [at, table] of history.entries()) {
          const every = Object.fromEntries(SECTION_NAMES.map((name) => [name, KEYS]));
          const next = versions.advance(table, told && at > 0 ? every : undefined);
          if (next !== undefined) {
            t.true(applyInPlace(worker, structuredClone(next.delta)));
            deltas++;
          }
          t.deepEqual(versions.snapshot(), { version: worker.version, ...table });
          t.deepEqual({ ...worker }, versions.snapshot());
        }
      }),
      { numRuns: 200 },
    );
    t.true(deltas > 200);
  });
}
