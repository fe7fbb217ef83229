// Limits and timeouts for tests that say nothing of them: those of the flags' defaults in kind, shorter where waiting is pointless.
import type { WorkerOptions } from '../../proxy/table/messages.ts';

export const DEFAULT_TEST_OPTIONS: Omit<WorkerOptions, 'index' | 'accessLog'> = {
  limits: {
    headBytes: 32 * 1024,
    bodyBytes: 0,
    headTimeoutMs: 10_000,
    bodyTimeoutMs: 60_000,
    keepAliveTimeoutMs: 75_000,
    keepAliveRequests: 10_000,
    maxConcurrentStreams: 128,
    connectionsPerAddress: 0,
    passthroughIdleMs: 600_000,
  },
  timeouts: { responseHeadMs: 60_000, readIdleMs: 60_000, sendIdleMs: 60_000, requestMs: 0 },
  forwarding: {
    retry: { attempts: 3, totalMs: { atLeastMs: 10_000 }, on: ['error', 'timeout'], nonIdempotent: false },
    // Off, other than the flag's default: most tests look at what an endpoint has got of a body so far.
    requestBuffering: false,
    endpointRequests: 1024,
    waitingRequests: 1024,
  },
  memory: { limitBytes: 0, processes: 1 },
};
