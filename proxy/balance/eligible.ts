// Which endpoints take new requests, by the three conditions of an EndpointSlice: the ready ones; if none is ready, those
// that still serve while they terminate, so that a rolling update of a single replica loses nothing.
// https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#conditions
import type { Endpoint } from '../table/cluster.ts';

/** May be empty: then the cluster has no endpoint for new requests. */
export function eligible(endpoints: readonly Endpoint[]): readonly Endpoint[] {
  const ready = endpoints.filter((endpoint) => endpoint.ready && !endpoint.terminating);
  if (ready.length > 0) return ready;
  // Ready and terminating at once: a Service with publishNotReadyAddresses.
  return endpoints.filter((endpoint) => endpoint.terminating && (endpoint.serving || endpoint.ready));
}
