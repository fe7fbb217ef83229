// `proxy-next-upstream`, `-tries` and `-timeout`: after which failures another endpoint is asked, how many, and for how long.
import type { RetryPolicy } from '../../../proxy/table/route.ts';
import { withSettings } from './group.ts';
import type { AnnotationGroup } from './group.ts';
import { secondsOrNone } from './seconds.ts';
import { int } from './values.ts';
import type { Parser } from './values.ts';

/** nginx's word → that of the table. */
const CONDITIONS: ReadonlyMap<string, string> = new Map([
  ['error', 'error'],
  ['timeout', 'timeout'],
  ['invalid_header', 'invalid-response'],
  ...[403, 404, 429, 500, 502, 503, 504].map((status) => [`http_${status}`, `${status}`] as const),
]);

/** Words with blanks between them. `off` beside others turns all of it off. */
export const nextUpstream: Parser<Pick<RetryPolicy, 'on' | 'nonIdempotent'>> = (text) => {
  const words = text.trim().split(/\s+/);
  const unknown = words.find((word) => !CONDITIONS.has(word) && word !== 'non_idempotent' && word !== 'off');
  if (unknown !== undefined) return { wrong: `must be words out of ${[...CONDITIONS.keys()].join(' ')} non_idempotent off` };
  if (words.includes('off')) return { value: { on: [], nonIdempotent: false } };
  const on = [...new Set(words.flatMap((word) => CONDITIONS.get(word) ?? []))];
  return { value: { on, nonIdempotent: words.includes('non_idempotent') } };
};

/** The first try counts; 0: as many as there are endpoints. */
const tries: Parser<number> = (text) => {
  const parsed = int(text);
  return 'value' in parsed && parsed.value < 0 ? { wrong: 'must be 0 or more' } : parsed;
};

export const nextUpstreamGroup: AnnotationGroup = {
  name: 'Proxy',
  reads: ['proxy-next-upstream', 'proxy-next-upstream-tries', 'proxy-next-upstream-timeout'],
  effect: (annotations) => {
    const conditions = annotations.read('proxy-next-upstream', nextUpstream, 'default');
    const attempts = annotations.read('proxy-next-upstream-tries', tries, 'default');
    const totalMs = annotations.read('proxy-next-upstream-timeout', secondsOrNone, 'default');
    if (conditions?.on.length === 0) return withSettings({ retry: { attempts: 1 } });
    const retry: Partial<RetryPolicy> = { ...conditions, ...(attempts !== undefined && { attempts }), ...(totalMs !== undefined && { totalMs }) };
    return Object.keys(retry).length === 0 ? undefined : withSettings({ retry });
  },
};
