// All that must be decided before a handshake begins, and therefore by the server that does it and not by the certificate:
// protocol versions, suites, and whose client certificates are believed. Hosts with equal settings share a profile; sessions
// of one profile cannot be resumed under another (RFC 8446 §4.6.1 leaves it to servers to see to that).
import { constants, createHash, hkdfSync } from 'node:crypto';
import type { SecureContextOptions } from 'node:tls';
import type { ListenerTls } from '../table/listener.ts';
import type { ClientCertificates, HostTls } from '../table/route.ts';

/** AEAD suites with forward secrecy for TLS 1.2; those of TLS 1.3 are AEAD by definition. */
const CIPHERS = [
  'ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-RSA-AES128-GCM-SHA256', 'ECDHE-ECDSA-AES256-GCM-SHA384', 'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305', 'ECDHE-RSA-CHACHA20-POLY1305',
].join(':');
/** How long a session may be resumed. */
const SESSION_SECONDS = 600;
const TICKET_KEY_BYTES = 48;
/** The longest session id context that OpenSSL takes. */
const ID_LENGTH = 32;

export interface TlsProfile {
  /** Differs for every two profiles, of the same listener or not. */
  readonly id: string;
  readonly context: Pick<SecureContextOptions, 'minVersion' | 'maxVersion' | 'ciphers' | 'honorCipherOrder' | 'secureOptions' | 'sessionIdContext' | 'sessionTimeout' | 'ca' | 'crl'>;
  readonly clientCertificates: ClientCertificates | undefined;
}

/** `listener`: its name. */
export function tlsProfile(listener: string, tls: ListenerTls, host: HostTls | undefined): TlsProfile {
  const clientCertificates = host?.clientCertificates;
  const preferClient = host?.preferClientCiphers ?? tls.preferClientCiphers === true;
  const settings = {
    minVersion: host?.minVersion ?? tls.minVersion,
    maxVersion: host?.maxVersion ?? tls.maxVersion ?? 'TLSv1.3',
    ciphers: host?.ciphers ?? tls.ciphers ?? CIPHERS,
    honorCipherOrder: !preferClient,
  };
  const id = createHash('sha256').update(JSON.stringify([listener, settings, clientCertificates?.name ?? ''])).digest('hex').slice(0, ID_LENGTH);
  return {
    id,
    context: {
      ...settings,
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
      // Node's own default is made from the command line, which differs between processes.
      sessionIdContext: id,
      sessionTimeout: SESSION_SECONDS,
      // A server that asks nobody for a certificate needs no trust anchors; left out, the system's would be loaded.
      ca: clientCertificates?.caPem ?? [],
      ...(clientCertificates?.crlPem !== undefined && { crl: clientCertificates.crlPem }),
    },
    clientCertificates,
  };
}

/** The key of a profile's session tickets, the same on every worker that has the secret. */
export function ticketKeys(secret: Buffer, profile: TlsProfile): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', `fairlead session tickets ${profile.id}`, TICKET_KEY_BYTES));
}
