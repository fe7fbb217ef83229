// Which Secrets and ConfigMaps are wanted, by whom, and so which of them are watched: only those that an Ingress or a flag
// names, each by its name, so that Fairlead can do without the right to list any others.
import type { Ingress } from './objects.ts';
import type { KubeState } from './state.ts';

/** `key`: `namespace/name`. */
export interface ObjectRef {
  readonly kind: 'Secret' | 'ConfigMap';
  readonly key: string;
}

/** What an Ingress names; empty for Ingresses that are not ours. */
export type References = (ingress: Ingress, state: KubeState) => readonly ObjectRef[];

export interface WantedEvents {
  onWanted(ref: ObjectRef): void;
  onUnwanted(ref: ObjectRef): void;
}

/** Counts the users of every name; tells of the first and after the last. */
export class Wanted {
  readonly #events: WantedEvents;
  readonly #users = new Map<string, { readonly ref: ObjectRef; count: number }>();
  readonly #byUser = new Map<string, readonly ObjectRef[]>();

  constructor(events: WantedEvents) {
    this.#events = events;
  }

  /** From now on `user` names exactly these. */
  set(user: string, refs: readonly ObjectRef[]): void {
    const before = this.#byUser.get(user) ?? [];
    if (refs.length === 0) this.#byUser.delete(user);
    else this.#byUser.set(user, refs);
    for (const ref of refs) this.#add(ref);
    for (const ref of before) this.#drop(ref);
  }

  has({ kind, key }: ObjectRef): boolean {
    return this.#users.has(`${kind} ${key}`);
  }

  #add(ref: ObjectRef): void {
    const id = `${ref.kind} ${ref.key}`;
    const known = this.#users.get(id);
    if (known !== undefined) {
      known.count++;
      return;
    }
    this.#users.set(id, { ref, count: 1 });
    this.#events.onWanted(ref);
  }

  #drop(ref: ObjectRef): void {
    const id = `${ref.kind} ${ref.key}`;
    const known = this.#users.get(id);
    if (known === undefined || --known.count > 0) return;
    this.#users.delete(id);
    this.#events.onUnwanted(ref);
  }
}
