// Which endpoints take new requests, by the three conditions of an EndpointSlice: the ready ones; if none is ready, those
// that still serve while they terminate, so that a rolling update of a single replica loses nothing. While there are ready
// ones, the others are a last resort: for requests that every ready one has failed.
// https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#conditions
import type { Endpoint } from '../table/cluster.ts';

export interface Eligible {
  /** May be empty: then the cluster has no endpoint for new requests. */
  readonly members: readonly Endpoint[];
  /** Empty where they are the members. */
  readonly lastResort: readonly Endpoint[];
}

export function eligible(endpoints: readonly Endpoint[]): Eligible {
  const ready = endpoints.filter((endpoint) => endpoint.ready && !endpoint.terminating);
  // Ready and terminating at once: a Service with publishNotReadyAddresses.
  const leaving = endpoints.filter((endpoint) => endpoint.terminating && (endpoint.serving || endpoint.ready));
  return ready.length > 0 ? { members: ready, lastResort: leaving } : { members: leaving, lastResort: [] };
}
