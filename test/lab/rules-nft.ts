// kube-proxy's rules of one node in the form of its nftables mode: verdict maps from address, protocol and port to a chain
// per Service, and one chain per endpoint. With them flannel's masquerading, and a node that forwards nothing else.
import { POD_NETWORK, bracketed, podSubnet } from './addresses.ts';
import type { Family } from './addresses.ts';
import { kubeHash, servicePortName } from './kube-chains.ts';
import type { Service, ServiceEndpoint } from './spec.ts';

/** A script for `nft -f -` that puts the rules in force, whatever was there before. */
export function nftRules(services: readonly Service[], node: number, families: readonly Family[]): string {
  return families.map((family) => nodeTable(services.filter((service) => service.family === family), node, family)).join('');
}

function nodeTable(services: readonly Service[], node: number, family: Family): string {
  const ip = family === 'IPv4' ? 'ip' : 'ip6';
  const pods = POD_NETWORK[family];
  const key = (service: Service): string => `${service.clusterIP} . ${protocolOf(service)} . ${service.port}`;
  const portKey = (service: Service): string => `${protocolOf(service)} . ${service.nodePort}`;
  const live = services.filter((service) => service.endpoints.length > 0);
  const empty = services.filter((service) => service.endpoints.length === 0);
  const open = (list: readonly Service[]): Service[] => list.filter((service) => service.nodePort !== undefined);
  const addressType = family === 'IPv4' ? 'ipv4_addr' : 'ipv6_addr';

  return `table ${ip} kube-proxy
delete table ${ip} kube-proxy
table ${ip} kube-proxy {
  map service-ips {
    type ${addressType} . inet_proto . inet_service : verdict
    ${elements(live.map((service) => `${key(service)} : goto ${chain('service', service)}`))}
  }
  map service-nodeports {
    type inet_proto . inet_service : verdict
    ${elements(open(live).map((service) => `${portKey(service)} : goto ${chain('external', service)}`))}
  }
  map no-endpoint-services {
    type ${addressType} . inet_proto . inet_service : verdict
    ${elements(empty.map((service) => `${key(service)} : goto reject-chain`))}
  }
  map no-endpoint-nodeports {
    type inet_proto . inet_service : verdict
    ${elements(open(empty).map((service) => `${portKey(service)} : goto reject-chain`))}
  }
  chain nat-prerouting {
    type nat hook prerouting priority dstnat
    jump services
  }
  chain nat-output {
    type nat hook output priority -100
    jump services
  }
  chain nat-postrouting {
    type nat hook postrouting priority srcnat
    jump masquerading
    ${ip} saddr ${pods} ${ip} daddr ${pods} return
    ${ip} saddr ${pods} ${ip} daddr != ${family === 'IPv4' ? '224.0.0.0/4' : 'ff00::/8'} masquerade fully-random
    ${ip} saddr != ${pods} ${ip} daddr ${podSubnet(node, family)} return
    ${ip} saddr != ${pods} ${ip} daddr ${pods} masquerade fully-random
  }
  chain filter-input {
    type filter hook input priority 0
    ct state new jump endpoints-check
  }
  chain filter-output {
    type filter hook output priority 0
    ct state new jump endpoints-check
  }
  chain filter-forward {
    type filter hook forward priority 0; policy drop
    ct state new jump endpoints-check
    ct state established,related accept
    meta mark & 0x4000 == 0x4000 accept
    ${ip} saddr ${pods} accept
    ${ip} daddr ${pods} accept
  }
  chain services {
    ${ip} daddr . meta l4proto . th dport vmap @service-ips
    fib daddr type local meta l4proto . th dport vmap @service-nodeports
  }
  chain endpoints-check {
    ${ip} daddr . meta l4proto . th dport vmap @no-endpoint-services
    fib daddr type local meta l4proto . th dport vmap @no-endpoint-nodeports
  }
  chain reject-chain {
    reject
  }
  chain mark-for-masquerade {
    meta mark set meta mark | 0x4000
  }
  chain masquerading {
    meta mark & 0x4000 == 0 return
    meta mark set meta mark ^ 0x4000
    masquerade fully-random
  }
${live.map((service) => serviceChains(service, node, family)).join('')}}
`;
}

function serviceChains(service: Service, node: number, family: Family): string {
  const ip = family === 'IPv4' ? 'ip' : 'ip6';
  const pods = POD_NETWORK[family];
  const protocol = protocolOf(service);
  const local = service.endpoints.filter((endpoint) => endpoint.node === node);
  // With policy Local pods and the node itself may still go anywhere; who comes from outside stays on this node.
  const external = service.externalTrafficPolicy === 'Cluster'
    ? `jump mark-for-masquerade
    goto ${chain('service', service)}`
    : `${ip} saddr ${pods} goto ${chain('service', service)}
    fib saddr type local jump mark-for-masquerade
    fib saddr type local goto ${chain('service', service)}
    ${local.length === 0 ? 'drop' : spread(service, local)}`;
  return `  chain ${chain('service', service)} {
    ${ip} daddr ${service.clusterIP} ${protocol} dport ${service.port} ${ip} saddr != ${pods} jump mark-for-masquerade
    ${spread(service, service.endpoints)}
  }
  chain ${chain('external', service)} {
    ${external}
  }
${service.endpoints.map((endpoint) => `  chain ${endpointName(service, endpoint)} {
    ${ip} saddr ${endpoint.address} jump mark-for-masquerade
    meta l4proto ${protocol} dnat to ${bracketed(endpoint.address)}:${service.targetPort}
  }
`).join('')}`;
}

/** Each endpoint with the same chance. */
function spread(service: Service, endpoints: readonly ServiceEndpoint[]): string {
  const verdicts = endpoints.map((endpoint, index) => `${index} : goto ${endpointName(service, endpoint)}`);
  return `numgen random mod ${endpoints.length} vmap { ${verdicts.join(', ')} }`;
}

function elements(entries: readonly string[]): string {
  return entries.length === 0 ? '' : `elements = { ${entries.join(', ')} }`;
}

function protocolOf(service: Service): string {
  return service.protocol.toLowerCase();
}

function chain(kind: 'service' | 'external', service: Service): string {
  const name = servicePortName(service);
  return `${kind}-${kubeHash(name + protocolOf(service)).slice(0, 8)}-${service.namespace}/${service.name}/${protocolOf(service)}`;
}

function endpointName(service: Service, endpoint: ServiceEndpoint): string {
  const address = `${endpoint.address}/${service.targetPort}`;
  return `endpoint-${kubeHash(servicePortName(service) + protocolOf(service) + address).slice(0, 8)}-${service.namespace}/${service.name}/${protocolOf(service)}__${address.replaceAll(':', '.')}`;
}
