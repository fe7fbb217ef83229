// The flags about endpoints: the same words as the annotations, and what they come to.
import test from 'ava';
import { settingsOf } from '../../controller/cli/options.ts';

const settings = (...args: readonly string[]): ReturnType<typeof settingsOf> => settingsOf(['--manifests', '.', ...args]);

test('the defaults', (t) => {
  const { forwarding, clusterDefaults, limits, timeouts, memoryLimitBytes } = settings();
  t.deepEqual(forwarding, { retry: { attempts: 3, totalMs: 10_000, on: ['error', 'timeout'], nonIdempotent: false }, requestBuffering: true, endpointRequests: 1024, waitingRequests: 1024 });
  t.deepEqual(clusterDefaults, { loadBalancer: { type: 'RoundRobin' }, connectTimeoutMs: 5_000, serviceUpstream: false });
  t.deepEqual([limits.connectionsPerAddress, timeouts.requestMs, memoryLimitBytes], [0, 0, 0]);
});

test('every flag is heard', (t) => {
  const { forwarding, clusterDefaults, limits, timeouts, memoryLimitBytes } = settings(
    '--proxy-next-upstream', 'error http_503 non_idempotent', '--proxy-next-upstream-tries', '0', '--proxy-next-upstream-timeout', '0', '--proxy-request-buffering', 'off',
    '--endpoint-requests', '10', '--waiting-requests', '0', '--load-balance', 'least_request', '--proxy-connect-timeout', '2s', '--service-upstream',
    '--connections-per-address', '50', '--proxy-request-timeout', '1m', '--memory-limit', '512m',
  );
  t.deepEqual(forwarding, { retry: { attempts: 0, totalMs: 0, on: ['error', '503'], nonIdempotent: true }, requestBuffering: false, endpointRequests: 10, waitingRequests: 0 });
  t.deepEqual(clusterDefaults, { loadBalancer: { type: 'LeastRequest' }, connectTimeoutMs: 2_000, serviceUpstream: true });
  t.deepEqual([limits.connectionsPerAddress, timeouts.requestMs, memoryLimitBytes], [50, 60_000, 512 * 1024 ** 2]);
});

test('off means one try', (t) => {
  t.is(settings('--proxy-next-upstream', 'off').forwarding.retry.attempts, 1);
});

for (const args of [['--proxy-next-upstream', 'http_418'], ['--proxy-next-upstream', ''], ['--load-balance', 'chash'], ['--proxy-request-buffering', 'yes'], ['--waiting-requests', '-1']]) {
  test(`refused: ${args.join(' ')}`, (t) => {
    t.throws(() => settings(...args));
  });
}
