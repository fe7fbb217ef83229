// `upstream-vhost`: the Host that endpoints get, which may be made of the request. X-Forwarded-Host stays the client's.
import { onEveryForward } from './group.ts';
import type { AnnotationGroup } from './group.ts';
import { forBackend, template } from './template.ts';
import { regexCharacters } from './values.ts';

export const upstreamVhost: AnnotationGroup = {
  name: 'UpstreamVhost',
  reads: ['upstream-vhost'],
  effect: (annotations) => {
    const written = annotations.read('upstream-vhost', template(regexCharacters), 'deny');
    if (written === undefined) return undefined;
    return onEveryForward((action) => {
      // An Ingress names one Service per route; its other backends are the same one, spoken to in another way.
      const [backend] = action.backends;
      return backend === undefined ? action : { ...action, settings: { ...action.settings, upstreamHost: forBackend(written, backend) } };
    });
  },
};
