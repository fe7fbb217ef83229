// Tells the log about Problems: each one when it appears and when it is gone, not with every table that still has it.
import { originText } from '../proxy/table/origin.ts';
import type { Log } from './log.ts';
import type { Problem } from './model/problem.ts';
import type { Locate } from './report.ts';

/** Lines per change; a folder full of mistakes must not drown the log. The admin port has them all. */
const MAX_LINES = 20;

export class ProblemLog {
  readonly #log: Log;
  readonly #locate: Locate;
  #known: ReadonlyMap<string, Problem> = new Map();

  constructor(log: Log, locate: Locate) {
    this.#log = log;
    this.#locate = locate;
  }

  /** All Problems that there are now. */
  update(problems: readonly Problem[]): void {
    const now = new Map(problems.map((problem) => [keyOf(problem), problem]));
    const added = [...now].filter(([key]) => !this.#known.has(key)).map(([, problem]) => problem);
    const gone = [...this.#known].filter(([key]) => !now.has(key)).map(([, problem]) => problem);
    this.#known = now;
    for (const problem of added.slice(0, MAX_LINES)) {
      this.#log[problem.severity === 'error' ? 'error' : 'warn'](this.#fields(problem), problem.message);
    }
    for (const problem of gone.slice(0, MAX_LINES)) this.#log.info(this.#fields(problem), `no longer: ${problem.message}`);
    const silent = Math.max(0, added.length - MAX_LINES) + Math.max(0, gone.length - MAX_LINES);
    if (silent > 0) this.#log.warn({ count: silent }, 'more problems came or went: see /problems on the admin port');
  }

  #fields(problem: Problem): object {
    return { reason: problem.reason, object: originText(problem.origin), ...this.#locate(problem.origin), effect: problem.effect, hint: problem.hint };
  }
}

function keyOf(problem: Problem): string {
  return [problem.severity, problem.reason, originText(problem.origin), problem.message].join('\u0000');
}
