// Which file an object is taken from. The same object may stand in several files, and may be broken in one of them: the first
// place by path order owns it, and a place whose version is broken goes on with the last good one. This is the only writer of
// the store, so that every Change is found here.
import { isDeepStrictEqual } from 'node:util';
import type { Problem } from '../model/problem.ts';
import type { Ingress, Kind, KubeObject } from '../kube/objects.ts';
import type { Change, KubeStore } from '../kube/state.ts';

/** One object at one place of one file. */
export interface Claim {
  readonly kind: Kind;
  readonly key: string;
  /** What places are ordered by: the file's rank, then the place in it. */
  readonly rank: string;
  readonly index: number;
  /** The file, for messages. */
  readonly file: string;
  /** Undefined: what is written there does not decode. */
  readonly object: KubeObject | undefined;
  readonly problems: readonly Problem[];
  /** Of an Ingress that does not decode. */
  readonly remains?: Ingress | undefined;
}

export class Claims<C extends Claim> {
  readonly #store: KubeStore;
  readonly #claims = new Map<string, C[]>();
  /** Objects that more than one place claims. */
  readonly #contested = new Set<string>();

  constructor(store: KubeStore) {
    this.#store = store;
  }

  /** Replaces claims of files by others, and puts what follows from it into the store. */
  replace(old: readonly C[], fresh: readonly C[]): readonly Change[] {
    const touched = new Map<string, C>();
    for (const claim of old) {
      const id = idOf(claim.kind, claim.key);
      this.#set(id, (this.#claims.get(id) ?? []).filter((other) => other !== claim));
      touched.set(id, claim);
    }
    for (const claim of fresh) {
      const id = idOf(claim.kind, claim.key);
      this.#set(id, [...(this.#claims.get(id) ?? []), claim].toSorted(inOrder));
      touched.set(id, claim);
    }
    const changes: Change[] = [];
    for (const [id, { kind, key }] of touched) {
      const change = this.#settle(id, kind, key);
      if (change !== undefined) changes.push(change);
    }
    return changes;
  }

  /** The place that owns an object. */
  owner(kind: string, key: string): C | undefined {
    return this.#claims.get(idOf(kind, key))?.[0];
  }

  /** True: an object is in force for this claim, though what is written there does not decode. */
  servesLastGood(claim: C): boolean {
    return claim.object === undefined && this.owner(claim.kind, claim.key) === claim && this.#store.objects[claim.kind].has(claim.key);
  }

  /** The places that lost an object to another one, and that other one. */
  *losers(): Iterable<{ readonly claim: C; readonly winner: C; readonly identical: boolean }> {
    for (const id of this.#contested) {
      const [first, ...others] = this.#claims.get(id) ?? [];
      if (first === undefined) continue;
      const inForce = this.#store.objects[first.kind].get(first.key);
      for (const claim of others) {
        if (claim.object === undefined || claim.object === inForce) continue;
        yield { claim, winner: first, identical: isDeepStrictEqual(claim.object, inForce) };
      }
    }
  }

  #set(id: string, claims: C[]): void {
    if (claims.length === 0) this.#claims.delete(id);
    else this.#claims.set(id, claims);
    if (claims.length > 1) this.#contested.add(id);
    else this.#contested.delete(id);
  }

  #settle(id: string, kind: Kind, key: string): Change | undefined {
    const claims = this.#claims.get(id);
    if (claims === undefined) return this.#store.remove(kind, key);
    const current = this.#store.objects[kind].get(key);
    const next = claims[0]?.object ?? current ?? claims.find((claim) => claim.object !== undefined)?.object;
    // An equal object keeps its identity, by which others remember what they made of it.
    if (next === undefined) return this.#store.refuse(kind, key, claims[0]!.problems, claims[0]!.remains);
    if (next === current || isDeepStrictEqual(next, current)) return undefined;
    return this.#store.put(next);
  }
}

function idOf(kind: string, key: string): string {
  return `${kind} ${key}`;
}

function inOrder(a: Claim, b: Claim): number {
  return a.rank < b.rank ? -1 : a.rank > b.rank ? 1 : a.index - b.index;
}
