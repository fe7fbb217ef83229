// The dialect `ingress-nginx`: what its annotations add to the Translation of an Ingress. What cannot be honoured is told,
// and what protects a route and cannot be honoured closes it: never the open route.
import type { Origin } from '../../../proxy/table/origin.ts';
import type { Ingress } from '../../kube/objects.ts';
import { didYouMean, near } from '../../model/near.ts';
import type { Problem } from '../../model/problem.ts';
import { seen } from '../../model/seen.ts';
import type { Translation } from '../../model/translation.ts';
import { annotationOrigin, readingOf } from './annotations.ts';
import { closed, withMeaning, withoutExpressions } from './closed.ts';
import { GROUPS, SUPPORTED } from './groups.ts';
import { ALIASES, KNOWN_ANNOTATIONS } from './known.ts';
import { protection, written } from './written.ts';
import type { WrittenAnnotation } from './written.ts';

/** `translation` is that of the same Ingress without annotations. */
export function annotate(ingress: Ingress, translation: Translation): Translation {
  const reading = readingOf(ingress);
  const unread = unreadAnnotations(ingress);
  const effects = GROUPS.map((group) => group.effect(reading.annotations));
  if (unread.some(({ effect }) => effect === 'ObjectRefused')) return { ...translation, hosts: [], tls: [], problems: [...translation.problems, ...reading.problems, ...unread] };
  // What holds for whole hosts holds for the routes of others, too: it stays when the routes of this one are denied.
  const changed = effects.filter((effect) => effect !== undefined).reduce((before, change) => change(before), translation);
  const wholeHost = unread.find(({ effect }) => effect === 'HostClosed')?.origin;
  const denied = wholeHost !== undefined || reading.denied() || unread.some(({ effect }) => effect === 'RouteDenied') || cannotCheckClients(changed);
  const meant = withMeaning(ingress, denied ? closed(ingress, changed, wholeHost) : withoutExpressions(ingress, changed));
  return { ...meant, problems: [...meant.problems, ...reading.problems, ...unread] };
}

/** Its hosts are closed, but where an older Ingress says who may come, and that must not be less than what this one meant to say. */
function cannotCheckClients({ connection }: Translation): boolean {
  return connection?.clientCertificates !== undefined && 'wrong' in connection.clientCertificates.value;
}

function unreadAnnotations(ingress: Ingress): Problem[] {
  return written(ingress).filter(({ canonical }) => !SUPPORTED.has(canonical)).map((annotation) => unreadAnnotation(ingress, annotation));
}

function unreadAnnotation(ingress: Ingress, annotation: WrittenAnnotation): Problem {
  const { key, name, known, protects, notAlone } = annotation;
  const origin = annotationOrigin(ingress, key);
  if (protects) {
    const { does, effect, others } = protection(annotation);
    const closes = others === undefined ? 'the routes of this Ingress answer' : `in ingress-nginx it holds for all of a host, so every route of the hosts of this Ingress, ${others}, answers`;
    return {
      severity: 'error',
      reason: 'UnsupportedProtectiveAnnotation',
      origin,
      message: `${name} is not supported, and it ${does}: ${closes} 503 instead of being open`,
      hint: 'remove the annotation if the routes may be open',
      effect,
    };
  }
  if (known === undefined) return unknownAnnotation(origin, key, name, ingress.metadata.annotations.get(key) ?? '');
  if (notAlone) {
    return {
      severity: 'error',
      reason: 'UnsupportedAnnotation',
      origin,
      message: `${name} is not supported: this Ingress is left out, since its routes would take the place of those that it stands behind`,
      effect: 'ObjectRefused',
    };
  }
  const message = `${name} is not supported${known.instead === undefined ? '' : `: ${known.instead}`}`;
  return { severity: 'warning', reason: 'UnsupportedAnnotation', origin, message, effect: 'ValueIgnored' };
}

const NAMES: readonly string[] = [...new Set([...KNOWN_ANNOTATIONS.keys(), ...ALIASES.keys(), ...SUPPORTED])];

/** What is ignored may have been to keep somebody out: nobody can know, and it is an error that `check` fails on. */
function unknownAnnotation(origin: Origin, key: string, name: string, value: string): Problem {
  const meant = near(name, NAMES);
  const protects = meant !== undefined && KNOWN_ANNOTATIONS.get(ALIASES.get(meant) ?? meant)?.protects?.(value.trim()) === true;
  return {
    severity: protects ? 'error' : 'warning',
    reason: 'UnknownAnnotation',
    origin,
    message: `there is no annotation ${seen(key)}${didYouMean(meant)}${protects ? ' That one restricts access; this one does not, and the routes are open unless something else closes them' : ''}`,
    effect: 'ValueIgnored',
  };
}
