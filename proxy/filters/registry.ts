// All filters there are: the files beside this one. A new filter is one new file; nothing else has to know it.
import { readdirSync } from 'node:fs';
import type { FilterSpec } from '../table/filter.ts';
import { PHASES } from './define.ts';
import type { Filter, FilterDefinition } from './define.ts';

/** A definition whose configuration type is no longer known; `check` stands between any value and `create`. */
type AnyDefinition = Omit<FilterDefinition, 'type' | 'create'> & { readonly type: string; create(config: unknown): Filter };

const NOT_FILTERS: ReadonlySet<string> = new Set(['define.ts', 'registry.ts']);

/** By type name. */
export const FILTERS: ReadonlyMap<string, AnyDefinition> = await load();

async function load(): Promise<Map<string, AnyDefinition>> {
  const filters = new Map<string, AnyDefinition>();
  const files = readdirSync(import.meta.dirname).filter((file) => file.endsWith('.ts') && !NOT_FILTERS.has(file));
  for (const file of files.sort()) {
    const { default: definition } = (await import(`./${file}`)) as { default: AnyDefinition };
    if (filters.has(definition.type)) throw new Error(`proxy/filters/${file} defines the filter ${definition.type} a second time`);
    filters.set(definition.type, definition);
  }
  return filters;
}

/** A filter at work with the configuration that it was made of. */
export interface ActiveFilter {
  readonly spec: FilterSpec;
  readonly filter: Filter;
}

/** The specs in the order in which they run: by phase, and within a phase as listed. Unknown types come first; `createFilter` refuses them. */
export function inPhaseOrder(specs: readonly FilterSpec[]): readonly FilterSpec[] {
  if (specs.length < 2) return specs;
  return specs.toSorted((a, b) => phaseIndex(a) - phaseIndex(b));
}

/** True: it runs before a request's body is weighed. */
export function isAdmitting(spec: FilterSpec): boolean {
  return phaseIndex(spec) === 0;
}

function phaseIndex(spec: FilterSpec): number {
  const definition = FILTERS.get(spec.type);
  return definition === undefined ? -1 : PHASES.indexOf(definition.phase);
}

/** The runtime of one filter, or what is wrong with its type or configuration. The caller must then deny the route: a filter may be its protection. */
export function createFilter(spec: FilterSpec): Filter | string {
  const definition = FILTERS.get(spec.type);
  if (definition === undefined) return `there is no filter ${JSON.stringify(spec.type)}`;
  const wrong = definition.check(spec.config);
  if (wrong !== undefined) return `filter ${spec.type}: ${wrong}`;
  return definition.create(spec.config);
}
