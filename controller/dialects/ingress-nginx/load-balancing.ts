// `load-balance`: which endpoint is next, where neither sessions nor a hash decide about it. `round_robin` and `ewma` are
// ingress-nginx's; `least_request` is Fairlead's own. The other words of ingress-nginx name what other annotations turn on.
import type { LoadBalancer } from '../../../proxy/table/cluster.ts';
import type { AnnotationGroup } from './group.ts';
import { withUpstream } from './upstream.ts';
import { oneOf } from './values.ts';

export const LOAD_BALANCERS: ReadonlyMap<string, LoadBalancer> = new Map<string, LoadBalancer>([
  ['round_robin', { type: 'RoundRobin' }],
  ['ewma', { type: 'PeakEwma' }],
  ['least_request', { type: 'LeastRequest' }],
]);

/** Word of `load-balance` → the annotation that does what it names. */
const BY_OTHERS = { chash: 'upstream-hash-by', chashsubset: 'upstream-hash-by', sticky_balanced: 'affinity', sticky_persistent: 'affinity' } as const;

const words = oneOf('round_robin', 'ewma', 'least_request', 'chash', 'chashsubset', 'sticky_balanced', 'sticky_persistent');

export const loadBalancing: AnnotationGroup = {
  name: 'LoadBalancing',
  reads: ['load-balance'],
  effect: (annotations) => {
    const word = annotations.read('load-balance', words, 'deny');
    if (word === undefined) return undefined;
    const loadBalancer = LOAD_BALANCERS.get(word);
    if (loadBalancer !== undefined) return withUpstream({ loadBalancer });
    const other = BY_OTHERS[word as keyof typeof BY_OTHERS];
    if (annotations.has(other)) return undefined;
    annotations.report({
      severity: 'warning',
      reason: 'IncompleteAnnotation',
      origin: annotations.origin('load-balance'),
      message: `${word} does nothing without the annotation ${other}`,
      effect: 'DefaultUsed',
    });
    return undefined;
  },
};
