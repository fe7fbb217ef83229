// Which Problems still have to be told as Events: each once for as long as it lasts, a few per object, so that one bad object
// cannot drown the others, and not again at once if it comes and goes. An object that was made anew under the same name is another
// one: nobody who looks at it sees the Events of the one before. Pure but for the clock that it is given.
import { createHash } from 'node:crypto';
import { originText } from '../../proxy/table/origin.ts';
import type { Problem } from '../model/problem.ts';

/** Events about one object at the same time; the rest is on the admin port. */
const MAX_PER_OBJECT = 5;
/** A Problem that comes back within this time is not told again. */
const QUIET_MS = 300_000;

export interface DueEvent {
  /** The same for the same Problem, on every replica and after every restart: this is how repetitions are recognised. */
  readonly id: string;
  readonly problem: Problem;
}

export class EventBook {
  readonly #waiting = new Map<string, Problem>();
  #inForce: ReadonlySet<string> = new Set();
  #known: readonly Problem[] | undefined;
  /** When each was told, for those that are in force and those that are still fresh in memory. */
  readonly #toldAt = new Map<string, number>();
  /** Problems are the same values for as long as nothing about them changes. */
  readonly #ids = new WeakMap<Problem, { readonly uid: string; readonly id: string }>();

  get waiting(): number {
    return this.#waiting.size;
  }

  /** These are all Problems now. `uidOf`: of the object that a Problem is about; empty: Events cannot be about it. */
  update(problems: readonly Problem[], uidOf: (problem: Problem) => string, now: number): void {
    if (problems === this.#known) return;
    this.#known = problems;
    const perObject = new Map<string, number>();
    const inForce = new Set<string>();
    for (const problem of problems) {
      const uid = uidOf(problem);
      if (uid === '') continue;
      const object = originText({ kind: problem.origin.kind, namespace: problem.origin.namespace, name: problem.origin.name });
      const count = (perObject.get(object) ?? 0) + 1;
      perObject.set(object, count);
      if (count > MAX_PER_OBJECT) continue;
      const id = this.#idOf(problem, uid);
      inForce.add(id);
      if (!this.#toldAt.has(id)) this.#waiting.set(id, problem);
    }
    for (const id of this.#waiting.keys()) if (!inForce.has(id)) this.#waiting.delete(id);
    for (const [id, at] of this.#toldAt) if (!inForce.has(id) && !this.#inForce.has(id) && now - at > QUIET_MS) this.#toldAt.delete(id);
    this.#inForce = inForce;
  }

  /** True: there is one that may be told. */
  isDue(may: (problem: Problem) => boolean): boolean {
    for (const problem of this.#waiting.values()) if (may(problem)) return true;
    return false;
  }

  /** Of those that may be told, the one that has waited longest; it counts as told from now on, until `again`. */
  next(now: number, may: (problem: Problem) => boolean): DueEvent | undefined {
    for (const [id, problem] of this.#waiting) {
      if (!may(problem)) continue;
      this.#waiting.delete(id);
      this.#toldAt.set(id, now);
      return { id, problem };
    }
    return undefined;
  }

  /** It could not be told after all. */
  again({ id, problem }: DueEvent): void {
    this.#toldAt.delete(id);
    if (this.#inForce.has(id)) this.#waiting.set(id, problem);
  }

  #idOf(problem: Problem, uid: string): string {
    const known = this.#ids.get(problem);
    if (known?.uid === uid) return known.id;
    const { origin, reason, message } = problem;
    const id = createHash('sha256').update(`${originText(origin)}\0${uid}\0${reason}\0${message}`).digest('hex').slice(0, 16);
    this.#ids.set(problem, { uid, id });
    return id;
  }
}
