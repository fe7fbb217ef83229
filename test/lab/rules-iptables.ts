// The same policy as rules-nft.ts in the form of kube-proxy's iptables mode, with its own chain names, and flannel's: what
// `iptables-save` shows on most nodes in the world.
import { POD_NETWORK, bracketed, podSubnet } from './addresses.ts';
import type { Family } from './addresses.ts';
import { endpointChain, serviceChain, servicePortName } from './kube-chains.ts';
import type { ChainKind } from './kube-chains.ts';
import type { Service, ServiceEndpoint } from './spec.ts';

/** The input of `iptables-restore` (IPv4) or `ip6tables-restore`, which replaces whatever was there before. */
export function iptablesRules(all: readonly Service[], node: number, family: Family): string {
  const services = all.filter((service) => service.family === family);
  const live = services.filter((service) => service.endpoints.length > 0);
  const rules = [...live.flatMap((service) => serviceRules(service, node, family)), ...entryRules(live, family), ...masqueradeRules(node, family)];
  const reject = services.filter((service) => service.endpoints.length === 0).flatMap((service) => rejectRules(service, family));
  const pods = POD_NETWORK[family];
  return [
    '*filter',
    ':INPUT ACCEPT [0:0]',
    ':FORWARD DROP [0:0]',
    ':OUTPUT ACCEPT [0:0]',
    ':KUBE-EXTERNAL-SERVICES - [0:0]',
    ':KUBE-FORWARD - [0:0]',
    ':KUBE-SERVICES - [0:0]',
    ':FLANNEL-FWD - [0:0]',
    '-A INPUT -m conntrack --ctstate NEW -j KUBE-EXTERNAL-SERVICES',
    '-A FORWARD -j KUBE-FORWARD',
    '-A FORWARD -m conntrack --ctstate NEW -j KUBE-SERVICES',
    '-A FORWARD -j FLANNEL-FWD',
    '-A OUTPUT -m conntrack --ctstate NEW -j KUBE-SERVICES',
    '-A KUBE-FORWARD -m mark --mark 0x4000/0x4000 -j ACCEPT',
    '-A KUBE-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
    `-A FLANNEL-FWD -s ${pods} -j ACCEPT`,
    `-A FLANNEL-FWD -d ${pods} -j ACCEPT`,
    ...reject,
    ...live.flatMap((service) => noLocalRules(service, node)),
    'COMMIT',
    '*nat',
    ':PREROUTING ACCEPT [0:0]',
    ':INPUT ACCEPT [0:0]',
    ':OUTPUT ACCEPT [0:0]',
    ':POSTROUTING ACCEPT [0:0]',
    ...chainsOf(rules).map((chain) => `:${chain} - [0:0]`),
    '-A PREROUTING -j KUBE-SERVICES',
    '-A OUTPUT -j KUBE-SERVICES',
    '-A POSTROUTING -j KUBE-POSTROUTING',
    '-A POSTROUTING -j FLANNEL-POSTRTG',
    ...rules,
    'COMMIT',
    '',
  ].join('\n');
}

/** All chains that rules are added to. */
function chainsOf(rules: readonly string[]): string[] {
  return [...new Set(rules.map((rule) => rule.split(' ')[1] as string))];
}

function entryRules(services: readonly Service[], family: Family): string[] {
  return [
    ...services.map((service) => `-A KUBE-SERVICES -d ${service.clusterIP}/${bits(family)} ${match(service)} --dport ${service.port} -j ${chain('SVC', service)}`),
    '-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS',
    '-A KUBE-NODEPORTS -m comment --comment "none matched" -j RETURN',
    '-A KUBE-MARK-MASQ -j MARK --or-mark 0x4000',
  ];
}

