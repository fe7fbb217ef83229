// OCSP responses for stapling, by the certificate that a handshake sends. They come with the table; a handshake takes what is
// here or goes without, and never waits for one.
import { X509Certificate, createHash } from 'node:crypto';
import type { Certificate } from '../table/certificate.ts';

interface Staple {
  readonly response: Buffer;
  readonly validUntil: number;
}

export class Staples {
  /** Digest of a leaf → what was answered about it, the newest last, by `Certificate.name`: one leaf may be served with several chains. */
  readonly #byLeaf = new Map<string, Map<string, Staple>>();
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
      const before = this.#leaves.get(name);
      this.#drop(name);
      if (ocsp === undefined) {
        // Taken back: what is not true of the leaf any more is stapled to none of its chains.
        if (before !== undefined) this.#byLeaf.delete(before);
        continue;
      }
      const leaf = digest(new X509Certificate(chainPem).raw);
      this.#leaves.set(name, leaf);
      const staples = this.#byLeaf.get(leaf) ?? new Map<string, Staple>();
      this.#byLeaf.set(leaf, staples.set(name, { response: Buffer.from(ocsp.response, 'base64'), validUntil: ocsp.validUntil }));
    }
  }

  /** For a certificate in DER. Undefined: there is none, or it is too old. */
  of(certificate: Buffer): Buffer | undefined {
    const staple = [...(this.#byLeaf.get(digest(certificate))?.values() ?? [])].at(-1);
    return staple === undefined || staple.validUntil <= Date.now() ? undefined : staple.response;
  }

  #drop(name: string): void {
    const leaf = this.#leaves.get(name);
    if (leaf === undefined) return;
    this.#leaves.delete(name);
    const staples = this.#byLeaf.get(leaf);
    staples?.delete(name);
    if (staples?.size === 0) this.#byLeaf.delete(leaf);
  }
}

function digest(der: Buffer): string {
  return createHash('sha256').update(der).digest('latin1');
}
