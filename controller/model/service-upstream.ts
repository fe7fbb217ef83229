// A Service as its own single endpoint: for networks that want to do the balancing themselves (a service mesh).
import type { Endpoint } from '../../proxy/table/cluster.ts';
import type { Service, ServicePort } from '../kube/objects.ts';
import { parseAddress } from './address.ts';

/** Undefined: it has no address of its own (it is headless), so that its pods are all that there is. */
export function serviceEndpoint(service: Service, port: ServicePort): Endpoint | undefined {
  const address = parseAddress(service.clusterIP);
  // Loopback as for EndpointSlices: manifests for one machine have nothing else.
  if (address === undefined || (address.range !== 'public' && address.range !== 'loopback')) return undefined;
  return { address: address.text, port: port.port, ready: true, serving: true, terminating: false };
}
