// Virtual hosts, with their routes, made ready to be matched and run. Compiling never throws: what is wrong with a route is told, and a
// route whose filters cannot be built is denied, because one of them may be its protection.
import { createFilter, inPhaseOrder, isAdmitting } from '../filters/registry.ts';
import type { ActiveFilter } from '../filters/registry.ts';
import type { Filter } from '../filters/define.ts';
import { DENIED } from '../table/denied.ts';
import { equal } from '../table/equal.ts';
import type { Route, VirtualHost } from '../table/route.ts';
import type { CompiledRoute } from './compiled-route.ts';
import { otherConditions, pathCondition } from './conditions.ts';
import { PathIndex } from './path-index.ts';

export interface CompiledVirtualHost {
  /** Its key in the table. */
  readonly key: string;
  readonly virtualHost: VirtualHost;
  /** In matching order, without those that cannot match. */
  readonly routes: readonly CompiledRoute[];
  readonly index: PathIndex;
  readonly errors: readonly CompileError[];
}

export interface CompileError {
  /** Key of the virtual host. */
  readonly virtualHost: string;
  /** `Route.name`; empty: the virtual host itself. */
  readonly route: string;
  readonly message: string;
}

const NO_FILTERS: readonly Filter[] = [];
const NO_ACTIVE: readonly ActiveFilter[] = [];

/** `previous`: the same key's virtual host in the table before; filters whose configuration did not change go on with their state. */
export function compileVirtualHost(key: string, virtualHost: VirtualHost, previous: CompiledVirtualHost | undefined): CompiledVirtualHost {
  const routes: CompiledRoute[] = [];
  const errors: CompileError[] = [];
  const before = activeByRoute(previous);
  for (const [order, route] of virtualHost.routes.entries()) {
    const report = (message: string): void => void errors.push({ virtualHost: key, route: route.name, message });
    const path = pathCondition(route.match.path);
    const conditions = otherConditions(route.match);
    if ('error' in path) report(path.error);
    else if ('error' in conditions) report(conditions.error);
    else routes.push({ ...compileFilters(route, before?.get(route.name) ?? NO_ACTIVE, report), virtualHost, order, path, conditions, next: undefined });
  }
  return { key, virtualHost, routes, index: new PathIndex(routes), errors };
}

function activeByRoute(previous: CompiledVirtualHost | undefined): ReadonlyMap<string, readonly ActiveFilter[]> | undefined {
  let byName: Map<string, readonly ActiveFilter[]> | undefined;
  for (const { route, active } of previous?.routes ?? []) {
    if (active.length === 0) continue;
    byName ??= new Map();
    byName.set(route.name, active);
  }
  return byName;
}

function compileFilters(route: Route, before: readonly ActiveFilter[], report: (message: string) => void): Pick<CompiledRoute, 'route' | 'filters' | 'admitting' | 'active'> {
  if (route.filters.length === 0) return { route, filters: NO_FILTERS, admitting: 0, active: NO_ACTIVE };
  const active: ActiveFilter[] = [];
  for (const spec of inPhaseOrder(route.filters)) {
    const kept = before.find((old) => equal(old.spec, spec) && !active.includes(old));
    if (kept !== undefined) {
      active.push(kept);
      continue;
    }
    const filter = createFilter(spec);
    if (typeof filter === 'string') {
      report(filter);
      return { route: denied(route), filters: NO_FILTERS, admitting: 0, active: NO_ACTIVE };
    }
    active.push({ spec, filter });
  }
  return { route, filters: active.map(({ filter }) => filter), admitting: active.filter(({ spec }) => isAdmitting(spec)).length, active };
}

/** The route that answers in place of one whose filters cannot do their work. */
function denied(route: Route): Route {
  return { ...route, filters: [], action: DENIED };
}
