// The order of a chain: the leaf first, then each certificate's issuer (RFC 5246 §7.4.2; TLS 1.3 clients mostly repair it
// themselves, older ones fail). Bundles are often written the other way round, or with certificates that have no part in it.
import type { X509Certificate } from 'node:crypto';

export interface OrderedChain {
  /** Leaf first, then issuers, then whatever belongs to no link (it may still serve a client that knows another root). */
  readonly chain: readonly X509Certificate[];
  /** False: the order of the input was another one. */
  readonly inOrder: boolean;
  /** How many certificates at the end of `chain` belong to no link. */
  readonly strays: number;
}

/** `certificates` in sending order; `leaf` is one of them. Repeats are dropped. */
export function orderChain(leaf: X509Certificate, certificates: readonly X509Certificate[]): OrderedChain {
  const left = new Map(certificates.map((certificate) => [certificate.fingerprint256, certificate]));
  const given = [...left.values()];
  const chain: X509Certificate[] = [];
  for (let next: X509Certificate | undefined = leaf; next !== undefined; next = issuerOf(next, left.values())) {
    left.delete(next.fingerprint256);
    chain.push(next);
  }
  const positions = chain.map((certificate) => given.indexOf(certificate));
  const inOrder = positions[0] === 0 && positions.every((position, index) => index === 0 || position > (positions[index - 1] ?? 0));
  // An order that is right is kept as it is: a stray between two links (a cross-signed twin) stays where it was put.
  return { chain: inOrder ? given : [...chain, ...left.values()], inOrder, strays: left.size };
}

function issuerOf(certificate: X509Certificate, candidates: Iterable<X509Certificate>): X509Certificate | undefined {
  for (const candidate of candidates) {
    if (certificate.checkIssued(candidate) && verifies(certificate, candidate)) return candidate;
  }
  return undefined;
}

function verifies(certificate: X509Certificate, issuer: X509Certificate): boolean {
  try {
    return certificate.verify(issuer.publicKey);
  } catch {
    return false;
  }
}
