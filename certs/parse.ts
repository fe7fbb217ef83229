// A certificate chain and its key, as Secrets and files hold them, into the table's Certificate. node:crypto alone reads
// what others sent. What is accepted here is accepted by the TLS servers of the workers as well; texts never quote input.
import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import type { Certificate } from '../proxy/table/certificate.ts';
import { orderChain } from './chain.ts';
import { canonicalName, hostnamesOf, isAddress } from './names.ts';
import { readPem } from './pem.ts';
import type { PemBlock } from './pem.ts';
import { timeText } from './time.ts';

/** Something that does not keep the certificate from being served, but that its owner should know. */
export interface CertificateNote {
  readonly reason: 'CertificateExpired' | 'CertificateNotYetValid' | 'WeakSignature' | 'ChainOutOfOrder' | 'StrayCertificate' | 'ForeignPemBlock' | 'NoHostname';
  readonly message: string;
}

export type ParsedCertificate = { readonly certificate: Certificate; readonly notes: readonly CertificateNote[] } | { readonly problems: readonly string[] };

/** A longer bundle is no chain but a mistake (a whole CA store), and would be sent in every handshake. */
const MAX_CERTIFICATES = 100;
/** OpenSSL's security level 2, which Node sets, refuses shorter RSA keys, and curves that no browser knows cannot be negotiated. */
const MIN_RSA_BITS = 2048;
const CURVES: readonly (string | undefined)[] = ['prime256v1', 'secp384r1', 'secp521r1', 'brainpoolP256r1', 'brainpoolP384r1', 'brainpoolP512r1'];
const KEY_LABELS: readonly string[] = ['PRIVATE KEY', 'RSA PRIVATE KEY', 'EC PRIVATE KEY'];
const CERTIFICATE_LABELS: readonly string[] = ['CERTIFICATE', 'X509 CERTIFICATE'];

/**
 * Parses a PEM chain (any order; the leaf is the one that the key belongs to) and its PEM key (PKCS#8, PKCS#1 or SEC1,
 * unencrypted; RSA, RSA-PSS, ECDSA, Ed25519, Ed448). Gives the certificate with what should be known about it, or all the
 * reasons, one sentence each, for which it cannot be served. `now` in milliseconds is what expiry is compared with.
 */
export function parseCertificate(chainPem: Buffer | string, keyPem: Buffer | string, now: number = Date.now()): ParsedCertificate {
  const problems: string[] = [];
  const notes: CertificateNote[] = [];
  const certificates = readCertificates(chainPem.toString(), problems, notes);
  const key = readKey(keyPem.toString(), problems);
  if (key === undefined || certificates.length === 0) return { problems };
  const leaf = certificates.find((certificate) => certificate.checkPrivateKey(key));
  if (leaf === undefined) problems.push(`the private key belongs to none of the ${certificates.length} certificate(s) of the chain`);
  for (const certificate of certificates) {
    const weakness = weakKey(certificate);
    if (weakness !== undefined) problems.push(weakness);
  }
  if (leaf === undefined || problems.length > 0) return { problems };

  const { chain, inOrder, strays } = orderChain(leaf, certificates);
  if (!inOrder) notes.push({ reason: 'ChainOutOfOrder', message: 'the chain is out of order; it is sent with the leaf first and each issuer after it' });
  if (strays > 0) notes.push({ reason: 'StrayCertificate', message: `${strays} certificate(s) of the bundle are no part of the leaf's chain` });
  for (const certificate of chain) notes.push(...datesAndSignature(certificate, now));
  const hostnames = hostnamesOf(leaf);
  if (hostnames.length === 0) notes.push({ reason: 'NoHostname', message: 'the leaf names no DNS name and no IP address, so that it covers no host' });
  const canonical = { chainPem: chain.map((certificate) => certificate.toString()).join(''), keyPem: key.export({ type: 'pkcs8', format: 'pem' }).toString() };
  return { certificate: { name: certificateName(canonical), hostnames, notAfter: leaf.validToDate.getTime(), ...canonical }, notes };
}

/** True if the certificate is valid for `hostname`: the same name, or one under a wildcard of the certificate, whose star stands for exactly one label (RFC 9525 §6.3). */
export function covers(certificate: Pick<Certificate, 'hostnames'>, hostname: string): boolean {
  const name = canonicalName(hostname);
  if (name === '') return false;
  if (certificate.hostnames.includes(name)) return true;
  const dot = name.indexOf('.');
  return dot > 0 && !isAddress(name) && certificate.hostnames.includes(`*${name.slice(dot)}`);
}

/** `sha256/<hex>` of chain and key. */
export function certificateName(pem: { readonly chainPem: string; readonly keyPem: string }): string {
  return `sha256/${createHash('sha256').update(pem.chainPem).update('\0').update(pem.keyPem).digest('hex')}`;
}

