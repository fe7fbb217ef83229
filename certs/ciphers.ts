// Whether OpenSSL finds any suite of TLS 1.2 in a cipher list. Only OpenSSL knows: it passes over words that it does not know,
// and refuses a list of which nothing is left.
import { createSecureContext } from 'node:tls';

/** Completes "the value …"; undefined: nothing is wrong. */
export function wrongCiphers(list: string): string | undefined {
  if (!/^[A-Za-z0-9!:+\-_@=.]{1,2000}$/.test(list)) return 'may hold only letters, digits and ! : + - _ @ = .';
  try {
    createSecureContext({ ciphers: list, maxVersion: 'TLSv1.2', ca: [] });
    return undefined;
  } catch {
    return 'names no cipher suite of TLS 1.2 that OpenSSL knows';
  }
}
