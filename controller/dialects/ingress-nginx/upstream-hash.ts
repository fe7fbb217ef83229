// `upstream-hash-by`: requests with the same key go to the same endpoint; with `-subset`, to any of a few that are the same
// for the same key. Beats `load-balance`; sessions beat it.
import type { ConsistentHash } from '../../../proxy/table/cluster.ts';
import type { AnnotationGroup } from './group.ts';
import { forBackend, template } from './template.ts';
import { withUpstream } from './upstream.ts';
import { bool, int, variables, withoutSpaces } from './values.ts';
import type { Parser } from './values.ts';

const DEFAULT_SUBSET = 3;

/** 0 means the default. */
const subsetSizes: Parser<number> = (text) => {
  const parsed = int(text);
  if ('wrong' in parsed) return parsed;
  return parsed.value < 0 ? { wrong: 'must be 0 or more' } : { value: parsed.value === 0 ? DEFAULT_SUBSET : parsed.value };
};

export const upstreamHash: AnnotationGroup = {
  name: 'UpstreamHashBy',
  reads: ['upstream-hash-by', 'upstream-hash-by-subset', 'upstream-hash-by-subset-size'],
  effect: (annotations) => {
    const key = annotations.read('upstream-hash-by', withoutSpaces(template(variables)), 'deny');
    const subset = annotations.read('upstream-hash-by-subset', bool, 'deny') ?? false;
    const subsetSize = annotations.read('upstream-hash-by-subset-size', subsetSizes, 'deny') ?? DEFAULT_SUBSET;
    if (key === undefined) return undefined;
    return withUpstream((backend) => {
      const loadBalancer: ConsistentHash = { type: 'ConsistentHash', key: forBackend(key, backend), ...(subset && { subsetSize }) };
      return { loadBalancer };
    });
  },
};
