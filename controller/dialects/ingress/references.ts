// Which other objects an Ingress names, so that they are read and no others. Whatever learns to use a Secret or ConfigMap
// that an Ingress names has to say so here: what is not named is not there.
import type { Ingress } from '../../kube/objects.ts';
import { readingOf } from '../ingress-nginx/annotations.ts';
import { secretIn } from '../ingress-nginx/connection.ts';

export interface Reference {
  readonly kind: 'Secret' | 'ConfigMap';
  /** `namespace/name`. */
  readonly key: string;
}

/** Annotations whose value is `namespace/name` of a Secret in the namespace of the Ingress. */
const SECRET_ANNOTATIONS = ['auth-tls-secret', 'proxy-ssl-secret'] as const;

export function referencesOf(ingress: Ingress): readonly Reference[] {
  const { metadata, tls } = ingress;
  const served: Reference[] = tls.filter(({ secretName }) => secretName !== '').map(({ secretName }) => ({ kind: 'Secret', key: `${metadata.namespace}/${secretName}` }));
  const { annotations } = readingOf(ingress);
  for (const name of SECRET_ANNOTATIONS) {
    const key = annotations.read(name, secretIn(annotations.origin(name)), 'default');
    if (key !== undefined) served.push({ kind: 'Secret', key });
  }
  return served;
}
