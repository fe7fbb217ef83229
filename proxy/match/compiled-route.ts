// A route ready to be matched and run.
import type { Filter } from '../filters/define.ts';
import type { ActiveFilter } from '../filters/registry.ts';
import type { Route, VirtualHost } from '../table/route.ts';
import type { Condition } from './conditions.ts';

export interface CompiledRoute {
  readonly route: Route;
  readonly virtualHost: VirtualHost;
  /** In the order in which they run. */
  readonly filters: readonly Filter[];
  /** How many of them are of the first phase. */
  readonly admitting: number;
  /** Place in the virtual host's list. */
  readonly order: number;
  readonly path: Condition;
  /** All but the path. */
  readonly conditions: readonly Condition[];
  /** `filters` with their configuration: what a later table may take over. */
  readonly active: readonly ActiveFilter[];
  /** The index's own: the route that is tried after this one at the same place. */
  next: CompiledRoute | undefined;
}
