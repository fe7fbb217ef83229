// What is left when code throws that never should. It is a bug, but one object's bug: the Problem says so, and everything
// else goes on.
import type { Origin } from '../../proxy/table/origin.ts';
import type { Effect, Problem } from './problem.ts';
import { seen } from './seen.ts';

export function internalError(origin: Origin, error: unknown, effect: Effect): Problem {
  return {
    severity: 'error',
    reason: 'InternalError',
    origin,
    message: `this is a bug in Fairlead: ${seen(error instanceof Error ? error.message : String(error))}`,
    effect,
  };
}
