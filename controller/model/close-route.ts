// A route that stays where it is and lets nobody in.
import { DENIED } from '../../proxy/table/denied.ts';
import type { RouteIntent } from './translation.ts';

export function closeRoute(route: RouteIntent): RouteIntent {
  return { ...route, filters: [], tlsFilters: [], action: DENIED };
}
