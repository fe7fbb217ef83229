// Which other objects an Ingress names, so that they are read and no others. Whatever learns to use a Secret or ConfigMap
// that an Ingress names has to say so here: what is not named is not there.
import type { Ingress } from '../../kube/objects.ts';

export interface Reference {
  readonly kind: 'Secret' | 'ConfigMap';
  /** `namespace/name`. */
  readonly key: string;
}

export function referencesOf({ metadata, tls }: Ingress): readonly Reference[] {
  return tls.filter(({ secretName }) => secretName !== '').map(({ secretName }) => ({ kind: 'Secret', key: `${metadata.namespace}/${secretName}` }));
}
