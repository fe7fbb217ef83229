// Which addresses the status of an Ingress should show, worked out from what publishes Fairlead. Pure. Undefined means that
// nothing is known just now, and then nothing is written: a status is never made empty for want of knowledge.
import { isIP } from 'node:net';
import type { IngressPoint } from './arrived.ts';
import type { Service } from './objects.ts';

/** From --publish-status-address: addresses and hostnames. */
export function pointsOfAddresses(addresses: readonly string[]): readonly IngressPoint[] | undefined {
  return some(addresses.map(pointOf));
}

/**
 * From --publish-service, as ingress-nginx has it: LoadBalancer: the addresses that it was given, and its external IPs; NodePort: external IPs,
 * else the cluster IP; ClusterIP: the cluster IP; ExternalName: the name.
 */
export function pointsOfService(service: Service | undefined): readonly IngressPoint[] | undefined {
  if (service === undefined) return undefined;
  const { type, clusterIP, externalName, externalIPs, loadBalancerIngress } = service;
  const external = externalIPs.map(pointOf);
  const internal = clusterIP === '' || clusterIP === 'None' ? [] : [pointOf(clusterIP)];
  switch (type) {
    case 'LoadBalancer':
      return some([...loadBalancerIngress.map(({ ip, hostname }): IngressPoint => (ip === '' ? { hostname } : { ip })), ...external]);
    case 'NodePort':
      return some(external.length > 0 ? external : internal);
    case 'ClusterIP':
      return some(internal);
    case 'ExternalName':
      return some(externalName === '' ? [] : [pointOf(externalName)]);
  }
}

/** The addresses of one Node that clients can use: the external ones, or the internal ones if it has none or they are asked for. `node`: as the API gives it. */
export function addressesOfNode(node: unknown, preferInternal: boolean): readonly string[] {
  const status = fields(fields(node).status);
  const all = Array.isArray(status.addresses) ? status.addresses.map(fields) : [];
  const of = (type: string): string[] => all.filter((entry) => entry.type === type).map(({ address }) => address).filter((address) => typeof address === 'string' && address !== '') as string[];
  const [external, internal] = [of('ExternalIP'), of('InternalIP')];
  return (preferInternal ? internal.length > 0 : external.length === 0) ? internal : external;
}

/** True: both show the same, in whatever order. */
export function samePoints(a: readonly IngressPoint[], b: readonly IngressPoint[]): boolean {
  if (a.length !== b.length) return false;
  if (a.every(({ ip, hostname }, index) => ip === b[index]?.ip && hostname === b[index]?.hostname)) return true;
  const wanted = keys(b);
  return keys(a).every((key, index) => key === wanted[index]);
}

function keys(points: readonly IngressPoint[]): string[] {
  return points.map(({ ip, hostname }) => `${ip ?? ''} ${hostname ?? ''}`).sort();
}

/** Without repetitions; undefined if there is none. */
function some(points: readonly IngressPoint[]): readonly IngressPoint[] | undefined {
  const unique = [...new Map(points.filter(({ ip, hostname }) => (ip ?? hostname ?? '') !== '').map((point) => [JSON.stringify(point), point])).values()];
  return unique.length === 0 ? undefined : unique;
}

function pointOf(address: string): IngressPoint {
  return isIP(address) === 0 ? { hostname: address } : { ip: address };
}

function fields(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
