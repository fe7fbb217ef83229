// How a group reads the annotations of one Ingress: under both prefixes and by alias, each value through its parser, and
// what is to happen when a value is bad said beside the reading.
import type { Origin } from '../../../proxy/table/origin.ts';
import type { Ingress } from '../../kube/objects.ts';
import type { Problem } from '../../model/problem.ts';
import { seen } from '../../model/seen.ts';
import { ALIASES, KNOWN_ANNOTATIONS } from './known.ts';
import type { Parser } from './values.ts';

/** The first one wins. */
export const PREFIXES = ['fairlead.dev/', 'nginx.ingress.kubernetes.io/'] as const;

/**
 * What a bad value does. `default`: it counts as absent (ingress-nginx: DEF). `deny`: every route of the Ingress answers 503 (DENY; and REJECT too, which
 * would serve the old version until the controller restarts and nothing afterwards: a denied route is the same before and after).
 */
export type IfInvalid = 'default' | 'deny';

export interface Annotations {
  /** The value's meaning; undefined if the annotation is absent or bad. */
  read<T>(name: string, parse: Parser<T>, ifInvalid: IfInvalid): T | undefined;
  /** The same for a group that tells itself what a bad value does. `wrong` is a sentence. */
  look<T>(name: string, parse: Parser<T>): { readonly value: T } | { readonly wrong: string } | undefined;
  /** True: the annotation is there and says something, good or bad. */
  has(name: string): boolean;
  /** Where a name was written, for a group's own Problems. */
  origin(name: string): Origin;
  /** Something is wrong that no parser sees, such as a reference that leads nowhere. */
  report(problem: Problem): void;
}

/** One reading of one Ingress, and what came of it. */
export interface Reading {
  readonly annotations: Annotations;
  readonly problems: readonly Problem[];
  /** True: a Problem says RouteDenied. */
  denied(): boolean;
}

export function readingOf(ingress: Ingress): Reading {
  const problems: Problem[] = [];
  const written = (name: string) => findKey(ingress.metadata.annotations, name);
  const origin = (name: string): Origin => annotationOrigin(ingress, written(name) ?? PREFIXES[0] + name);
  const look: Annotations['look'] = (name, parse) => {
    const key = written(name);
    if (key === undefined) return undefined;
    const text = ingress.metadata.annotations.get(key)!;
    const parsed = parse(text);
    return 'value' in parsed ? parsed : { wrong: `the value ${parsed.wrong}, and it is ${seen(text)}` };
  };
  const annotations: Annotations = {
    read: (name, parse, ifInvalid) => {
      const parsed = look(name, parse);
      if (parsed === undefined || 'value' in parsed) return parsed?.value;
      problems.push({
        severity: ifInvalid === 'deny' ? 'error' : 'warning',
        reason: 'InvalidAnnotation',
        origin: origin(name),
        message: parsed.wrong,
        effect: ifInvalid === 'deny' ? 'RouteDenied' : 'DefaultUsed',
      });
      return undefined;
    },
    look,
    has: (name) => written(name) !== undefined,
    origin,
    report: (problem) => problems.push(problem),
  };
  return { annotations, problems, denied: () => problems.some(({ effect }) => effect === 'RouteDenied') };
}

/** An empty value is none: what stands under the other prefix or alias counts then. */
function findKey(annotations: ReadonlyMap<string, string>, name: string): string | undefined {
  return keysOf(name).find((key) => saysSomething(name, annotations.get(key) ?? ''));
}

/** ingress-nginx trims texts, so that blanks are an empty one. Booleans and numbers it does not trim; and what keeps somebody out must not go for a slip of the keyboard. */
function saysSomething(name: string, value: string): boolean {
  if (value.trim() !== '') return true;
  const known = KNOWN_ANNOTATIONS.get(name);
  return value !== '' && (known?.raw === true || known?.protects !== undefined);
}

const KEYS = new Map<string, readonly string[]>();

/** Every key under which a name may be written, the strongest first. */
function keysOf(name: string): readonly string[] {
  const known = KEYS.get(name);
  if (known !== undefined) return known;
  const names = [name, ...[...ALIASES].filter(([, canonical]) => canonical === name).map(([alias]) => alias)];
  const keys = PREFIXES.flatMap((prefix) => names.map((each) => prefix + each));
  KEYS.set(name, keys);
  return keys;
}

export function annotationOrigin({ metadata }: Ingress, key: string): Origin {
  return { kind: 'Ingress', namespace: metadata.namespace, name: metadata.name, field: `metadata.annotations[${key}]` };
}
