// `ssl-passthrough`: TLS connections to the hosts of the Ingress go to the Service behind their path `/` as they are. Nothing
// that is configured for their routes happens there; plain http is served as usual.
import { withConnection } from './connection.ts';
import type { AnnotationGroup } from './group.ts';
import { bool } from './values.ts';

export const sslPassthrough: AnnotationGroup = {
  name: 'SSLPassthrough',
  reads: ['ssl-passthrough'],
  effect: (annotations) => {
    const value = annotations.read('ssl-passthrough', bool, 'deny');
    return value === true ? withConnection({ passthrough: { value, origin: annotations.origin('ssl-passthrough') } }) : undefined;
  },
};
