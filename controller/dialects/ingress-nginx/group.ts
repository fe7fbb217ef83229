// The seam for annotations: a group is one file that reads a few of them together and changes the Translation of their
// Ingress. Adding one is writing that file and naming it in groups.ts; nothing else has to know.
import type { BackendRef, ForwardIntent, RouteIntent, Translation } from '../../model/translation.ts';
import type { Annotations } from './annotations.ts';

export interface AnnotationGroup {
  /** ingress-nginx's name for the group, as its documentation and its risk gate have it. */
  readonly name: string;
  /** The annotations that it reads, without prefix: what no group reads is told to be unsupported. */
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

/** The same change to what every route that forwards does. */
export function onEveryForward(change: (action: ForwardIntent, route: RouteIntent) => ForwardIntent): TranslationEffect {
  return onEveryRoute((route) => (route.action.type === 'Forward' ? { ...route, action: change(route.action, route) } : route));
}

/** The same additions to what every route that forwards does. */
export function withSettings(settings: ForwardIntent['settings']): TranslationEffect {
  return onEveryForward((action) => ({ ...action, settings: { ...action.settings, ...settings } }));
}

/** The same change to every backend. */
export function onEveryBackend(change: (backend: BackendRef) => BackendRef): TranslationEffect {
  return onEveryForward((action) => ({
    ...action,
    backends: action.backends.map(change),
    ...(action.encryptedBackends !== undefined && { encryptedBackends: action.encryptedBackends.map(change) }),
  }));
}

/** One effect after the other; undefined if there is none. */
export function allOf(effects: readonly (TranslationEffect | undefined)[]): TranslationEffect | undefined {
  const some = effects.filter((effect) => effect !== undefined);
  return some.length === 0 ? undefined : (translation) => some.reduce((changed, effect) => effect(changed), translation);
}
