// Which Ingresses are ours. The rules are those of https://kubernetes.io/docs/concepts/services-networking/ingress/#ingress-class:
// the field names an IngressClass, the class names its controller; the older annotation counts only where the field is unset.
import type { Ingress, IngressClass } from '../../kube/objects.ts';

export interface ClassSettings {
  /** `spec.controller` of the IngressClasses that are ours. */
  readonly controllerClass: string;
  /** Accepted value of the annotation `kubernetes.io/ingress.class`; and a class name, see `isOurs`. */
  readonly ingressClass: string;
  readonly watchIngressWithoutClass: boolean;
}

/** What the IngressClass objects amount to. */
export interface OurClasses {
  readonly names: ReadonlySet<string>;
  /** One of ours is marked as the default class. */
  readonly hasDefault: boolean;
  /** No IngressClass object exists, ours or foreign. */
  readonly none: boolean;
}

export function ourClasses(classes: Iterable<IngressClass>, settings: ClassSettings): OurClasses {
  const all = [...classes];
  const ours = all.filter(({ controller }) => controller === settings.controllerClass);
  return {
    names: new Set(ours.map(({ metadata }) => metadata.name)),
    hasDefault: ours.some(({ metadata }) => metadata.annotations.get('ingressclass.kubernetes.io/is-default-class') === 'true'),
    none: all.length === 0,
  };
}

/**
 * An Ingress of another class is none of our business, so this raises no Problem.
 * A folder of manifests often holds no IngressClass: then, and only then, the class name alone decides.
 */
export function isOurs({ ingressClassName, metadata }: Ingress, classes: OurClasses, settings: ClassSettings): boolean {
  if (ingressClassName !== undefined && ingressClassName !== '') {
    return classes.names.has(ingressClassName) || (classes.none && ingressClassName === settings.ingressClass);
  }
  const annotation = metadata.annotations.get('kubernetes.io/ingress.class');
  if (annotation !== undefined && annotation !== '') return annotation === settings.ingressClass;
  return classes.hasDefault || settings.watchIngressWithoutClass;
}

/** One line about the Ingresses that are not ours, for a person who wonders why they are not served; undefined: all are ours. */
export function othersText(ingresses: Iterable<Ingress>, classes: Iterable<IngressClass>, settings: ClassSettings): string | undefined {
  const ours = ourClasses(classes, settings);
  const others = [...ingresses].filter((ingress) => !isOurs(ingress, ours, settings));
  if (others.length === 0) return undefined;
  const names = new Set(others.map(({ ingressClassName, metadata }) => ingressClassName || metadata.annotations.get('kubernetes.io/ingress.class') || 'none'));
  const shown = [...names].sort().slice(0, 5).map((name) => JSON.stringify(name)).join(', ');
  return `${others.length} ${others.length === 1 ? 'Ingress is' : 'Ingresses are'} of another class (${shown}${names.size > 5 ? ', …' : ''}) and not served; see --controller-class and --ingress-class`;
}

/** True: every Ingress is judged alike under both. */
export function sameClasses(a: OurClasses, b: OurClasses): boolean {
  return a.none === b.none && a.hasDefault === b.hasDefault && a.names.size === b.names.size && a.names.isSubsetOf(b.names);
}
