// Service (v1), EndpointSlice (discovery.k8s.io/v1) and Endpoints (v1): what traffic is sent to.
import { isIP } from 'node:net';
import { anyText, boolean, field, fields, ipv4, ipv6, isLabel, label, list, oneOf, optional, optionalText, portNumber, subdomain, textThat } from './decode-readers.ts';
import type { Fields, Read } from './decode-readers.ts';
import type { Reading } from './decode-reading.ts';
import type { Endpoints, EndpointSlice, Metadata, Service, ServicePort, SliceEndpoint, SlicePort } from './objects.ts';

const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';

const address = textThat((value) => isIP(value) !== 0 && !value.includes('%'), 'an IP address without zone');
const protocol = optionalText(oneOf('TCP', 'UDP', 'SCTP'), 'TCP');

const readType = optionalText(oneOf('ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'), 'ClusterIP');
const readClusterIP = optionalText(textThat((value) => value === 'None' || isIP(value) !== 0, 'an IP address or None'), '');
/** The API server allows one trailing dot. */
const externalName: Read<string> = (value, at) => subdomain(typeof value === 'string' && value.endsWith('.') ? value.slice(0, -1) : value, at);
const portName = optionalText(label, '');
const targetPortName = textThat((value) => isLabel(value) && /[a-z]/.test(value), 'a whole number from 1 to 65535, or the name of a port, which holds at least one letter');
const readTargetPort: Read<number | string> = (value, at) => (typeof value === 'number' ? portNumber(value, at) : targetPortName(value, at));

const readServicePorts = list((value, at): ServicePort => {
  const of = fields(value, at);
  const port = field(of, 'port', portNumber, at);
  const targetPort = field(of, 'targetPort', optional(readTargetPort, undefined), at);
  return {
    name: field(of, 'name', portName, at),
    protocol: field(of, 'protocol', protocol, at),
    appProtocol: field(of, 'appProtocol', anyText, at),
    port,
    targetPort: targetPort ?? port,
  };
});

const readIngressPoints = list((value, at) => {
  const of = fields(value, at);
  return { ip: field(of, 'ip', optionalText(address, ''), at), hostname: field(of, 'hostname', anyText, at) };
});
const readAddresses = list(address);

export function readService(object: Fields, metadata: Metadata, at: Reading): Service {
  at.enter('spec');
  const spec = fields(object.spec, at);
  const type = field(spec, 'type', readType, at);
  const clusterIP = field(spec, 'clusterIP', readClusterIP, at);
  const external = type === 'ExternalName' ? field(spec, 'externalName', externalName, at) : '';
  const ports = field(spec, 'ports', readServicePorts, at);
  const externalIPs = field(spec, 'externalIPs', readAddresses, at);
  at.leave();
  return { kind: 'Service', metadata, type, clusterIP, externalName: external, ports, loadBalancerIngress: readStatus(object, at), externalIPs };
}

function readStatus(object: Fields, at: Reading): Service['loadBalancerIngress'] {
  if (object.status === undefined || object.status === null) return [];
  at.enter('status');
  const loadBalancer = field(fields(object.status, at), 'loadBalancer', optional(fields, {}), at);
  at.enter('loadBalancer');
  const points = field(loadBalancer, 'ingress', readIngressPoints, at);
  at.leave();
  at.leave();
  return points;
}

const readAddressType = oneOf('IPv4', 'IPv6', 'FQDN');
const ADDRESS_OF = { IPv4: list(ipv4), IPv6: list(ipv6), FQDN: list(subdomain) };

const readSlicePorts = list((value, at): SlicePort => {
  const of = fields(value, at);
  return {
    name: field(of, 'name', portName, at),
    protocol: field(of, 'protocol', protocol, at),
    port: field(of, 'port', optional(portNumber, undefined), at),
    appProtocol: field(of, 'appProtocol', anyText, at),
  };
});

/** discovery/v1 EndpointConditions: a nil `ready` or `serving` is to be taken as true, a nil `terminating` as false. */
const unsetTrue = optional(boolean, true);
const unsetFalse = optional(boolean, false);
const readConditions = optional(fields, {});

const sliceEndpoint = (readSliceAddresses: Read<readonly string[]>): Read<SliceEndpoint> => (value, at) => {
  const of = fields(value, at);
  const addresses = field(of, 'addresses', readSliceAddresses, at);
  const conditions = field(of, 'conditions', readConditions, at);
  at.enter('conditions');
  const ready = field(conditions, 'ready', unsetTrue, at);
  const serving = field(conditions, 'serving', unsetTrue, at);
  const terminating = field(conditions, 'terminating', unsetFalse, at);
  at.leave();
  return { addresses, ready, serving, terminating, zone: field(of, 'zone', anyText, at), nodeName: field(of, 'nodeName', anyText, at) };
};
const ENDPOINTS_OF = { IPv4: list(sliceEndpoint(ADDRESS_OF.IPv4)), IPv6: list(sliceEndpoint(ADDRESS_OF.IPv6)), FQDN: list(sliceEndpoint(ADDRESS_OF.FQDN)) };

export function readEndpointSlice(object: Fields, metadata: Metadata, at: Reading): EndpointSlice {
  const addressType = field(object, 'addressType', readAddressType, at);
  return {
    kind: 'EndpointSlice',
    metadata,
    serviceName: metadata.labels.get(SERVICE_NAME_LABEL) ?? '',
    addressType,
    ports: field(object, 'ports', readSlicePorts, at),
    endpoints: field(object, 'endpoints', ENDPOINTS_OF[addressType], at),
  };
}

const readSubsetAddresses = list((value, at): string => field(fields(value, at), 'ip', address, at));

const readSubsets = list((value, at) => {
  const of = fields(value, at);
  return {
    addresses: field(of, 'addresses', readSubsetAddresses, at),
    notReadyAddresses: field(of, 'notReadyAddresses', readSubsetAddresses, at),
    ports: field(of, 'ports', readSlicePorts, at),
  };
});

export function readEndpoints(object: Fields, metadata: Metadata, at: Reading): Endpoints {
  return { kind: 'Endpoints', metadata, subsets: field(object, 'subsets', readSubsets, at) };
}
