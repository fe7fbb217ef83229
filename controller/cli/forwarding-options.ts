// The flags about how requests are brought to endpoints. They hold where no annotation says something else, so they bear the
// names of the annotations and take the same words.
import { InvalidArgumentError } from 'commander';
import type { Option } from 'commander';
import type { WorkerForwarding } from '../../proxy/table/messages.ts';
import { LOAD_BALANCERS } from '../dialects/ingress-nginx/load-balancing.ts';
import { nextUpstream } from '../dialects/ingress-nginx/next-upstream.ts';
import type { ReadingSettings } from '../settings.ts';
import { flag } from './flag.ts';
import { readBoolean, readCount, readCountOrNone, readDuration, readTimeout } from './values.ts';

/** Values as commander gives them. */
export interface ClusterValues {
  readonly loadBalance: string;
  readonly proxyConnectTimeout: number;
  readonly serviceUpstream: boolean;
}

export interface ForwardingValues {
  readonly proxyNextUpstream: Pick<WorkerForwarding['retry'], 'on' | 'nonIdempotent'>;
  readonly proxyNextUpstreamTries: number;
  readonly proxyNextUpstreamTimeout: WorkerForwarding['retry']['totalMs'];
  readonly proxyRequestBuffering: 'on' | 'off';
  readonly endpointRequests: number;
  readonly waitingRequests: number;
}

const FORWARDING = 'How endpoints are used, where no annotation says it';
/** Other than ingress-nginx, which has no limit: who waits for a minute need not wait for three. */
const NEXT_WITHIN = { atLeastMs: 10_000 };
const RETRY = { on: ['error', 'timeout'], nonIdempotent: false };

/** These are part of the table, so that every command that shows one has them. */
export function clusterOptions(): readonly Option[] {
  const words = [...LOAD_BALANCERS.keys()];
  return [
    flag(FORWARDING, '--load-balance <how>', words.join(', '), String, 'round_robin').choices(words),
    flag(FORWARDING, '--proxy-connect-timeout <time>', 'for a connection to an endpoint, TLS and HTTP/2 SETTINGS included', readTimeout, 5_000, '5s'),
    flag(FORWARDING, '--service-upstream [true|false]', 'send to the addresses of Services in place of their pods', readBoolean, false).preset('true'),
  ];
}

export function forwardingOptions(): readonly Option[] {
  return [
    flag(FORWARDING, '--proxy-next-upstream <words>', 'after which failures another endpoint is asked', readNextUpstream, RETRY, 'error timeout'),
    flag(FORWARDING, '--proxy-next-upstream-tries <count>', 'endpoints that one request may try; 0: all', readCountOrNone, 3),
    flag(FORWARDING, '--proxy-next-upstream-timeout <time>', 'no further one is tried after this time, so that a read timeout, which takes longer by default, is followed by no other; 0: no limit', readDuration, NEXT_WITHIN, '10s, or twice the connect timeout if that is more'),
    flag(FORWARDING, '--proxy-request-buffering <on|off>', 'request bodies of up to 64k are sent on when they are complete, and can be sent again', String, 'on').choices(['on', 'off']),
    flag(FORWARDING, '--endpoint-requests <count>', 'requests under way at one endpoint, per worker', readCount, 1024),
    flag(FORWARDING, '--waiting-requests <count>', 'requests that wait for a place at a Service, per worker; 0: none', readCountOrNone, 1024),
  ];
}

export function clusterDefaults(values: ClusterValues): ReadingSettings['clusterDefaults'] {
  return {
    loadBalancer: LOAD_BALANCERS.get(values.loadBalance) ?? { type: 'RoundRobin' },
    connectTimeoutMs: values.proxyConnectTimeout,
    serviceUpstream: values.serviceUpstream,
  };
}

export function forwardingSettings(values: ForwardingValues): WorkerForwarding {
  const { on, nonIdempotent } = values.proxyNextUpstream;
  return {
    // The tries stay what they are where `off` leaves no condition: a route may have conditions of its own.
    retry: { attempts: values.proxyNextUpstreamTries, totalMs: values.proxyNextUpstreamTimeout, on: [...on], nonIdempotent },
    requestBuffering: values.proxyRequestBuffering === 'on',
    endpointRequests: values.endpointRequests,
    waitingRequests: values.waitingRequests,
  };
}

function readNextUpstream(text: string): ForwardingValues['proxyNextUpstream'] {
  const parsed = nextUpstream(text);
  if ('wrong' in parsed) throw new InvalidArgumentError(`Allowed: ${parsed.wrong.replace('must be ', '')}.`);
  return parsed.value;
}
