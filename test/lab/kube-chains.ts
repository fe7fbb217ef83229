// The names that kube-proxy gives to chains: a prefix and 16 characters of a hash over the Service's port and the endpoint
// (pkg/proxy/iptables/proxier.go, portProtoHash and servicePortEndpointChainName), so that what the lab shows is what
// `iptables-save` shows on a node.
import { createHash } from 'node:crypto';
import { PORT_NAME } from './spec.ts';
import type { Service } from './spec.ts';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

export type ChainKind = 'SVC' | 'SVL' | 'EXT';

/** `KUBE-SVC-…` and its like for `namespace/name:port`. */
export function serviceChain(kind: ChainKind, servicePort: string, protocol: string): string {
  return `KUBE-${kind}-${kubeHash(servicePort + protocol.toLowerCase())}`;
}

/** `KUBE-SEP-…`; `endpoint` is `address:port`. */
export function endpointChain(servicePort: string, protocol: string, endpoint: string): string {
  return `KUBE-SEP-${kubeHash(servicePort + protocol.toLowerCase() + endpoint)}`;
}

/** How kube-proxy writes a Service's port: `default/web:http`. */
export function servicePortName(service: Service): string {
  return `${service.namespace}/${service.name}:${PORT_NAME}`;
}

/** The first 16 characters of the base32 form of a SHA-256. */
export function kubeHash(text: string): string {
  const digest = createHash('sha256').update(text).digest();
  let bits = 0n;
  for (const byte of digest.subarray(0, 10)) bits = (bits << 8n) | BigInt(byte);
  return Array.from({ length: 16 }, (_unset, index) => ALPHABET[Number((bits >> BigInt(75 - 5 * index)) & 31n)]).join('');
}
