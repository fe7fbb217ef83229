// Where Fairlead's own replicas run: for the status of Ingresses when no Service and no address was named, and to know at
// shutdown whether others are left. Found by the labels of the own pod.
import { hostname } from 'node:os';
import { addressesOfNode } from './addresses.ts';
import type { KubeClient } from './client.ts';

export interface OwnPod {
  readonly namespace: string;
  readonly name: string;
  /** Empty: not known, or this is no pod. */
  readonly uid: string;
}

/** From the environment (`POD_NAMESPACE`, `POD_NAME`, `POD_UID`), else the identity's namespace and the name of the machine, which in a pod is the pod's. */
export function ownPod(namespace: string): OwnPod {
  return { namespace: process.env.POD_NAMESPACE || namespace, name: process.env.POD_NAME || hostname(), uid: process.env.POD_UID ?? '' };
}

export class OwnPods {
  readonly #client: KubeClient;
  readonly #own: OwnPod;
  readonly #preferInternal: boolean;

  constructor(client: KubeClient, own: OwnPod, preferInternal: boolean) {
    this.#client = client;
    this.#own = own;
    this.#preferInternal = preferInternal;
  }

  /** Addresses of the Nodes on which ready replicas run, sorted. Throws if the API does not say. */
  async nodeAddresses(signal: AbortSignal): Promise<readonly string[]> {
    const nodes = new Set((await this.#ready(signal)).map(({ spec }) => fields(spec).nodeName).filter((name) => typeof name === 'string' && name !== '') as string[]);
    const addresses = await Promise.all([...nodes].map(async (name) => addressesOfNode(await this.#client.request({ path: `/api/v1/nodes/${encodeURIComponent(name)}`, signal }), this.#preferInternal)));
    return [...new Set(addresses.flat())].sort();
  }

  /** True: no other replica is ready. Throws if the API does not say. */
  async isLast(signal: AbortSignal): Promise<boolean> {
    return (await this.#ready(signal)).every(({ metadata }) => fields(metadata).name === this.#own.name);
  }

  async #ready(signal: AbortSignal): Promise<Readonly<Record<string, unknown>>[]> {
    const pods = `/api/v1/namespaces/${encodeURIComponent(this.#own.namespace)}/pods`;
    const own = fields(await this.#client.request({ path: `${pods}/${encodeURIComponent(this.#own.name)}`, signal }));
    const labels = Object.entries(fields(fields(own.metadata).labels)).filter(([key]) => !OF_ONE_POD.has(key));
    if (labels.length === 0) return [own].filter(isReady);
    const labelSelector = labels.map(([key, value]) => `${key}=${String(value)}`).join(',');
    const { items } = fields(await this.#client.request({ path: pods, query: { labelSelector }, signal }));
    return (Array.isArray(items) ? items.map(fields) : []).filter(isReady);
  }
}

/** Labels that differ between the pods of one workload, or between its revisions. */
const OF_ONE_POD = new Set(['pod-template-hash', 'controller-revision-hash', 'pod-template-generation', 'statefulset.kubernetes.io/pod-name', 'apps.kubernetes.io/pod-index']);

function isReady(pod: Readonly<Record<string, unknown>>): boolean {
  const { conditions } = fields(pod.status);
  const ready = Array.isArray(conditions) && conditions.some((condition) => fields(condition).type === 'Ready' && fields(condition).status === 'True');
  return ready && fields(pod.metadata).deletionTimestamp === undefined;
}

function fields(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
