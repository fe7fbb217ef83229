// Path → route within one virtual host: the first route, in the listed order, whose path and conditions hold. Exact paths and
// PathPrefix values stand in one hash table, which is asked once per path element while the path is hashed from left to
// right; everything else is tried in order. Cost follows the length of the path, not the number of routes; nothing is allocated.
import type { CompiledRoute } from './compiled-route.ts';
import { withoutTrailingSlash } from './conditions.ts';
import type { MatchInput } from './conditions.ts';
import { HASH_START, hashOf, hashStep } from './hash.ts';

const SLASH = 47;

/** What stands at one path. */
interface Place {
  readonly path: string;
  /** Routes whose Exact value this is. */
  exact: CompiledRoute | undefined;
  /** Routes whose PathPrefix value this is, without trailing slash. */
  prefix: CompiledRoute | undefined;
  /** Another path with the same hash. */
  readonly next: Place | undefined;
}

/** Routes of one place hang together by `CompiledRoute.next`, in matching order: a list would be two more places in memory to go to. */
export class PathIndex {
  readonly #places = new Map<number, Place>();
  /** Length of the longest path in `#places`: no longer part of a request's path has to be looked at. */
  #longest = 0;
  /** PathPrefix `/`. */
  #root: CompiledRoute | undefined;
  #rootOrder = Number.POSITIVE_INFINITY;
  /** Routes that are tried one by one: string prefixes, regular expressions, and whatever ignores case. */
  #others: CompiledRoute | undefined;
  #othersOrder = Number.POSITIVE_INFINITY;

  /** `routes` in matching order; each of them can be in one index only. */
  constructor(routes: readonly CompiledRoute[]) {
    // From the last to the first, so that each is put before those that are tried after it.
    for (let at = routes.length - 1; at >= 0; at--) this.#add(routes[at] as CompiledRoute);
  }

  #add(compiled: CompiledRoute): void {
    const { type, value, ignoreCase } = compiled.route.match.path;
    if (ignoreCase === true || type === 'StringPrefix' || type === 'RegularExpression') {
      compiled.next = this.#others;
      this.#others = compiled;
      this.#othersOrder = compiled.order;
    } else if (type === 'Exact') {
      const place = this.#place(value);
      compiled.next = place.exact;
      place.exact = compiled;
    } else if (value === '/') {
      compiled.next = this.#root;
      this.#root = compiled;
      this.#rootOrder = compiled.order;
    } else {
      const place = this.#place(withoutTrailingSlash(value));
      compiled.next = place.prefix;
      place.prefix = compiled;
    }
  }

  #place(path: string): Place {
    const hash = hashOf(path);
    const there = samePath(this.#places.get(hash), path, path.length);
    if (there !== undefined) return there;
    const place: Place = { path, exact: undefined, prefix: undefined, next: this.#places.get(hash) };
    this.#places.set(hash, place);
    if (path.length > this.#longest) this.#longest = path.length;
    return place;
  }

  find(request: MatchInput): CompiledRoute | undefined {
    const { path } = request;
    const places = this.#places;
    const { length } = path;
    const end = length > this.#longest ? this.#longest + 1 : length;
    let best: CompiledRoute | undefined;
    let hash = HASH_START;
    for (let at = 0; at < end; at++) {
      const code = path.charCodeAt(at);
      if (code === SLASH && at > 0) {
        const place = samePath(places.get(hash), path, at);
        if (place !== undefined) best = firstHolding(place.prefix, request, best);
      }
      hash = hashStep(hash, code);
    }
    if (end === length) {
      const place = samePath(places.get(hash), path, length);
      if (place !== undefined) best = firstHolding(place.exact, request, firstHolding(place.prefix, request, best));
    }
    if (best === undefined || best.order > this.#rootOrder) best = firstHolding(this.#root, request, best);
    if (best === undefined || best.order > this.#othersOrder) best = firstHoldingPath(this.#others, request, best);
    return best;
  }
}

/** Of a chain, the place whose path is the first `length` characters of `path`. */
function samePath(chain: Place | undefined, path: string, length: number): Place | undefined {
  let place = chain;
  while (place !== undefined && (place.path.length !== length || !path.startsWith(place.path))) place = place.next;
  return place;
}

/** The first of the chain that stands before `best` and whose conditions hold, else `best`. */
function firstHolding(chain: CompiledRoute | undefined, request: MatchInput, best: CompiledRoute | undefined): CompiledRoute | undefined {
  for (let compiled = chain; compiled !== undefined; compiled = compiled.next) {
    if (best !== undefined && best.order < compiled.order) return best;
    if (conditionsHold(compiled, request)) return compiled;
  }
  return best;
}

/** As `firstHolding`, for routes whose path has yet to be tried. */
function firstHoldingPath(chain: CompiledRoute | undefined, request: MatchInput, best: CompiledRoute | undefined): CompiledRoute | undefined {
  for (let compiled = chain; compiled !== undefined; compiled = compiled.next) {
    if (best !== undefined && best.order < compiled.order) return best;
    if (compiled.path.holds(request) && conditionsHold(compiled, request)) return compiled;
  }
  return best;
}

function conditionsHold(compiled: CompiledRoute, request: MatchInput): boolean {
  const { conditions } = compiled;
  for (let i = 0; i < conditions.length; i++) if (!(conditions[i] as CompiledRoute['conditions'][number]).holds(request)) return false;
  return true;
}
