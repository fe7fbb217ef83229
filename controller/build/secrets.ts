// What Secrets hold beside the certificates of hosts: authorities whose certificates are believed, and certificates to show to
// endpoints. Read once for as long as the object stands; only what somebody names is read.
import { parseAuthorities, parseRevocationLists } from '../../certs/authorities.ts';
import type { ParsedAuthorities } from '../../certs/authorities.ts';
import { parseCertificate } from '../../certs/parse.ts';
import type { Certificate } from '../../proxy/table/certificate.ts';
import type { Secret } from '../kube/objects.ts';
import { seen } from '../model/seen.ts';

/** `wrong` completes "the Secret …". */
export type Authorities = { readonly caPem: string; readonly crlPem?: string; readonly notes: readonly string[] } | { readonly wrong: string };
export type ClientCertificate = { readonly certificate: Certificate | undefined; readonly notes: readonly string[] } | { readonly wrong: string };

export class SecretReader {
  readonly #now: () => number;
  readonly #authorities = new WeakMap<Secret, Authorities>();
  readonly #certificates = new WeakMap<Secret, ClientCertificate>();

  /** `now`: in milliseconds since the epoch, for notes on expiry. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** `ca.crt`, and `ca.crl` where there is one. */
  authorities(secret: Secret): Authorities {
    return remembered(this.#authorities, secret, () => readAuthorities(secret, this.#now()));
  }

  /** `tls.crt` and `tls.key`; undefined: there is neither. */
  certificate(secret: Secret): ClientCertificate {
    return remembered(this.#certificates, secret, () => readCertificate(secret, this.#now()));
  }
}

function remembered<T>(known: WeakMap<Secret, T>, secret: Secret, read: () => T): T {
  let value = known.get(secret);
  if (value === undefined) known.set(secret, (value = read()));
  return value;
}

function readAuthorities({ data }: Secret, now: number): Authorities {
  const bundle = data.get('ca.crt');
  if (bundle === undefined) return { wrong: 'has no ca.crt' };
  const authorities = parseAuthorities(bundle.toString(), now);
  if ('problems' in authorities) return unusable(authorities);
  const list = data.get('ca.crl');
  if (list === undefined) return { caPem: authorities.pem, notes: authorities.notes };
  const revoked = parseRevocationLists(list.toString(), now);
  // A list that cannot be read may hold anybody.
  if ('problems' in revoked) return unusable(revoked);
  return { caPem: authorities.pem, crlPem: revoked.pem, notes: [...authorities.notes, ...revoked.notes] };
}

function unusable(parsed: Extract<ParsedAuthorities, { readonly problems: readonly string[] }>): { readonly wrong: string } {
  return { wrong: `cannot be used: ${parsed.problems.slice(0, 3).join('; ')}` };
}

function readCertificate({ data }: Secret, now: number): ClientCertificate {
  const chain = data.get('tls.crt');
  const key = data.get('tls.key');
  if (chain === undefined && key === undefined) return { certificate: undefined, notes: [] };
  if (chain === undefined || key === undefined) return { wrong: `has no ${chain === undefined ? 'tls.crt' : 'tls.key'}` };
  const parsed = parseCertificate(chain, key, now);
  if ('problems' in parsed) return { wrong: `holds a client certificate that cannot be used: ${parsed.problems.slice(0, 3).join('; ')}` };
  return { certificate: parsed.certificate, notes: parsed.notes.filter(({ reason }) => reason !== 'NoHostname').map(({ message }) => message) };
}

export function secretText(key: string): string {
  return `Secret ${seen(key)}`;
}
