// What goes wrong on command. A rule says which requests it hits, how often, and what happens to them; everything that it
// does not hit is served as usual.
import type { Verb } from './access.ts';

export type FaultAction =
  /** An answer of this status instead of the real one. */
  | { readonly type: 'status'; readonly code: number; readonly retryAfterSeconds?: number }
  /** The connection is reset before anything is answered. */
  | { readonly type: 'reset' }
  /** Nothing is ever answered, and the connection stays open. */
  | { readonly type: 'hang' }
  /** A list with only the first `keep` items, as a complete one. */
  | { readonly type: 'shortList'; readonly keep: number }
  /** A list answer that ends in the middle of its bytes, with the connection closed. */
  | { readonly type: 'cutList' }
  | WatchFault;

/** Faults inside a watch that has been answered with 200. Those with `after` let that many events through first. */
export type WatchFault =
  /** An ERROR event with 410, as a watch that resumes from too old a version gets it. */
  | { readonly type: 'goneEvent' }
  | { readonly type: 'errorEvent'; readonly code: number; readonly after: number }
  | { readonly type: 'badLine'; readonly after: number }
  | { readonly type: 'resetWatch'; readonly after: number }
  /** No byte is sent any more, and the connection stays open. */
  | { readonly type: 'stall'; readonly after: number }
  /** Events are held back and sent in groups of `size` in reverse order. */
  | { readonly type: 'reverse'; readonly size: number }
  | { readonly type: 'duplicate' }
  /** It ends as agreed before a word is said. */
  | { readonly type: 'endsAtOnce' }
  | { readonly type: 'bookmarksOnly' };

export interface FaultRule {
  /** Absent: any. */
  readonly verb?: Verb;
  /** Plural; absent: any. */
  readonly resource?: string;
  readonly user?: string;
  /** How often it strikes; absent: until it is removed. */
  readonly times?: number;
  readonly action: FaultAction;
}

/** A rule at work. */
export interface Fault {
  /** How often it struck. */
  readonly hits: number;
  remove(): void;
}

export class Faults {
  readonly #active = new Set<{ readonly rule: FaultRule; hits: number }>();
  /** How often any of them struck since the start. */
  hits = 0;

  add(rule: FaultRule): Fault {
    const fault = { rule, hits: 0, remove: (): void => void this.#active.delete(fault) };
    this.#active.add(fault);
    return fault;
  }

  clear(): void {
    this.#active.clear();
  }

  /** What happens to this request, if anything does. */
  strike(verb: Verb, resource: string, user: string): FaultAction | undefined {
    for (const fault of this.#active) {
      const { rule } = fault;
      if ((rule.verb ?? verb) !== verb || (rule.resource ?? resource) !== resource || (rule.user ?? user) !== user) continue;
      fault.hits++;
      this.hits++;
      if (rule.times !== undefined && fault.hits >= rule.times) this.#active.delete(fault);
      return rule.action;
    }
    return undefined;
  }
}
