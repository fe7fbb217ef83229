// An Ingress that is refused as a whole, for one field that is not what it must be, while no good version of it is known. One that
// protects nothing is as if it were not there. Of one that does, what can be read of its hosts and paths is closed: else they would
// go to whoever has the rest of the host, and be open.
import type { Ingress } from '../../kube/objects.ts';
import type { Problem } from '../../model/problem.ts';
import type { Translation } from '../../model/translation.ts';
import { annotationOrigin, readingOf } from './annotations.ts';
import { SECRET } from './auth-tls.ts';
import { closed, withMeaning } from './closed.ts';
import { serverAlias } from './server-alias.ts';
import { protection, written } from './written.ts';
import type { WrittenAnnotation } from './written.ts';

/** `remains`: what can be read of it, and `translation` that of them; `why` it is refused. */
export function closeRefused(remains: Ingress, translation: Translation, why: string): Translation {
  const { origin, createdAt } = translation;
  const all = written(remains);
  const protecting = all.filter(({ protects }) => protects);
  if (protecting.length === 0 || all.some(({ notAlone }) => notAlone)) return { origin, createdAt, hosts: [], tls: [], problems: [] };
  // Client certificates are told of with the hosts: there an older Ingress may decide.
  const problems = protecting.filter(({ canonical }) => canonical !== SECRET).map((annotation) => problemOf(remains, annotation, why));
  const { annotations, problems: aliasProblems } = readingOf(remains);
  const aliased = serverAlias.effect(annotations)?.(translation) ?? translation;
  const { hosts } = withMeaning(remains, closed(remains, aliased, problems.find(({ effect }) => effect === 'HostClosed')?.origin));
  const asked = annotations.origin(SECRET);
  const wrong = [{ message: `this Ingress is refused (${why})`, origin: asked }];
  return {
    origin,
    createdAt,
    hosts,
    // Nothing else of it counts, its own certificates among them.
    tls: [],
    ...(annotations.has(SECRET) && { connection: { clientCertificates: { value: { wrong }, origin: asked } } }),
    problems: hosts.length === 0 ? [] : [...problems, ...aliasProblems],
  };
}

function problemOf(remains: Ingress, annotation: WrittenAnnotation, why: string): Problem {
  const { does, effect, others } = protection(annotation);
  const what = others === undefined ? 'what can be read of its hosts and paths' : `every route of its hosts, ${others},`;
  return {
    severity: 'error',
    reason: 'ProtectiveIngressRefused',
    origin: annotationOrigin(remains, annotation.key),
    message: `this Ingress is refused (${why}), and ${annotation.name} ${does}: ${what} answers 503 until it is repaired, instead of being left to others`,
    effect,
  };
}
