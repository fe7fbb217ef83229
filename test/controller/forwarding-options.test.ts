// The flags about endpoints: the same words as the annotations, and what they come to.
import test from 'ava';
import { settingsOf } from '../../controller/cli/options.ts';
import { annotate } from '../../controller/dialects/ingress-nginx/annotate.ts';
import { translateIngress } from '../../controller/dialects/ingress/translate.ts';
import { ForwardPlans } from '../../proxy/server/forward/plan.ts';
import type { RetryPlan } from '../../proxy/server/forward/plan.ts';
import { objectOf } from '../support/manifests.ts';

const settings = (...args: readonly string[]): ReturnType<typeof settingsOf> => settingsOf(['--manifests', '.', ...args]);

test('the defaults', (t) => {
  const { forwarding, clusterDefaults, limits, timeouts, memoryLimitBytes } = settings();
  t.deepEqual(forwarding, { retry: { attempts: 3, totalMs: { atLeastMs: 10_000 }, on: ['error', 'timeout'], nonIdempotent: false }, requestBuffering: true, endpointRequests: 1024, waitingRequests: 1024 });
  t.deepEqual(clusterDefaults, { loadBalancer: { type: 'RoundRobin' }, connectTimeoutMs: 5_000, serviceUpstream: false });
  t.deepEqual([limits.connectionsPerAddress, limits.passthroughIdleMs, timeouts.requestMs, memoryLimitBytes], [0, 600_000, 0, 0]);
});

test('every flag is heard', (t) => {
  const { forwarding, clusterDefaults, limits, timeouts, memoryLimitBytes } = settings(
    '--proxy-next-upstream', 'error http_503 non_idempotent', '--proxy-next-upstream-tries', '0', '--proxy-next-upstream-timeout', '0', '--proxy-request-buffering', 'off',
    '--endpoint-requests', '10', '--waiting-requests', '0', '--load-balance', 'least_request', '--proxy-connect-timeout', '2s', '--service-upstream',
    '--connections-per-address', '50', '--passthrough-idle-timeout', '1h', '--proxy-request-timeout', '1m', '--memory-limit', '512m',
  );
  t.deepEqual(forwarding, { retry: { attempts: 0, totalMs: 0, on: ['error', '503'], nonIdempotent: true }, requestBuffering: false, endpointRequests: 10, waitingRequests: 0 });
  t.deepEqual(clusterDefaults, { loadBalancer: { type: 'LeastRequest' }, connectTimeoutMs: 2_000, serviceUpstream: true });
  t.deepEqual([limits.connectionsPerAddress, limits.passthroughIdleMs, timeouts.requestMs, memoryLimitBytes], [50, 3_600_000, 60_000, 512 * 1024 ** 2]);
});

/** How a route is tried again under the flags, with annotations of its own. */
function retryOf(annotations: Readonly<Record<string, string>>, ...args: readonly string[]): RetryPlan {
  const named = Object.fromEntries(Object.entries(annotations).map(([name, value]) => [`nginx.ingress.kubernetes.io/${name}`, value]));
  const ingress = objectOf('Ingress', JSON.stringify({
    apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', metadata: { name: 'web', namespace: 'shop', annotations: named },
    spec: { rules: [{ host: 'a.example', http: { paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'web', port: { number: 80 } } } }] } }] },
  }));
  const action = annotate(ingress, translateIngress(ingress)).hosts[0]?.routes[0]?.action;
  if (action?.type !== 'Forward') throw new Error('it does not forward');
  const { forwarding, timeouts, limits } = settings(...args);
  return new ForwardPlans({ forwarding, timeouts, maxBodyBytes: limits.bodyBytes }).of({ type: 'Forward', clusters: [], ...action.settings }).retry;
}

test('another endpoint may be tried for ten seconds, or for two connect timeouts if they take longer, unless a flag or an annotation says a time', (t) => {
  const usual = retryOf({});
  t.deepEqual([500, 5_000, 12_000, 60_000].map((ms) => usual.totalMs(ms)), [10_000, 10_000, 24_000, 120_000]);
  t.is(retryOf({}, '--proxy-next-upstream-timeout', '3s').totalMs(60_000), 3_000);
  t.is(retryOf({ 'proxy-next-upstream-timeout': '2' }, '--proxy-next-upstream-timeout', '3s').totalMs(60_000), 2_000);
  t.is(retryOf({ 'proxy-next-upstream-timeout': '0' }).totalMs(60_000), 0, 'no limit');
});

test('off means one try: nothing that fails is followed by another', (t) => {
  const none = { failures: new Set(), statuses: new Set() };
  t.like(retryOf({}, '--proxy-next-upstream', 'off'), none);
  t.like(retryOf({ 'proxy-next-upstream-tries': '5' }, '--proxy-next-upstream', 'off'), none);
});

test('off holds where no annotation says something else: one with conditions has as many tries as the flags say', (t) => {
  const annotations = { 'proxy-next-upstream': 'error timeout http_503' };
  t.like(retryOf(annotations, '--proxy-next-upstream', 'off'), { attempts: 3, failures: new Set(['error', 'timeout', '503']), statuses: new Set([503]) });
  t.is(retryOf(annotations, '--proxy-next-upstream', 'off', '--proxy-next-upstream-tries', '2').attempts, 2);
});

test('an annotation that says off has one try, whatever the flags say', (t) => {
  for (const args of [[], ['--proxy-next-upstream', 'error http_503', '--proxy-next-upstream-tries', '5'], ['--proxy-next-upstream', 'off']]) {
    t.is(retryOf({ 'proxy-next-upstream': 'off', 'proxy-next-upstream-tries': '4' }, ...args).attempts, 1);
  }
});

for (const args of [['--proxy-next-upstream', 'http_418'], ['--proxy-next-upstream', ''], ['--load-balance', 'chash'], ['--proxy-request-buffering', 'yes'], ['--waiting-requests', '-1']]) {
  test(`refused: ${args.join(' ')}`, (t) => {
    t.throws(() => settings(...args));
  });
}
