// How long the certificate chain of a TLS connection is: Node verifies chains, and has no setting for how long they may be.
import type { TLSSocket } from 'node:tls';

/** A chain that OpenSSL has accepted is not longer than this. */
const MAX_CHAIN = 101;

/** Authorities between the peer's certificate and the last one of its chain. A resumed session holds no chain: it gives 0. */
export function intermediates(socket: TLSSocket): number {
  let certificate = socket.getPeerCertificate(true);
  let length = 1;
  // The last one is its own issuer.
  for (; length < MAX_CHAIN && certificate.issuerCertificate !== undefined && certificate.issuerCertificate !== certificate; length++) {
    certificate = certificate.issuerCertificate;
  }
  return Math.max(0, length - 2);
}