function serviceRules(service: Service, node: number, family: Family): string[] {
  const rules = [
    `-A ${chain('SVC', service)} ! -s ${POD_NETWORK[family]} -d ${service.clusterIP}/${bits(family)} ${match(service)} --dport ${service.port} -j KUBE-MARK-MASQ`,
    ...spread(chain('SVC', service), service, service.endpoints),
    ...service.endpoints.flatMap((endpoint) => [
      `-A ${separate(service, endpoint)} -s ${endpoint.address}/${bits(family)} -j KUBE-MARK-MASQ`,
      `-A ${separate(service, endpoint)} ${match(service)} -j DNAT --to-destination ${target(service, endpoint)}`,
    ]),
  ];
  if (service.nodePort === undefined) return rules;
  const external = chain('EXT', service);
  rules.push(`-A KUBE-NODEPORTS ${match(service)} --dport ${service.nodePort} -j ${external}`);
  if (service.externalTrafficPolicy === 'Cluster') {
    rules.push(`-A ${external} -j KUBE-MARK-MASQ`, `-A ${external} -j ${chain('SVC', service)}`);
    return rules;
  }
  const local = chain('SVL', service);
  const here = service.endpoints.filter((endpoint) => endpoint.node === node);
  rules.push(
    `-A ${external} -s ${POD_NETWORK[family]} -j ${chain('SVC', service)}`,
    `-A ${external} -m addrtype --src-type LOCAL -j KUBE-MARK-MASQ`,
    `-A ${external} -m addrtype --src-type LOCAL -j ${chain('SVC', service)}`,
    `-A ${external} -j ${local}`,
  );
  // Without an endpoint here nothing is translated, and the filter table drops it (noLocalRules).
  if (here.length === 0) rules.push(`-A ${local} -j RETURN`);
  else rules.push(...spread(local, service, here));
  return rules;
}

/** Each endpoint with the same chance: 1/n, then 1/(n-1) of what is left, and so on. */
function spread(from: string, service: Service, endpoints: readonly ServiceEndpoint[]): string[] {
  return endpoints.map((endpoint, index) => {
    const left = endpoints.length - index;
    const chance = left === 1 ? '' : ` -m statistic --mode random --probability ${(1 / left).toFixed(11)}`;
    return `-A ${from} -m comment --comment "${servicePortName(service)} -> ${target(service, endpoint)}"${chance} -j ${separate(service, endpoint)}`;
  });
}

function rejectRules(service: Service, family: Family): string[] {
  const reject = `-j REJECT --reject-with ${family === 'IPv4' ? 'icmp-port-unreachable' : 'icmp6-port-unreachable'}`;
  const comment = `-m comment --comment "${servicePortName(service)} has no endpoints"`;
  const rules = [`-A KUBE-SERVICES -d ${service.clusterIP}/${bits(family)} ${match(service)} --dport ${service.port} ${comment} ${reject}`];
  if (service.nodePort !== undefined) rules.push(`-A KUBE-EXTERNAL-SERVICES -m addrtype --dst-type LOCAL ${match(service)} --dport ${service.nodePort} ${comment} ${reject}`);
  return rules;
}

/** Who asks a node that has no endpoint of a Service with policy Local gets no answer. */
function noLocalRules(service: Service, node: number): string[] {
  if (service.nodePort === undefined || service.externalTrafficPolicy === 'Cluster' || service.endpoints.some((endpoint) => endpoint.node === node)) return [];
  return [`-A KUBE-EXTERNAL-SERVICES -m addrtype --dst-type LOCAL ${match(service)} --dport ${service.nodePort} -m comment --comment "${servicePortName(service)} has no local endpoints" -j DROP`];
}

function masqueradeRules(node: number, family: Family): string[] {
  const pods = POD_NETWORK[family];
  return [
    '-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN',
    '-A KUBE-POSTROUTING -j MARK --xor-mark 0x4000',
    '-A KUBE-POSTROUTING -j MASQUERADE --random-fully',
    `-A FLANNEL-POSTRTG -s ${pods} -d ${pods} -j RETURN`,
    `-A FLANNEL-POSTRTG -s ${pods} ! -d ${family === 'IPv4' ? '224.0.0.0/4' : 'ff00::/8'} -j MASQUERADE --random-fully`,
    `-A FLANNEL-POSTRTG ! -s ${pods} -d ${podSubnet(node, family)} -j RETURN`,
    `-A FLANNEL-POSTRTG ! -s ${pods} -d ${pods} -j MASQUERADE --random-fully`,
  ];
}

function match(service: Service): string {
  const protocol = service.protocol.toLowerCase();
  return `-p ${protocol} -m ${protocol}`;
}

function target(service: Service, endpoint: ServiceEndpoint): string {
  return `${bracketed(endpoint.address)}:${service.targetPort}`;
}

function chain(kind: ChainKind, service: Service): string {
  return serviceChain(kind, servicePortName(service), service.protocol);
}

function separate(service: Service, endpoint: ServiceEndpoint): string {
  return endpointChain(servicePortName(service), service.protocol, target(service, endpoint));
}

function bits(family: Family): number {
  return family === 'IPv4' ? 32 : 128;
}
