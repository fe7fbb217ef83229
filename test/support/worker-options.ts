// Limits and timeouts for tests that say nothing of them: those of the flags' defaults in kind, shorter where waiting is pointless.
import type { WorkerOptions } from '../../proxy/table/messages.ts';

export const DEFAULT_TEST_OPTIONS: Pick<WorkerOptions, 'limits' | 'timeouts'> = {
  limits: {
    headBytes: 32 * 1024,
    bodyBytes: 0,
    headTimeoutMs: 10_000,
    bodyTimeoutMs: 60_000,
    keepAliveTimeoutMs: 75_000,
    keepAliveRequests: 10_000,
    maxConcurrentStreams: 128,
  },
  timeouts: { responseHeadMs: 60_000, readIdleMs: 60_000, sendIdleMs: 60_000 },
};
