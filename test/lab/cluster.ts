// A cluster on one machine: its network, its kube-proxy rules and its DNS, and what a test may do to them.
import { spawnSync } from 'node:child_process';
import { CLIENT, DNS_ADDRESS, LOAD_BALANCER, machineAddress, nodeHost } from './addresses.ts';
import type { Family } from './addresses.ts';
import { serveDns } from './dns.ts';
import type { Records } from './dns.ts';
import { Host } from './host.ts';
import { linkBatches, nodeName, numbers } from './links.ts';
import type { Batch } from './links.ts';
import { iptablesRules } from './rules-iptables.ts';
import { nftRules } from './rules-nft.ts';
import { placePods, placeService } from './spec.ts';
import type { ClusterSpec, Pod, PodSpec, Service, ServiceSpec } from './spec.ts';
import { tool } from './tools.ts';

const DNS_POD: PodSpec = { name: 'dns', node: 1 };
const DNS_SERVICE: ServiceSpec = { namespace: 'kube-system', name: 'kube-dns', protocol: 'UDP', clusterIP: DNS_ADDRESS, port: 53, targetPort: 53, pods: ['dns'] };

let clusters = 0;

export class Cluster {
  /** The machine of a user, outside. */
  readonly client: Host;
  /** The machine for a load balancer in front of the nodes. */
  readonly lb: Host;
  readonly nodes: readonly Host[];
  readonly pods: readonly Pod[];
  /** What the names of its namespaces begin with. */
  readonly prefix: string;
  readonly #spec: ClusterSpec;
  readonly #hosts = new Map<string, Host>();
  #services: readonly Service[] = [];

  constructor(spec: ClusterSpec, prefix: string) {
    this.#spec = spec;
    this.prefix = prefix;
    const nodes = spec.nodes ?? 2;
    this.pods = placePods([...spec.pods, ...(spec.dns === true ? [DNS_POD] : [])]);
    const machine = (name: string, number: number): Host => this.#addHost(name, machineAddress(number, 'IPv4'), machineAddress(number, 'IPv6'));
    this.#addHost('net', '', '');
    this.client = machine('client', CLIENT);
    this.lb = machine('lb', LOAD_BALANCER);
    this.nodes = numbers(nodes).map((node) => machine(nodeName(node), nodeHost(node)));
    for (const pod of this.pods) this.#addHost(pod.name, pod.ipv4, pod.ipv6);
    this.#makeLinks(linkBatches(nodes, this.pods, spec.ipv6 === true));
    this.setServices(spec.services ?? []);
  }

  /** Node by number, from 1. */
  node(node: number): Host {
    return this.#host(nodeName(node));
  }

  pod(name: string): Host {
    return this.#host(name);
  }

  services(): readonly Service[] {
    return this.#services;
  }

  /** Replaces all Services, and with them the rules of every node and the answers of DNS. */
  setServices(services: readonly ServiceSpec[]): void {
    const all = this.#spec.dns === true ? [...services, DNS_SERVICE] : services;
    this.#services = all.map((service) => placeService(service, this.pods));
    this.nodes.forEach((host, index) => this.#loadRules(host, index + 1));
  }

  /** Pulls the node's plug. */
  cutLink(node: number): void {
    this.#host('net').must(tool('ip'), ['link', 'set', `u-${nodeName(node)}`, 'down']);
  }

  restoreLink(node: number): void {
    this.#host('net').must(tool('ip'), ['link', 'set', `u-${nodeName(node)}`, 'up']);
  }

  /** From now on every node loses this share of what arrives from other machines; 0 ends it. */
  losePackets(percent: number): void {
    const chain = percent === 0 ? '' : `chain ingress {\ntype filter hook ingress device "eth0" priority -10\nnumgen random mod 100 < ${percent} drop\n}\n`;
    for (const node of this.nodes) node.must(tool('nft'), ['-f', '-'], `table netdev loss\ndelete table netdev loss\ntable netdev loss {\n${chain}}\n`);
  }

  /** Ends all programs and namespaces. */
  dispose(): void {
    for (const host of this.#hosts.values()) host.dispose();
    ip(['-batch', '-'], [...this.#hosts.values()].map((host) => `netns del ${this.prefix}${host.name}`).join('\n'));
    this.#hosts.clear();
  }

  /** Starts the DNS server. */
  async startDns(): Promise<void> {
    serveDns(await this.pod(DNS_POD.name).bindUdp(DNS_SERVICE.targetPort), () => this.#records());
  }

  #addHost(name: string, ipv4: string, ipv6: string): Host {
    const host = new Host(name, `/run/netns/${this.prefix}${name}`, ipv4, ipv6);
    this.#hosts.set(name, host);
    return host;
  }

  #host(name: string): Host {
    const host = this.#hosts.get(name);
    if (host === undefined) throw new Error(`the cluster has no ${name}`);
    return host;
  }

  #makeLinks(batches: readonly Batch[]): void {
    ip(['-batch', '-'], batches.map(({ host }) => `netns add ${this.prefix}${host}`).join('\n'));
    // Written by a process in the namespace: /proc/sys/net is that of the one who opens it.
    const settings = batches.map(({ host, sysctls }) => {
      const lines = sysctls.map((setting) => `echo ${setting.split('=')[1]} > /proc/sys/net/${setting.split('=')[0]}`);
      return `'${tool('nsenter')}' --net=${this.#host(host).path} sh -ec '${lines.join('; ')}'`;
    });
    run('sh', ['-ec', settings.join('\n')], '');
    const named = (line: string): string => line.replace(/\{[\w-]+\}/, (mark) => this.prefix + mark.slice(1, -1));
    for (const { host, ip: lines } of batches) ip(['-n', this.prefix + host, '-batch', '-'], lines.map(named).join('\n'));
    for (const { host, bridge } of batches) if (bridge.length > 0) run(tool('bridge'), ['-n', this.prefix + host, '-batch', '-'], bridge.join('\n'));
  }

  #loadRules(host: Host, node: number): void {
    const families: readonly Family[] = this.#spec.ipv6 === true ? ['IPv4', 'IPv6'] : ['IPv4'];
    if (this.#spec.rules !== 'iptables') {
      host.must(tool('nft'), ['-f', '-'], nftRules(this.#services, node, families));
      return;
    }
    for (const family of families) host.must(tool(family === 'IPv4' ? 'iptables-restore' : 'ip6tables-restore'), [], iptablesRules(this.#services, node, family));
  }

  #records(): Records {
    return new Map(this.#services.map((service) => [`${service.name}.${service.namespace}.svc.cluster.local`, [service.clusterIP]]));
  }
}

/** Makes a cluster; some 150 to 300 ms. Call `dispose` in the end: also if a test fails. */
export async function createCluster(spec: ClusterSpec): Promise<Cluster> {
  clusters += 1;
  const cluster = new Cluster(spec, `l${process.pid}-${clusters}-`);
  if (spec.dns === true) await cluster.startDns();
  return cluster;
}

function ip(args: readonly string[], input: string): void {
  run(tool('ip'), args, `${input}\n`);
}

function run(command: string, args: readonly string[], input: string): void {
  const result = spawnSync(command, args, { input, encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`${command} ${args.join(' ')}: ${result.error?.message ?? result.stderr}\n${input}`);
}

