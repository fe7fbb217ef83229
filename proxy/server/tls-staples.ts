// OCSP responses for stapling, by the certificate that a handshake sends. They come with the table; a handshake takes what is
// here or goes without, and never waits for one.
import { X509Certificate, createHash } from 'node:crypto';
import type { Certificate } from '../table/certificate.ts';

interface Staple {
  readonly response: Buffer;
  readonly validUntil: number;
}

export class Staples {
  /** Digest of a leaf → what is stapled to it. */
  readonly #byLeaf = new Map<string, Staple>();
  /** `Certificate.name` → digest of its leaf. */
  readonly #leaves = new Map<string, string>();

  get size(): number {
    return this.#byLeaf.size;
  }

  /** Takes over a whole section of certificates. */
  replace(certificates: Readonly<Record<string, Certificate>>): void {
    this.#byLeaf.clear();
    this.#leaves.clear();
    this.update(certificates, []);
  }

  /** Takes over a change to it. */
  update(set: Readonly<Record<string, Certificate>>, remove: readonly string[]): void {
    for (const name of remove) this.#drop(name);
    for (const { name, chainPem, ocsp } of Object.values(set)) {
      this.#drop(name);
      if (ocsp === undefined) continue;
      const leaf = digest(new X509Certificate(chainPem).raw);
      this.#leaves.set(name, leaf);
      this.#byLeaf.set(leaf, { response: Buffer.from(ocsp.response, 'base64'), validUntil: ocsp.validUntil });
    }
  }

  /** For a certificate in DER. Undefined: there is none, or it is too old. */
  of(certificate: Buffer): Buffer | undefined {
    const staple = this.#byLeaf.get(digest(certificate));
    return staple === undefined || staple.validUntil <= Date.now() ? undefined : staple.response;
  }

  #drop(name: string): void {
    const leaf = this.#leaves.get(name);
    if (leaf === undefined) return;
    this.#leaves.delete(name);
    this.#byLeaf.delete(leaf);
  }
}

function digest(der: Buffer): string {
  return createHash('sha256').update(der).digest('latin1');
}
