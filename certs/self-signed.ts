// A self-signed certificate: the default that is served where no other one fits, and the demo's. This is the only place
// that uses node-forge, and it only writes with it: its parsers have a history of holes, and what others sent is read by
// node:crypto (parse.ts). The key comes from node:crypto.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import forge from 'node-forge';
import type { Certificate } from '../proxy/table/certificate.ts';
import { isAddress } from './names.ts';
import { parseCertificate } from './parse.ts';

export interface SelfSignedOptions {
  /** DNS names (perhaps with `*.`) and IP addresses for the SAN; at least one. */
  readonly hostnames: readonly string[];
  /** Subject CN, at most 64 characters; the default says what it is. */
  readonly commonName?: string;
  /** Days from now until it expires; 365. */
  readonly days?: number;
}

/** Makes a new RSA 2048 key and a certificate for it, signed with SHA-256; takes some tens of milliseconds of CPU. Throws on an empty or impossible hostname. */
export function selfSigned(options: SelfSignedOptions): Certificate {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  const certificate = forge.pki.createCertificate();
  certificate.publicKey = forge.pki.publicKeyFromPem(publicKey);
  certificate.serialNumber = serialNumber();
  // An hour back, for clients whose clock is behind.
  certificate.validity.notBefore = new Date(Date.now() - 3_600_000);
  certificate.validity.notAfter = new Date(Date.now() + (options.days ?? 365) * 86_400_000);
  const subject = [
    { name: 'commonName', value: options.commonName ?? 'Fairlead self-signed certificate' },
    { name: 'organizationName', value: 'Fairlead' },
  ];
  certificate.setSubject(subject);
  certificate.setIssuer(subject);
  certificate.setExtensions([
    { name: 'basicConstraints', cA: false, critical: true },
    { name: 'keyUsage', digitalSignature: true, keyEncipherment: true, critical: true },
    { name: 'extKeyUsage', serverAuth: true },
    { name: 'subjectKeyIdentifier' },
    { name: 'subjectAltName', altNames: options.hostnames.map(altName) },
  ]);
  certificate.sign(forge.pki.privateKeyFromPem(privateKey), forge.md.sha256.create());

  const parsed = parseCertificate(forge.pki.certificateToPem(certificate), privateKey);
  if ('problems' in parsed) throw new Error(`the self-signed certificate does not parse: ${parsed.problems.join('; ')}`);
  if (parsed.certificate.hostnames.length !== new Set(options.hostnames).size) throw new Error('a hostname for the self-signed certificate is no DNS name and no IP address');
  return parsed.certificate;
}

function altName(name: string): { type: 2; value: string } | { type: 7; ip: string } {
  return isAddress(name) ? { type: 7, ip: name } : { type: 2, value: name };
}

/** 16 random bytes, positive and without a leading zero byte (RFC 5280 §4.1.2.2). */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString('hex');
}
