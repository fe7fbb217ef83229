// How long the certificate chain of a TLS connection is: Node verifies chains, and has no setting for how long they may be.
// What it tells of a chain is put together by names alone, from certificates that the peer chose to send, and need not be what
// OpenSSL verified: a forged intermediate could make it look short. So every link of it is proven here before it is counted.
import { X509Certificate } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { getCACertificates } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { LRUCache } from 'lru-cache';

/** A chain that OpenSSL has accepted is not longer than this. */
const MAX_CHAIN = 101;
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
const KEPT_BUNDLES = 100;

/** Public keys of trust anchors by their PEM; empty: Node's own. */
const anchors = new LRUCache<string, readonly KeyObject[]>({ max: KEPT_BUNDLES });

/**
 * Authorities between the peer's certificate and the last one of its chain; infinitely many where it is not a chain of good certificates up to one
 * of `caPem` (undefined: Node's own). Not for resumed sessions, which hold no chain.
 */
export function intermediates(socket: TLSSocket, caPem: string | undefined): number {
  const chain = chainOf(socket);
  const now = Date.now();
  const last = chain.at(-1);
  if (last === undefined || !isAnchor(last, caPem)) return Infinity;
  for (const [at, certificate] of chain.entries()) {
    const issuer = chain[at + 1];
    if (issuer === undefined) break;
    const current = certificate.validFromDate.getTime() <= now && now <= certificate.validToDate.getTime();
    if (!current || !certificate.verify(issuer.publicKey)) return Infinity;
  }
  return Math.max(0, chain.length - 2);
}

function chainOf(socket: TLSSocket): X509Certificate[] {
  const chain: X509Certificate[] = [];
  let certificate = socket.getPeerCertificate(true);
  while (chain.length < MAX_CHAIN && certificate?.raw !== undefined) {
    chain.push(new X509Certificate(certificate.raw));
    // The last one is its own issuer.
    if (certificate.issuerCertificate === certificate) break;
    certificate = certificate.issuerCertificate;
  }
  return chain;
}

/** By its key: what the peer sent of an anchor may be an older copy of it. */
function isAnchor({ publicKey }: X509Certificate, caPem = ''): boolean {
  let keys = anchors.get(caPem);
  if (keys === undefined) {
    const pems = caPem === '' ? getCACertificates('default') : (caPem.match(CERTIFICATE) ?? []);
    anchors.set(caPem, (keys = pems.flatMap(keyOf)));
  }
  return keys.some((key) => key.equals(publicKey));
}

/** None of a kind that OpenSSL does not know: it has verified nothing. */
function keyOf(pem: string): KeyObject[] {
  try {
    return [new X509Certificate(pem).publicKey];
  } catch {
    return [];
  }
}
