// What a TLS handshake told of the client, in the words in which endpoints are told of it (ingress-nginx: ssl-client-*).
// Read once per connection. A chain that is too long is no verdict of OpenSSL's, and a resumed session holds no chain: such a
// connection must be cut before its first session ticket is sent.
import type { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import type { ClientCertificate, ClientTls } from '../http/exchange.ts';
import type { ClientCertificates } from '../table/route.ts';
import { intermediates } from '../upstream/chain-length.ts';

/** `policy`: those under which the connection was made; undefined: the client was asked for nothing. */
export function clientTls(socket: TLSSocket, serverName: string, policy: ClientCertificates | undefined): ClientTls {
  if (policy === undefined) return { serverName, policy: '', verify: 'NONE', certificate: undefined };
  const shown = socket.getPeerX509Certificate();
  return { serverName, policy: policy.name, verify: verdict(socket, shown), certificate: shown === undefined ? undefined : describe(shown) };
}

function verdict(socket: TLSSocket, shown: X509Certificate | undefined): string {
  if (shown === undefined) return 'NONE';
  if (!socket.authorized) {
    // A code of OpenSSL's, though its type says Error.
    const code = socket.authorizationError as unknown;
    return `FAILED:${String(code ?? 'unknown').toLowerCase().replaceAll('_', ' ')}`;
  }
  // A resumed session brings its verdict along, from when it began.
  return shown.validToDate.getTime() < Date.now() ? 'FAILED:cert has expired' : 'SUCCESS';
}

function describe(certificate: X509Certificate): ClientCertificate {
  return { subject: distinguishedName(certificate.subject), issuer: distinguishedName(certificate.issuer), escapedPem: encodeURIComponent(certificate.toString()) };
}

/**
 * Node gives a name as RFC 2253 escapes it, but one RDN on each line, the first one first, ` + ` inside, and other than ASCII as it is.
 * Absent (an empty name): the empty string.
 */
export function distinguishedName(lines: string | undefined): string {
  const rdns = (lines ?? '').split('\n').reverse();
  return rdns.map((rdn) => rdn.replaceAll(' + ', '+')).join(',').replace(/[^\x20-\x7e]/gu, escaped);
}

function escaped(character: string): string {
  return [...Buffer.from(character, 'utf8')].map((byte) => `\\${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('');
}

/** True: between the client's certificate and the last one of its chain stand more than `depth` others. Always false for resumed sessions. */
export function chainIsTooLong(socket: TLSSocket, { depth, caPem }: ClientCertificates): boolean {
  return socket.authorized && !socket.isSessionReused() && intermediates(socket, caPem) > depth;
}
