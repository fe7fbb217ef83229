// A reverse index: which users depend on a thing (Service → hostnames that route to it), kept up to date by telling it
// what each user depends on now. It is what makes the cost of a run follow the change instead of the table.

export class Dependents {
  readonly #users = new Map<string, Set<string>>();
  readonly #things = new Map<string, ReadonlySet<string>>();

  /** From now on `user` depends on exactly these things. */
  set(user: string, things: ReadonlySet<string>): void {
    const before = this.#things.get(user);
    if (before !== undefined) {
      for (const thing of before) if (!things.has(thing)) this.#drop(thing, user);
    }
    for (const thing of things) {
      if (before?.has(thing) === true) continue;
      const users = this.#users.get(thing);
      if (users === undefined) this.#users.set(thing, new Set([user]));
      else users.add(user);
    }
    if (things.size === 0) this.#things.delete(user);
    else this.#things.set(user, things);
  }

  thingsOf(user: string): ReadonlySet<string> {
    return this.#things.get(user) ?? NONE;
  }

  usersOf(thing: string): ReadonlySet<string> {
    return this.#users.get(thing) ?? NONE;
  }

  /** Every thing that has a user. */
  things(): Iterable<string> {
    return this.#users.keys();
  }

  #drop(thing: string, user: string): void {
    const users = this.#users.get(thing);
    users?.delete(user);
    if (users?.size === 0) this.#users.delete(thing);
  }
}

const NONE: ReadonlySet<string> = new Set();
