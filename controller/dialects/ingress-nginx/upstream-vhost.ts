// `upstream-vhost`: the Host that endpoints get, which may be made of the request. X-Forwarded-Host stays the client's.
import { withSettings } from './group.ts';
import type { AnnotationGroup } from './group.ts';
import { template } from './template.ts';
import { regexCharacters } from './values.ts';

export const upstreamVhost: AnnotationGroup = {
  name: 'UpstreamVhost',
  reads: ['upstream-vhost'],
  effect: (annotations) => {
    const upstreamHost = annotations.read('upstream-vhost', template(regexCharacters), 'deny');
    return upstreamHost === undefined ? undefined : withSettings({ upstreamHost });
  },
};
