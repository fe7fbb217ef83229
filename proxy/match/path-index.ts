// Path → route within one virtual host: the first route, in the listed order, whose path and conditions hold. Exact paths are
// found by hash, PathPrefix values by a trie of path elements; everything else is tried in order. Nothing is allocated.
import type { MatchInput } from './conditions.ts';
import type { CompiledRoute } from './compiled-route.ts';
import { withoutTrailingSlash } from './conditions.ts';

const SLASH = 47;

/** One path element. Children are found by the hash of their element, so that no substring has to be cut out of the path. */
class Element {
  readonly text: string;
  readonly parent: Element | undefined;
  /** Another element with the same hash under the same parent. */
  readonly sameHash: Element | undefined;
  children: Map<number, Element> | undefined;
  /** Routes whose PathPrefix ends here, in order. */
  routes: CompiledRoute[] | undefined;

  constructor(text: string, parent: Element | undefined, sameHash: Element | undefined) {
    this.text = text;
    this.parent = parent;
    this.sameHash = sameHash;
  }
}

export class PathIndex {
  readonly #exact = new Map<string, CompiledRoute[]>();
  readonly #root = new Element('', undefined, undefined);
  /** Routes that are tried one by one, in order: string prefixes, regular expressions, and whatever ignores case. */
  readonly #others: CompiledRoute[] = [];

  /** `routes` in matching order. */
  constructor(routes: readonly CompiledRoute[]) {
    for (const compiled of routes) {
      const { type, value, ignoreCase } = compiled.route.match.path;
      if (ignoreCase === true || type === 'StringPrefix' || type === 'RegularExpression') this.#others.push(compiled);
      else if (type === 'Exact') this.#addExact(value, compiled);
      else this.#addPrefix(value, compiled);
    }
  }

  #addExact(path: string, compiled: CompiledRoute): void {
    const there = this.#exact.get(path);
    if (there === undefined) this.#exact.set(path, [compiled]);
    else there.push(compiled);
  }

  #addPrefix(value: string, compiled: CompiledRoute): void {
    let element = this.#root;
    const prefix = withoutTrailingSlash(value);
    if (prefix !== '') {
      for (const text of prefix.slice(1).split('/')) element = childNamed(element, text);
    }
    element.routes ??= [];
    element.routes.push(compiled);
  }

  find(request: MatchInput): CompiledRoute | undefined {
    const { path } = request;
    let best = firstHolding(this.#exact.get(path), request, undefined);
    for (let at: Element | undefined = this.#deepest(path); at !== undefined; at = at.parent) best = firstHolding(at.routes, request, best);
    const others = this.#others;
    for (let i = 0; i < others.length; i++) {
      const compiled = others[i] as CompiledRoute;
      if (best !== undefined && best.order < compiled.order) break;
      if (compiled.path.holds(request) && conditionsHold(compiled, request)) return compiled;
    }
    return best;
  }

  /** The longest chain of elements that the path begins with. */
  #deepest(path: string): Element {
    let element = this.#root;
    let start = 1;
    while (start < path.length) {
      const { children } = element;
      if (children === undefined) return element;
      let hash = HASH_START;
      let end = start;
      for (; end < path.length; end++) {
        const code = path.charCodeAt(end);
        if (code === SLASH) break;
        hash = Math.imul(hash ^ code, HASH_FACTOR);
      }
      let child = children.get(hash);
      while (child !== undefined && (child.text.length !== end - start || !path.startsWith(child.text, start))) child = child.sameHash;
      if (child === undefined) return element;
      element = child;
      start = end + 1;
    }
    return element;
  }
}

/** FNV-1a. */
const HASH_START = 0x811c9dc5 | 0;
const HASH_FACTOR = 0x01000193;

function hashOf(text: string): number {
  let hash = HASH_START;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), HASH_FACTOR);
  return hash;
}

function childNamed(parent: Element, text: string): Element {
  parent.children ??= new Map();
  const hash = hashOf(text);
  const first = parent.children.get(hash);
  for (let child = first; child !== undefined; child = child.sameHash) if (child.text === text) return child;
  const child = new Element(text, parent, first);
  parent.children.set(hash, child);
  return child;
}

/** The first of `list` that stands before `best` and whose conditions hold, else `best`. */
function firstHolding(list: readonly CompiledRoute[] | undefined, request: MatchInput, best: CompiledRoute | undefined): CompiledRoute | undefined {
  if (list === undefined) return best;
  for (let i = 0; i < list.length; i++) {
    const compiled = list[i] as CompiledRoute;
    if (best !== undefined && best.order < compiled.order) return best;
    if (conditionsHold(compiled, request)) return compiled;
  }
  return best;
}

function conditionsHold(compiled: CompiledRoute, request: MatchInput): boolean {
  const { conditions } = compiled;
  for (let i = 0; i < conditions.length; i++) if (!(conditions[i] as CompiledRoute['conditions'][number]).holds(request)) return false;
  return true;
}
