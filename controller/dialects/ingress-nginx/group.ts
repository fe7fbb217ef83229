// The seam for annotations: a group is one file that reads a few of them together and changes the Translation of their
// Ingress. Adding one is writing that file and naming it in groups.ts; nothing else has to know.
import type { RouteIntent, Translation } from '../../model/translation.ts';
import type { Annotations } from './annotations.ts';

export interface AnnotationGroup {
  /** ingress-nginx's name for the group, as its documentation and its risk gate have it. */
  readonly name: string;
  /** The annotations that it reads, without prefix: these are the supported ones. */
  readonly reads: readonly string[];
  /** Called for every Ingress, for defaults count too. Undefined: nothing is to be changed. */
  effect(annotations: Annotations): TranslationEffect | undefined;
}

export type TranslationEffect = (translation: Translation) => Translation;

/** The same change to every route of every host, default backends included: what an annotation of `location` scope does. */
export function onEveryRoute(change: (route: RouteIntent) => RouteIntent): TranslationEffect {
  return (translation) => ({
    ...translation,
    hosts: translation.hosts.map((host) => ({ ...host, routes: host.routes.map(change), fallback: change(host.fallback) })),
  });
}
