// A certificate chain with its key, as the table carries it. The key goes to the workers and nowhere else: whoever prints
// a table must go through print.ts, which never shows it.

export interface Certificate {
  /** `sha256/<hex>` of chain and key: the same content has the same name. */
  readonly name: string;
  /** Names of the leaf (SAN dNSName and iPAddress; CN only where there is no SAN), lower-case. */
  readonly hostnames: readonly string[];
  /** Milliseconds since the epoch. */
  readonly notAfter: number;
  readonly chainPem: string;
  readonly keyPem: string;
  /** What the authority says of its revocation, stapled to handshakes. */
  readonly ocsp?: OcspStaple;
}

export interface OcspStaple {
  /** OCSPResponse (RFC 6960) in base64. */
  readonly response: string;
  /** Milliseconds since the epoch; not stapled afterwards. */
  readonly validUntil: number;
}
