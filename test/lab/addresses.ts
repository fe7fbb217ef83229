// The address plan. Every lab uses the same addresses: only the names of its namespaces differ, so that many run at once.
//
//   192.168.77.0/24   fd00:77::/64          the network between the machines: .1 gateway, .11, .12 … nodes, .20 load balancer, .100 client
//   10.244.N.0/24     fd00:10:244:N::/64    pods of node N, from .10
//   10.96.0.0/12      fd00:10:96::/112      Services

export type Family = 'IPv4' | 'IPv6';

export const POD_NETWORK = { IPv4: '10.244.0.0/16', IPv6: 'fd00:10:244::/48' } as const;
export const DNS_ADDRESS = '10.96.0.10';
/** The overlay's devices hold VXLAN packets of this size in a network of 1500. */
export const OVERLAY_MTU = 1450;
export const VXLAN_PORT = 8472;

/** Address on the network between the machines, without prefix length. */
export function machineAddress(host: number, family: Family): string {
  return family === 'IPv4' ? `192.168.77.${host}` : `fd00:77::${host}`;
}

/** Last part of a node's address there. */
export function nodeHost(node: number): number {
  return 10 + node;
}

export const GATEWAY = 1;
export const LOAD_BALANCER = 20;
export const CLIENT = 100;

/** The pods' network of one node. */
export function podSubnet(node: number, family: Family): string {
  return family === 'IPv4' ? `10.244.${node}.0/24` : `fd00:10:244:${node}::/64`;
}

/** The node's own address in it: the pods' gateway. */
export function podGateway(node: number, family: Family): string {
  return family === 'IPv4' ? `10.244.${node}.1` : `fd00:10:244:${node}::1`;
}

/** The address of the node's end of the overlay, which is the first of its pods' network, as flanneld has it. */
export function overlayAddress(node: number, family: Family): string {
  return family === 'IPv4' ? `10.244.${node}.0` : `fd00:10:244:${node}::`;
}

export function overlayMac(node: number, family: Family): string {
  return `02:f${family === 'IPv4' ? 1 : 6}:00:00:00:${node.toString(16).padStart(2, '0')}`;
}

/** `index`: the pod's place on its node, from 0. */
export function podAddress(node: number, index: number, family: Family): string {
  return family === 'IPv4' ? `10.244.${node}.${10 + index}` : `fd00:10:244:${node}::${10 + index}`;
}

/** An address as it stands in a URL or before a port. */
export function bracketed(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}
