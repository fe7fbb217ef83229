// `service-upstream`: the Service's own address is the one endpoint, in place of its pods' addresses.
import type { AnnotationGroup } from './group.ts';
import { withUpstream } from './upstream.ts';
import { bool } from './values.ts';

export const serviceUpstream: AnnotationGroup = {
  name: 'ServiceUpstream',
  reads: ['service-upstream'],
  effect: (annotations) => {
    if (!annotations.has('service-upstream')) return undefined;
    // A bad value means false, even where --service-upstream says true.
    return withUpstream({ serviceUpstream: annotations.read('service-upstream', bool, 'default') ?? false });
  },
};
