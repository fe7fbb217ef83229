// Lists in pages: the first page fixes the revision that all pages of the list show, and a continue token leads from page
// to page until the past is compacted. https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks
import { badRequest, expired } from './failure.ts';
import type { Stored } from './store.ts';

export interface Page {
  readonly items: readonly Stored[];
  readonly revision: number;
  /** Empty: this was the last one. */
  readonly next: string;
  readonly remaining: number;
}

interface Rest {
  readonly items: readonly Stored[];
  readonly revision: number;
}

export class Pages {
  readonly #rests = new Map<string, Rest>();
  #count = 0;

  /** `limit` 0: everything at once. */
  first(items: readonly Stored[], revision: number, limit: number): Page {
    return this.#page({ items, revision }, limit);
  }

  following(token: string, limit: number): Page {
    const rest = this.#rests.get(token);
    if (rest === undefined) {
      if (!/^page-\d+$/.test(token)) throw badRequest('continue key is not valid');
      throw expired('The provided continue parameter is too old to display a consistent list result. You must start a new list without the continue parameter.');
    }
    return this.#page(rest, limit);
  }

  /** Every token given out so far leads to 410. */
  expire(): void {
    this.#rests.clear();
  }

  #page({ items, revision }: Rest, limit: number): Page {
    if (limit === 0 || items.length <= limit) return { items, revision, next: '', remaining: 0 };
    const next = `page-${++this.#count}`;
    const left = items.slice(limit);
    this.#rests.set(next, { items: left, revision });
    return { items: items.slice(0, limit), revision, next, remaining: left.length };
  }
}
