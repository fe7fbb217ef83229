// From a Service's port to the addresses behind it: EndpointSlices where there are any, else the Endpoints object.
// What comes out is merged over all slices, without doubles, and sorted, so that equal sets are equal values.
import type { Endpoint } from '../../proxy/table/cluster.ts';
import type { Origin } from '../../proxy/table/origin.ts';
import type { Endpoints, EndpointSlice, Service, ServicePort, SliceEndpoint, SlicePort } from '../kube/objects.ts';
import { parseAddress } from './address.ts';
import type { Problem } from './problem.ts';
import { seen } from './seen.ts';
import { compareText } from './translation.ts';

export interface EndpointSet {
  readonly endpoints: readonly Endpoint[];
  readonly problems: readonly Problem[];
}

/** `endpoints` counts only where `slices` is empty: a cluster mirrors it into slices otherwise. */
export function endpointsOf(service: Service, port: ServicePort, slices: readonly EndpointSlice[], endpoints: Endpoints | undefined): EndpointSet {
  const merged = new Map<string, Endpoint>();
  const problems: Problem[] = [];
  for (const slice of slices) fromSlice(merged, problems, port, slice);
  if (slices.length === 0 && endpoints !== undefined) fromEndpoints(merged, problems, port, endpoints);
  if (slices.length === 0 && endpoints === undefined) problems.push(noEndpoints(service));
  return { endpoints: sorted(merged), problems };
}

function fromSlice(merged: Map<string, Endpoint>, problems: Problem[], port: ServicePort, slice: EndpointSlice): void {
  const origin = { kind: slice.kind, namespace: slice.metadata.namespace, name: slice.metadata.name };
  const { addressType } = slice;
  if (addressType === 'FQDN') {
    problems.push({
      severity: 'warning',
      reason: 'UnsupportedAddressType',
      origin: { ...origin, field: 'addressType' },
      message: 'addressType "FQDN" is not served; IPv4 and IPv6 are',
      hint: 'use a Service of type ExternalName for a name that DNS resolves',
      effect: 'ValueIgnored',
    });
    return;
  }
  const refused: Refused[] = [];
  for (const number of portNumbers(port, slice.ports)) {
    slice.endpoints.forEach((endpoint, index) => {
      if (!endpoint.ready && !endpoint.serving) return;
      for (const text of endpoint.addresses) {
        const why = add(merged, text, addressType, number, endpoint);
        if (why !== undefined) refused.push({ why, field: `endpoints[${index}].addresses` });
      }
    });
  }
  report(problems, origin, refused);
}

function fromEndpoints(merged: Map<string, Endpoint>, problems: Problem[], port: ServicePort, endpoints: Endpoints): void {
  const refused: Refused[] = [];
  endpoints.subsets.forEach((subset, index) => {
    for (const number of portNumbers(port, subset.ports)) {
      for (const text of subset.addresses) {
        const why = add(merged, text, undefined, number, READY);
        if (why !== undefined) refused.push({ why, field: `subsets[${index}].addresses` });
      }
    }
  });
  report(problems, { kind: endpoints.kind, namespace: endpoints.metadata.namespace, name: endpoints.metadata.name }, refused);
}

type Conditions = Pick<SliceEndpoint, 'ready' | 'serving' | 'terminating' | 'zone'>;
const READY: Conditions = { ready: true, serving: true, terminating: false, zone: '' };

/** Slice ports carry the Service port's name. A Service with a single, unnamed port needs none: a slice's only port is meant then. */
function portNumbers(port: ServicePort, ports: readonly SlicePort[]): number[] {
  const tcp = ports.filter(({ protocol }) => protocol === 'TCP');
  const named = tcp.filter(({ name }) => name === port.name);
  const meant = named.length === 0 && port.name === '' && tcp.length === 1 ? tcp : named;
  // A slice port without a number restricts nothing: then the Service says where its pods listen.
  return meant.map((slicePort) => slicePort.port ?? numericTarget(port));
}

/** Where a Service's port leads when no slice gives a number. */
export function numericTarget(port: ServicePort): number {
  return typeof port.targetPort === 'number' ? port.targetPort : port.port;
}

/** Returns why the address is refused, or undefined if it was added. */
function add(
  merged: Map<string, Endpoint>,
  text: string,
  addressType: 'IPv4' | 'IPv6' | undefined,
  port: number,
  { ready, serving, terminating, zone }: Conditions,
): string | undefined {
  const address = parseAddress(text);
  if (address === undefined) return `${seen(text)} is not an IP address`;
  if (addressType !== undefined && addressType !== (text.includes(':') ? 'IPv6' : 'IPv4')) return `${seen(text)} is not an ${addressType} address`;
  // Loopback is let through: manifests for one machine (the demo's) have nothing else, and the API server refuses it anyway.
  if (address.range !== 'public' && address.range !== 'loopback') return `${seen(text)} is a ${address.range} address, to which nothing is forwarded`;
  const key = `${address.text} ${port}`;
  const other = merged.get(key);
  const inZone = other?.zone ?? zone;
  // Slices may hold the same pod twice while the control plane moves it from one to another: the better word counts.
  merged.set(key, {
    address: address.text,
    port,
    ...(inZone !== '' && { zone: inZone }),
    ready: ready || other?.ready === true,
    serving: serving || other?.serving === true,
    terminating: terminating && other?.terminating !== false,
  });
  return undefined;
}

interface Refused {
  readonly why: string;
  readonly field: string;
}

/** One Problem for an object, however many addresses in it are bad. */
function report(problems: Problem[], origin: Origin, refused: readonly Refused[]): void {
  const [first] = refused;
  if (first === undefined) return;
  const more = refused.length === 1 ? '' : ` (and ${refused.length - 1} more of this object)`;
  problems.push({
    severity: 'warning',
    reason: 'RefNotPermitted',
    origin: { ...origin, field: first.field },
    message: `${first.why}${more}`,
    effect: 'ValueIgnored',
  });
}

function sorted(merged: ReadonlyMap<string, Endpoint>): readonly Endpoint[] {
  return [...merged.values()].sort((a, b) => compareText(a.address, b.address) || a.port - b.port);
}

function noEndpoints(service: Service): Problem {
  return {
    severity: 'warning',
    reason: 'EndpointsNotFound',
    origin: { kind: 'Service', namespace: service.metadata.namespace, name: service.metadata.name },
    message: 'no EndpointSlice and no Endpoints object belongs to this Service: requests for it are answered 503',
    hint: 'check the selector; a Service without one needs an EndpointSlice with the label kubernetes.io/service-name',
    effect: 'None',
  };
}
