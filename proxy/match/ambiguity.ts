// Paths that are one route's as they are written, and another one's as an endpoint may read them: whichever of the two is a gate,
// the other way would lead past it. Routes that do the same are no gate to each other. The data plane and explain ask this one function.
import type { Request } from '../http/exchange.ts';
import { NO_READINGS, mayBeTakenApart, otherReadings } from '../http/readings.ts';
import type { PathMatch, Route } from '../table/route.ts';
import type { CompiledRoute, RoutingTable } from './compile.ts';
import type { MatchInput } from './conditions.ts';

export interface Ambiguity {
  /** The reading that leads elsewhere. */
  readonly path: string;
  /** Undefined: to no route. */
  readonly compiled: CompiledRoute | undefined;
}

/** `written`: what `RoutingTable.match` gives. What the route itself spells out is meant as it stands; only what comes behind it may be another route's. */
export function ambiguity(table: RoutingTable, listener: string, request: MatchInput & Pick<Request, 'otherPaths'>, written: CompiledRoute): Ambiguity | undefined {
  for (const path of readingsBehind(written.route.match.path, request)) {
    const compiled = table.match(listener, { ...request, path });
    if (compiled !== written && (compiled === undefined || !doTheSame(compiled.route, written.route))) return { path, compiled };
  }
  return undefined;
}

/** The other readings of a request's path, in all of which the route's own value is as it is written. */
function readingsBehind({ type, value }: PathMatch, { path, otherPaths }: Pick<Request, 'path' | 'otherPaths'>): readonly string[] {
  if (type === 'Exact') return NO_READINGS;
  if (type === 'RegularExpression' || !mayBeTakenApart(value)) return otherPaths;
  const spelled = path.slice(0, value.endsWith('/') ? value.length - 1 : value.length);
  return (otherReadings(path.slice(spelled.length)) ?? otherPaths).map((rest) => spelled + rest);
}

/** But for the path that a session's cookie comes back to: `/orders;jsessionid=1` is the same application's as `/orders`, if both rules say so. */
function doTheSame(a: Route, b: Route): boolean {
  return whatIsDone(a) === whatIsDone(b);
}

function whatIsDone({ filters, action }: Route): string {
  return JSON.stringify([filters, { ...action, sessionPath: '' }]);
}