function readCertificates(text: string, problems: string[], notes: CertificateNote[]): X509Certificate[] {
  const read = readPem(text);
  if ('error' in read) {
    problems.push(`the certificate chain is not proper PEM: ${read.error}`);
    return [];
  }
  const blocks = read.blocks.filter((block) => CERTIFICATE_LABELS.includes(block.label));
  if (blocks.length < read.blocks.length) {
    const labels = new Set(read.blocks.map((block) => block.label).filter((label) => !CERTIFICATE_LABELS.includes(label)));
    notes.push({ reason: 'ForeignPemBlock', message: `the certificate chain also holds ${[...labels].join(', ').slice(0, 100)}, which is left out` });
  }
  if (blocks.length === 0) problems.push('the certificate chain holds no CERTIFICATE block');
  if (blocks.length > MAX_CERTIFICATES) {
    problems.push(`the certificate chain holds ${blocks.length} certificates; ${MAX_CERTIFICATES} are allowed`);
    return [];
  }
  const certificates: X509Certificate[] = [];
  for (const [index, block] of blocks.entries()) {
    try {
      const certificate = new X509Certificate(block.pem);
      // Reading the key here lets a certificate with a damaged or unknown one fail as itself.
      if (certificate.publicKey.type !== 'public' || Number.isNaN(certificate.validToDate.getTime())) throw new Error('unreadable');
      certificates.push(certificate);
    } catch {
      problems.push(`certificate ${index + 1} of the chain is no X.509 certificate that OpenSSL can read`);
    }
  }
  return certificates;
}

function readKey(text: string, problems: string[]): KeyObject | undefined {
  const block = findKey(text);
  if (typeof block === 'string') {
    problems.push(block);
    return undefined;
  }
  try {
    return createPrivateKey(block.pem);
  } catch {
    problems.push(`the ${block.label} block is no key that OpenSSL can read`);
    return undefined;
  }
}

function findKey(text: string): PemBlock | string {
  const read = readPem(text);
  if ('error' in read) return `the private key is not proper PEM: ${read.error}`;
  const blocks = read.blocks.filter((block) => block.label.endsWith('PRIVATE KEY'));
  const [block] = blocks;
  if (block === undefined) return 'there is no PRIVATE KEY block in what should be the private key';
  if (blocks.length > 1) return `there are ${blocks.length} PRIVATE KEY blocks; exactly one is allowed`;
  if (block.encrypted || block.label === 'ENCRYPTED PRIVATE KEY') return 'the private key is encrypted; only a key without passphrase can be served';
  if (!KEY_LABELS.includes(block.label)) return `a ${block.label.slice(0, 100)} cannot be served; ${KEY_LABELS.join(', ')} can`;
  return block;
}

/** A sentence if TLS servers or all clients would refuse the certificate's key. */
function weakKey(certificate: X509Certificate): string | undefined {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = certificate.publicKey;
  switch (type) {
    case 'rsa':
    case 'rsa-pss': {
      const bits = details?.modulusLength ?? 0;
      return bits < MIN_RSA_BITS ? `the chain holds an RSA key of ${bits} bits; at least ${MIN_RSA_BITS} are needed` : undefined;
    }
    case 'ec':
      return CURVES.includes(details?.namedCurve) ? undefined : `the chain holds a key on the curve ${details?.namedCurve ?? 'without a name'}; P-256, P-384 and P-521 are allowed`;
    case 'ed25519':
    case 'ed448':
      return undefined;
    default:
      return `the chain holds a key of type ${type ?? 'unknown'}; RSA, ECDSA, Ed25519 and Ed448 are allowed`;
  }
}

function datesAndSignature(certificate: X509Certificate, now: number): CertificateNote[] {
  const notes: CertificateNote[] = [];
  const who = `the certificate with serial number ${certificate.serialNumber.slice(0, 40)}`;
  if (certificate.validToDate.getTime() < now) notes.push({ reason: 'CertificateExpired', message: `${who} expired at ${timeText(certificate.validToDate.getTime())}` });
  if (certificate.validFromDate.getTime() > now) notes.push({ reason: 'CertificateNotYetValid', message: `${who} is not valid before ${timeText(certificate.validFromDate.getTime())}` });
  // A root's own signature is never checked, so that its digest does not matter.
  const selfSigned = certificate.checkIssued(certificate);
  if (!selfSigned && /sha1|md5/i.test(certificate.signatureAlgorithm ?? '')) {
    notes.push({ reason: 'WeakSignature', message: `${who} is signed with ${certificate.signatureAlgorithm}, which clients refuse; SHA-256 or better is needed` });
  }
  return notes;
}
