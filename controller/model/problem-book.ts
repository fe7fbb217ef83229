// Every Problem in force, by the unit (an Ingress, a hostname, a cluster) that raised it. What several units say in the
// same words is one Problem, and the list is in the same order whatever order the units came in.
import { originText } from '../../proxy/table/origin.ts';
import type { Problem } from './problem.ts';
import { compareText } from './translation.ts';

interface Entry {
  readonly text: string;
  readonly problem: Problem;
  units: number;
}

export class ProblemBook {
  readonly #units = new Map<string, readonly Entry[]>();
  readonly #entries = new Map<string, Entry>();
  #list: readonly Problem[] | undefined = [];

  /** From now on these are the unit's Problems, and no others. */
  set(unit: string, problems: readonly Problem[]): void {
    const before = this.#units.get(unit);
    if (before === undefined && problems.length === 0) return;
    const now = problems.map((problem) => this.#add(problem));
    for (const entry of before ?? []) this.#release(entry);
    if (now.length === 0) this.#units.delete(unit);
    else this.#units.set(unit, now);
  }

  /** Sorted by origin, then by what is said. The same array as before while nothing changed. */
  list(): readonly Problem[] {
    this.#list ??= [...this.#entries.values()].sort((a, b) => compareText(a.text, b.text)).map(({ problem }) => problem);
    return this.#list;
  }

  #add(problem: Problem): Entry {
    const text = `${originText(problem.origin)} ${problem.reason} ${problem.severity} ${problem.effect} ${problem.message}`;
    let entry = this.#entries.get(text);
    if (entry === undefined) {
      entry = { text, problem, units: 0 };
      this.#entries.set(text, entry);
      this.#list = undefined;
    }
    entry.units += 1;
    return entry;
  }

  #release(entry: Entry): void {
    entry.units -= 1;
    if (entry.units > 0) return;
    this.#entries.delete(entry.text);
    this.#list = undefined;
  }
}
