// What the groups for load balancing have in common: they speak of Service and port, not of a route (model/upstreams.ts).
import type { BackendRef, UpstreamSettings } from '../../model/translation.ts';
import { onEveryBackend } from './group.ts';
import type { TranslationEffect } from './group.ts';

/** ingress-nginx's name of an upstream, with the port as it was written. */
export function upstreamName({ namespace, service, port }: Pick<BackendRef, 'namespace' | 'service' | 'port'>): string {
  return `${namespace}-${service}-${port ?? ''}`;
}

/** Adds to what this Ingress says of all its upstreams. */
export function withUpstream(settings: UpstreamSettings | ((backend: BackendRef) => UpstreamSettings)): TranslationEffect {
  return onEveryBackend((backend) => ({ ...backend, upstream: { ...backend.upstream, ...(typeof settings === 'function' ? settings(backend) : settings) } }));
}
