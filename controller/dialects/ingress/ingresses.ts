// All Ingresses that are ours, each with its Translation, and who contributes to which hostname. Told what changed, it
// says which hostnames have to be assembled again.
import type { Ingress, Refused } from '../../kube/objects.ts';
import type { KubeState } from '../../kube/state.ts';
import type { Contribution } from '../../model/assemble.ts';
import { internalError } from '../../model/internal-error.ts';
import type { ProblemBook } from '../../model/problem-book.ts';
import type { Translation } from '../../model/translation.ts';
import type { Upstreams } from '../../model/upstreams.ts';
import { isOurs, ourClasses, sameClasses } from './classes.ts';
import type { ClassSettings, OurClasses } from './classes.ts';

/** `refused`: why the Ingress is not taken; then it is what remains of it. Gives the same for the same object. */
type Translate = (ingress: Ingress, refused: string | undefined) => Translation;

export class Ingresses {
  readonly #settings: ClassSettings;
  readonly #problems: ProblemBook;
  readonly #upstreams: Upstreams;
  readonly #translateOne: Translate;
  #classes: OurClasses | undefined;
  /** Remembered for as long as the object exists: objects are replaced, never changed. */
  readonly #remembered = new WeakMap<Ingress, Translation>();
  readonly #translations = new Map<string, Translation>();
  readonly #contributions = new Map<string, Map<string, Contribution>>();

  constructor(settings: ClassSettings, problems: ProblemBook, upstreams: Upstreams, translate: Translate) {
    this.#settings = settings;
    this.#problems = problems;
    this.#upstreams = upstreams;
    this.#translateOne = translate;
  }

  /** `changed`: keys of Ingresses; undefined: any may have. Returns the hostnames whose contributions changed. */
  update(state: KubeState, changed: ReadonlySet<string> | undefined, classesChanged: boolean): Set<string> {
    const hostnames = new Set<string>();
    const keys = this.#updateClasses(state, classesChanged) || changed === undefined ? this.#allKeys(state) : changed;
    for (const key of keys) {
      const { refused, remains }: Partial<Refused> = state.refused.Ingress.get(key) ?? {};
      const ingress = state.objects.Ingress.get(key) ?? remains;
      this.#replace(key, ingress !== undefined && isOurs(ingress, this.#classes!, this.#settings) ? this.#translate(ingress, refused) : undefined, hostnames);
    }
    return hostnames;
  }

  /** Who wants something of this hostname; empty: nobody. */
  contributions(hostname: string): readonly Contribution[] {
    return [...(this.#contributions.get(hostname)?.values() ?? [])];
  }

  /** Of which somebody wants something. */
  hostnames(): Iterable<string> {
    return this.#contributions.keys();
  }

  /** True: every Ingress has to be judged again. */
  #updateClasses(state: KubeState, classesChanged: boolean): boolean {
    if (this.#classes !== undefined && !classesChanged) return false;
    const before = this.#classes;
    this.#classes = ourClasses(state.objects.IngressClass.values(), this.#settings);
    return before === undefined || !sameClasses(before, this.#classes);
  }

  #allKeys(state: KubeState): ReadonlySet<string> {
    return new Set([...state.objects.Ingress.keys(), ...state.refused.Ingress.keys(), ...this.#translations.keys()]);
  }

  #translate(ingress: Ingress, refused: string | undefined): Translation {
    let translation = this.#remembered.get(ingress);
    if (translation === undefined) {
      translation = this.#translateGuarded(ingress, refused);
      this.#remembered.set(ingress, translation);
    }
    return translation;
  }

  #translateGuarded(ingress: Ingress, refused: string | undefined): Translation {
    try {
      return this.#translateOne(ingress, refused);
    } catch (error) {
      const origin = { kind: 'Ingress', namespace: ingress.metadata.namespace, name: ingress.metadata.name };
      return { origin, createdAt: Infinity, hosts: [], tls: [], problems: [internalError(origin, error, 'ObjectRefused')] };
    }
  }

  #replace(key: string, translation: Translation | undefined, hostnames: Set<string>): void {
    const before = this.#translations.get(key);
    if (before === translation) return;
    this.#problems.set(`Ingress ${key}`, translation?.problems ?? []);
    this.#upstreams.replace(`Ingress ${key}`, translation);
    for (const { hostname } of before?.hosts ?? []) {
      hostnames.add(hostname);
      const contributions = this.#contributions.get(hostname);
      contributions?.delete(key);
      if (contributions?.size === 0) this.#contributions.delete(hostname);
    }
    for (const intent of translation?.hosts ?? []) {
      hostnames.add(intent.hostname);
      let contributions = this.#contributions.get(intent.hostname);
      if (contributions === undefined) {
        contributions = new Map();
        this.#contributions.set(intent.hostname, contributions);
      }
      contributions.set(key, { translation: translation!, intent });
    }
    if (translation === undefined) this.#translations.delete(key);
    else this.#translations.set(key, translation);
  }
}
