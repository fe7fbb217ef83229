// What a Forward means in this worker: the route's own settings, and the worker's where it has none. Made once per action
// and kept for as long as the table holds that action.
import type { UpstreamRequest } from '../../upstream/call.ts';
import type { WorkerForwarding, WorkerTimeouts } from '../../table/messages.ts';
import type { Forward, ForwardSettings, RetryPolicy } from '../../table/route.ts';
import { compileKey } from './key-text.ts';
import type { KeyText } from './key-text.ts';

export interface ForwardPlan {
  readonly timeouts: UpstreamRequest['timeouts'];
  /** For the whole request; 0: no limit. */
  readonly requestMs: number;
  /** 0: no limit. */
  readonly maxBodyBytes: number;
  readonly requestBuffering: boolean;
  readonly retry: RetryPlan;
  /** The Host for endpoints; undefined: what the client asked for. */
  readonly upstreamHost: KeyText | undefined;
}

export interface RetryPlan extends Omit<RetryPolicy, 'on' | 'totalMs'> {
  /** `RetryPolicy.totalMs` for a cluster with this connect timeout. */
  totalMs(connectTimeoutMs: number): number;
  /** `error`, `timeout`, `invalid-response`. */
  readonly failures: ReadonlySet<string>;
  readonly statuses: ReadonlySet<number>;
}

/** Where routes say nothing. */
export interface ForwardDefaults {
  readonly timeouts: WorkerTimeouts;
  readonly maxBodyBytes: number;
  readonly forwarding: WorkerForwarding;
}

export class ForwardPlans {
  readonly #defaults: ForwardDefaults;
  readonly #plans = new WeakMap<Forward, ForwardPlan>();

  constructor(defaults: ForwardDefaults) {
    this.#defaults = defaults;
  }

  of(action: Forward): ForwardPlan {
    let plan = this.#plans.get(action);
    if (plan === undefined) this.#plans.set(action, (plan = planOf(action, this.#defaults)));
    return plan;
  }
}

export function settingsOf({ timeouts, retry, maxBodyBytes, requestBuffering }: Forward, defaults: ForwardDefaults): ForwardSettings {
  const usual = defaults.timeouts;
  return {
    timeouts: {
      responseHeadMs: timeouts?.responseHeadMs ?? usual.responseHeadMs,
      readIdleMs: timeouts?.readIdleMs ?? usual.readIdleMs,
      sendIdleMs: timeouts?.sendIdleMs ?? usual.sendIdleMs,
      requestMs: timeouts?.requestMs ?? usual.requestMs,
    },
    maxBodyBytes: maxBodyBytes ?? defaults.maxBodyBytes,
    requestBuffering: requestBuffering ?? defaults.forwarding.requestBuffering,
    retry: { ...defaults.forwarding.retry, ...retry },
  };
}

function planOf(action: Forward, defaults: ForwardDefaults): ForwardPlan {
  const { timeouts: { requestMs, ...timeouts }, maxBodyBytes, requestBuffering, retry } = settingsOf(action, defaults);
  const { upstreamHost } = action;
  return { timeouts, requestMs, maxBodyBytes, requestBuffering, retry: retryPlan(retry), upstreamHost: upstreamHost === undefined ? undefined : compileKey(upstreamHost) };
}

function retryPlan({ attempts, totalMs, nonIdempotent, on }: RetryPolicy): RetryPlan {
  const statuses = on.map(Number).filter((status) => status >= 100);
  const lasting = (connectTimeoutMs: number): number => (typeof totalMs === 'number' ? totalMs : Math.max(totalMs.atLeastMs, 2 * connectTimeoutMs));
  return { attempts, totalMs: lasting, nonIdempotent, failures: new Set(on), statuses: new Set(statuses) };
}
