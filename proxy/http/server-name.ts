// The name of a host as a TLS handshake gives it (SNI, RFC 6066 §3), in the form in which tables have hostnames.
import { isIP } from 'node:net';

const HOSTNAME = /^[a-z\d_](?:[a-z\d_.-]*[a-z\d_])?$/i;

/** Lower-case, without trailing dot; empty for what cannot be a hostname: an address, more than 253 characters, anything that is not plain ASCII. */
export function normalServerName(name: string | false | undefined | null): string {
  if (typeof name !== 'string' || name.length > 254) return '';
  const bare = name.endsWith('.') ? name.slice(0, -1) : name;
  return bare.length <= 253 && HOSTNAME.test(bare) && isIP(bare) === 0 ? bare.toLowerCase() : '';
}
