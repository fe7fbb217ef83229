// Links, addresses and routes of a cluster, as batches of `ip` and `bridge`: what the data centre (network `net`), the CNI
// bridge plugin (cni0 and the pods' pairs) and flanneld (flannel.1 with its neighbours, forwarding entries and routes) set up.
import { CLIENT, GATEWAY, LOAD_BALANCER, OVERLAY_MTU, POD_NETWORK, VXLAN_PORT, machineAddress, nodeHost, overlayAddress, overlayMac, podGateway, podSubnet } from './addresses.ts';
import type { Family } from './addresses.ts';
import type { Pod } from './spec.ts';

/** What is to be done in one namespace: settings under /proc/sys/net first, then links. */
export interface Batch {
  readonly host: string;
  readonly sysctls: readonly string[];
  readonly ip: readonly string[];
  /** After all links of all namespaces are there. */
  readonly bridge: readonly string[];
}

export function nodeName(node: number): string {
  return `node${node}`;
}

/** The node's end of a pod's pair. */
export function podLink(pod: string): string {
  return `veth-${pod}`;
}

/** Batches in the order in which they must run. */
export function linkBatches(nodes: number, pods: readonly Pod[], ipv6: boolean): Batch[] {
  const families: Family[] = ipv6 ? ['IPv4', 'IPv6'] : ['IPv4'];
  const machines = [
    { host: 'client', number: CLIENT, name: 'client' },
    { host: 'lb', number: LOAD_BALANCER, name: 'lb' },
    ...numbers(nodes).map((node) => ({ host: nodeName(node), number: nodeHost(node), name: nodeName(node) })),
  ];
  return [
    {
      host: 'net',
      sysctls: common(ipv6),
      ip: [
        'link add br0 type bridge',
        ...families.map((family) => addressLine(machineAddress(GATEWAY, family), family, 'br0')),
        'link set br0 up',
        ...machines.flatMap(({ host }) => [`link add u-${host} type veth peer name eth0 netns ${namespaceMark(host)}`, `link set u-${host} master br0`, `link set u-${host} up`]),
      ],
      bridge: [],
    },
    ...machines.filter(({ host }) => host === 'client' || host === 'lb').map(({ host, number }) => ({
      host,
      sysctls: [...common(ipv6), ...(host === 'lb' ? ['ipv4/ip_forward=1'] : [])],
      ip: ['link set lo up', 'link set eth0 up', ...families.map((family) => addressLine(machineAddress(number, family), family, 'eth0'))],
      bridge: [],
    })),
    ...numbers(nodes).map((node) => nodeBatch(node, nodes, pods.filter((pod) => pod.node === node), families)),
    ...pods.map((pod) => podBatch(pod, families)),
  ];
}

/** Stands for the full name of a host's namespace, which only the running lab knows. */
export function namespaceMark(host: string): string {
  return `{${host}}`;
}

function nodeBatch(node: number, nodes: number, pods: readonly Pod[], families: readonly Family[]): Batch {
  const ipv6 = families.includes('IPv6');
  const others = numbers(nodes).filter((other) => other !== node);
  const overlays = families.map((family) => {
    const device = family === 'IPv4' ? 'flannel.1' : 'flannel-v6.1';
    return {
      ip: [
        `link add ${device} address ${overlayMac(node, family)} mtu ${OVERLAY_MTU - (family === 'IPv6' ? 20 : 0)} type vxlan id 1 local ${machineAddress(nodeHost(node), family)} dev eth0 dstport ${VXLAN_PORT} nolearning`,
        `addr add ${overlayAddress(node, family)}/${family === 'IPv4' ? 32 : 128} dev ${device}${family === 'IPv6' ? ' nodad' : ''}`,
        `link set ${device} up`,
        ...others.flatMap((other) => [
          `neigh replace ${overlayAddress(other, family)} lladdr ${overlayMac(other, family)} dev ${device} nud permanent`,
          `route replace ${podSubnet(other, family)} via ${overlayAddress(other, family)} dev ${device} onlink`,
        ]),
      ],
      bridge: others.map((other) => `fdb replace ${overlayMac(other, family)} dev ${device} dst ${machineAddress(nodeHost(other), family)} self permanent`),
    };
  });
  return {
    host: nodeName(node),
    // Without the bridge settings a pod would get answers of its own node's pods past the Service's address translation.
    sysctls: [...common(ipv6), 'ipv4/ip_forward=1', 'bridge/bridge-nf-call-iptables=1', ...(ipv6 ? ['ipv6/conf/all/forwarding=1', 'bridge/bridge-nf-call-ip6tables=1'] : [])],
    ip: [
      'link set lo up',
      'link set eth0 up',
      ...families.map((family) => addressLine(machineAddress(nodeHost(node), family), family, 'eth0')),
      ...families.map((family) => `route add default via ${machineAddress(GATEWAY, family)}`),
      `link add cni0 mtu ${OVERLAY_MTU} type bridge`,
      'link set cni0 up',
      knownNeighbours('cni0'),
      ...families.map((family) => addressLine(podGateway(node, family), family, 'cni0')),
      ...overlays.flatMap((overlay) => overlay.ip),
      ...pods.flatMap(({ name }) => [
        `link add ${podLink(name)} mtu ${OVERLAY_MTU} type veth peer name eth0 mtu ${OVERLAY_MTU} netns ${namespaceMark(name)}`,
        `link set ${podLink(name)} master cni0`,
        `link set ${podLink(name)} type bridge_slave hairpin on`,
        `link set ${podLink(name)} up`,
      ]),
    ],
    bridge: overlays.flatMap((overlay) => overlay.bridge),
  };
}

function podBatch(pod: Pod, families: readonly Family[]): Batch {
  return {
    host: pod.name,
    // As container runtimes have it: a process without root may listen on port 80 of its pod.
    sysctls: [...common(families.includes('IPv6')), 'ipv4/ip_unprivileged_port_start=0'],
    ip: [
      'link set lo up',
      'link set eth0 up',
      knownNeighbours('eth0'),
      ...families.flatMap((family) => [
        addressLine(family === 'IPv4' ? pod.ipv4 : pod.ipv6, family, 'eth0'),
        `route add default via ${podGateway(pod.node, family)}`,
        `route add ${POD_NETWORK[family]} via ${podGateway(pod.node, family)}`,
      ]),
    ],
    bridge: [],
  };
}

/** Remembered metrics would make a connection depend on those before it; IPv6 where nobody uses it sends packets of its own. */
function common(ipv6: boolean): string[] {
  const off = ipv6 ? 0 : 1;
  return [`ipv6/conf/all/disable_ipv6=${off}`, `ipv6/conf/default/disable_ipv6=${off}`, 'ipv4/tcp_no_metrics_save=1'];
}

/** Neighbours stay known for an hour: a node sends to one that it must ask for again by another way, so that counts would differ. */
function knownNeighbours(device: string): string {
  return `ntable change name arp_cache dev ${device} base_reachable 3600000`;
}

/** IPv6 addresses without the second in which the kernel looks for duplicates. */
function addressLine(address: string, family: Family, device: string): string {
  return family === 'IPv4' ? `addr add ${address}/24 dev ${device}` : `addr add ${address}/64 dev ${device} nodad`;
}

export function numbers(count: number): number[] {
  return Array.from({ length: count }, (_unset, index) => index + 1);
}
