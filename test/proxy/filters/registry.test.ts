// The registry: every file of the folder is a filter, and what is no filter is refused.
import { readdirSync } from 'node:fs';
import test from 'ava';
import { PHASES } from '../../../proxy/filters/define.ts';
import { FILTERS, createFilter, inPhaseOrder } from '../../../proxy/filters/registry.ts';
import type { FilterSpec } from '../../../proxy/table/filter.ts';

const folder = new URL('../../../proxy/filters/', import.meta.url);

test('every file but the two that define filters is one, under the name of its file', (t) => {
  const files = readdirSync(folder).filter((file) => !['define.ts', 'registry.ts'].includes(file));
  t.deepEqual([...FILTERS.keys()].sort(), files.map((file) => file.replace(/\.ts$/, '')).sort());
  for (const [type, definition] of FILTERS) {
    t.is(definition.type, type);
    t.true(PHASES.includes(definition.phase));
  }
});

test('a filter without a definition, or with a wrong configuration, is an error and no filter', (t) => {
  for (const type of ['', 'no-such-filter', '__proto__', 'constructor', 'define', '../registry']) {
    t.is(typeof createFilter({ type, config: {} } as unknown as FilterSpec), 'string', type);
  }
  t.regex(String(createFilter({ type: 'https-redirect', config: { status: 1 } } as unknown as FilterSpec)), /^filter https-redirect: status must be/);
  t.is(typeof createFilter({ type: 'none', config: {} }), 'object');
});

test('filters of one phase keep the order in which they are listed', (t) => {
  const headers = (value: string): FilterSpec => ({ type: 'response-headers', config: { set: [{ name: 'a', value }] } });
  const redirect: FilterSpec = { type: 'https-redirect', config: { status: 308 } };
  t.deepEqual(inPhaseOrder([headers('1'), redirect, headers('2')]), [headers('1'), headers('2'), redirect]);
});
