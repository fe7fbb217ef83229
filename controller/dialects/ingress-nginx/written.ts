// The annotations of an Ingress that stand under our prefixes, and what each means as it is written, whether any group reads it or not.
import type { Ingress } from '../../kube/objects.ts';
import { PREFIXES } from './annotations.ts';
import { formerlyProtected } from './former.ts';
import { ALIASES, KNOWN_ANNOTATIONS } from './known.ts';
import type { KnownAnnotation } from './known.ts';
import { FALSE } from './values.ts';

export interface WrittenAnnotation {
  readonly key: string;
  /** Without prefix, as it was written: perhaps an alias. */
  readonly name: string;
  /** What that stands for. */
  readonly canonical: string;
  readonly known: KnownAnnotation | undefined;
  /** With this value it keeps somebody out. */
  readonly protects: boolean;
  /** With this value its Ingress is none on its own. */
  readonly notAlone: boolean;
}

/** How a Problem says that it protects, and whose routes are closed in its place: those of its Ingress, or all of its hosts (`others` says which). */
export function protection({ name, known }: WrittenAnnotation) {
  const does = `${name.endsWith('-snippet') ? 'may restrict' : 'restricts'} access`;
  if (known?.wholeHost !== true) return { does, effect: 'RouteDenied' } as const;
  return { does, effect: 'HostClosed', others: 'those of other Ingresses too unless the host belongs to another namespace' } as const;
}

export function written({ metadata }: Ingress): readonly WrittenAnnotation[] {
  return [...metadata.annotations].flatMap(([key, value]) => {
    const prefix = PREFIXES.find((each) => key.startsWith(each));
    if (prefix === undefined) return [];
    const name = key.slice(prefix.length);
    const canonical = ALIASES.get(name) ?? name;
    const known = KNOWN_ANNOTATIONS.get(canonical);
    // Blanks are no number: ingress-nginx refuses the Ingress, and serves it without limit for `0` and nothing alone.
    const trimmed = value.trim() === '' && (known === undefined || known.raw === true) ? value : value.trim();
    const protects = known === undefined ? formerlyProtected(name, trimmed) : known.protects?.(trimmed) === true;
    return [{ key, name, canonical, known, protects, notAlone: known?.notAlone === true && value !== '' && !FALSE.includes(value) }];
  });
}
