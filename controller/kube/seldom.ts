// What goes on and on is told the first time and then once a minute, with how often it was left out: a right that is missing
// for a day must not fill a log.

const REPEAT_MS = 60_000;

export class Seldom {
  readonly #last = new Map<string, { readonly at: number; silent: number }>();

  /** What to add to the line about `what`; undefined: it was told less than a minute ago, and this time is counted. */
  pass(what: string, now: number = performance.now()): { readonly again?: number } | undefined {
    const last = this.#last.get(what);
    if (last !== undefined && now - last.at < REPEAT_MS) {
      last.silent++;
      return undefined;
    }
    this.#last.set(what, { at: now, silent: 0 });
    return last === undefined || last.silent === 0 ? {} : { again: last.silent };
  }
}
