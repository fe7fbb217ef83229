// What a test asks for: nodes, pods and Services, as plain data. The lab places them: addresses follow from names and order.
import { podAddress } from './addresses.ts';
import type { Family } from './addresses.ts';

export interface PodSpec {
  readonly name: string;
  /** Number of its node, from 1. */
  readonly node: number;
}

export interface ServiceSpec {
  /** `default` if absent. */
  readonly namespace?: string;
  readonly name: string;
  /** IPv4 if absent. The lab's Services have one family each. */
  readonly family?: Family;
  readonly protocol?: 'TCP' | 'UDP';
  readonly clusterIP: string;
  readonly port: number;
  readonly targetPort: number;
  /** 30000 to 32767; absent: the Service is reachable inside only. */
  readonly nodePort?: number;
  /** `Local`: only pods of the node that was asked, and they see the client's own address. */
  readonly externalTrafficPolicy?: 'Cluster' | 'Local';
  /** Names of its pods. */
  readonly pods: readonly string[];
}

export interface ClusterSpec {
  /** 2 if absent. */
  readonly nodes?: number;
  readonly pods: readonly PodSpec[];
  readonly services?: readonly ServiceSpec[];
  /** In which language kube-proxy's rules are loaded; nft if absent. */
  readonly rules?: 'nft' | 'iptables';
  /** Everything has an IPv6 address too. */
  readonly ipv6?: boolean;
  /** A pod `dns` and the Service kube-system/kube-dns, which knows every Service by name. */
  readonly dns?: boolean;
}

export interface Pod extends PodSpec {
  readonly ipv4: string;
  readonly ipv6: string;
}

export interface ServiceEndpoint {
  readonly pod: string;
  readonly node: number;
  readonly address: string;
}

export interface Service extends Required<Omit<ServiceSpec, 'nodePort' | 'pods'>> {
  readonly nodePort: number | undefined;
  readonly endpoints: readonly ServiceEndpoint[];
}

/** The name of the one port that each Service of the lab has. */
export const PORT_NAME = 'http';

/** Addresses for pods, in order on each node. */
export function placePods(pods: readonly PodSpec[]): Pod[] {
  const onNode = new Map<number, number>();
  return pods.map((pod) => {
    const index = onNode.get(pod.node) ?? 0;
    onNode.set(pod.node, index + 1);
    return { ...pod, ipv4: podAddress(pod.node, index, 'IPv4'), ipv6: podAddress(pod.node, index, 'IPv6') };
  });
}

/** Fills in what was left out, and looks the pods up. Throws on a pod that does not exist. */
export function placeService(spec: ServiceSpec, pods: readonly Pod[]): Service {
  const family = spec.family ?? 'IPv4';
  const endpoints = spec.pods.map((name) => {
    const pod = pods.find((candidate) => candidate.name === name);
    if (pod === undefined) throw new Error(`Service ${spec.name}: there is no pod ${name}`);
    return { pod: name, node: pod.node, address: family === 'IPv4' ? pod.ipv4 : pod.ipv6 };
  });
  return {
    namespace: spec.namespace ?? 'default',
    name: spec.name,
    family,
    protocol: spec.protocol ?? 'TCP',
    clusterIP: spec.clusterIP,
    port: spec.port,
    targetPort: spec.targetPort,
    nodePort: spec.nodePort,
    externalTrafficPolicy: spec.externalTrafficPolicy ?? 'Cluster',
    endpoints,
  };
}
