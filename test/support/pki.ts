// Certificates of every kind for tests: authorities, intermediates, leaves with any dates, names and keys, and revocation lists.
// Elliptic curves, because they are made in a millisecond. Written by hand in DER: node-forge cannot.
import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { context, der, oid, sequence, TAG } from '../../certs/der.ts';

export interface Identity {
  readonly name: string;
  readonly certPem: string;
  readonly keyPem: string;
  readonly key: KeyObject;
  /** Serial number in DER. */
  readonly serial: Buffer;
  /** The certificate, then those of its issuers up to, and without, the root. */
  readonly chainPem: string;
}

export interface Wishes {
  readonly ca?: boolean;
  /** DNS names and IPv4 addresses. */
  readonly names?: readonly string[];
  /** Days from now. */
  readonly from?: number;
  readonly until?: number;
  readonly key?: 'ec' | 'rsa' | 'ed25519' | KeyObject;
  /** RDNs, e.g. `[['C', 'DE'], ['CN', 'x']]`; else the CN alone. */
  readonly subject?: readonly (readonly [string, string])[];
  /** URL of an OCSP responder. */
  readonly ocsp?: string;
  /** May sign OCSP responses. */
  readonly ocspSigning?: boolean;
}

const DAY_MS = 86_400_000;
const ATTRIBUTES: Readonly<Record<string, string>> = { CN: '2.5.4.3', C: '2.5.4.6', O: '2.5.4.10', OU: '2.5.4.11' };

/** A self-signed authority. */
export function authority(name: string, wishes: Wishes = {}): Identity {
  return make(name, undefined, { ca: true, until: 30, ...wishes });
}

/** Issued by somebody: a leaf, or with `ca` an intermediate. */
export function issue(issuer: Identity, name: string, wishes: Wishes = {}): Identity {
  return make(name, issuer, wishes);
}

/** Certificates of the issuer that it revokes. */
export function revocationList(issuer: Identity, revoked: readonly Identity[], until = 7): string {
  const entries = revoked.map(({ serial }) => sequence(serial, time(-1)));
  const list = sequence(der(TAG.INTEGER, Buffer.from([1])), algorithm(issuer.key), subjectOf([['CN', issuer.name]]), time(-2), time(until), ...(entries.length === 0 ? [] : [sequence(...entries)]));
  return pem('X509 CRL', signed(list, issuer.key));
}

function make(name: string, issuer: Identity | undefined, wishes: Wishes): Identity {
  const key = typeof wishes.key === 'object' ? wishes.key : newKey(wishes.key ?? 'ec');
  const serial = der(TAG.INTEGER, Buffer.concat([Buffer.from([0x40]), randomBytes(11)]));
  const subject = subjectOf(wishes.subject ?? [['CN', name]]);
  const signer = issuer?.key ?? key;
  const body = sequence(
    der(context(0), der(TAG.INTEGER, Buffer.from([2]))),
    serial,
    algorithm(signer),
    issuer === undefined ? subject : subjectOf([['CN', issuer.name]]),
    sequence(time(wishes.from ?? -1), time(wishes.until ?? 20)),
    subject,
    createPublicKey(key).export({ type: 'spki', format: 'der' }),
    der(context(3), sequence(...extensions(wishes))),
  );
  const certPem = pem('CERTIFICATE', signed(body, signer));
  const keyPem = key.export({ type: 'pkcs8', format: 'pem' }).toString();
  return { name, certPem, keyPem, key, serial, chainPem: certPem + (issuer === undefined || issuer.chainPem === '' ? '' : issuer.chainPem), ...(issuer === undefined && { chainPem: '' }) };
}

function newKey(kind: 'ec' | 'rsa' | 'ed25519'): KeyObject {
  if (kind === 'rsa') return generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  if (kind === 'ed25519') return generateKeyPairSync('ed25519').privateKey;
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
}

function extensions({ ca, names, ocsp, ocspSigning }: Wishes): Buffer[] {
  const found = [extension('2.5.29.19', sequence(...(ca === true ? [der(1, Buffer.from([0xff]))] : [])), true)];
  if (ca === true) found.push(extension('2.5.29.15', der(TAG.BIT_STRING, Buffer.from([1, 0x06])), true));
  if (ocspSigning === true) found.push(extension('2.5.29.37', sequence(oid('1.3.6.1.5.5.7.3.9'))));
  if (ocsp !== undefined) found.push(extension('1.3.6.1.5.5.7.1.1', sequence(sequence(oid('1.3.6.1.5.5.7.48.1'), der(0x86, Buffer.from(ocsp, 'latin1'))))));
  if (names !== undefined) {
    const list = names.map((each) => (/^[\d.]+$/.test(each) ? der(0x87, Buffer.from(each.split('.').map(Number))) : der(0x82, Buffer.from(each, 'latin1'))));
    found.push(extension('2.5.29.17', sequence(...list)));
  }
  return found;
}

function extension(id: string, value: Buffer, critical = false): Buffer {
  return sequence(oid(id), ...(critical ? [der(1, Buffer.from([0xff]))] : []), der(TAG.OCTET_STRING, value));
}

function subjectOf(rdns: readonly (readonly [string, string])[]): Buffer {
  // UTF8String
  return sequence(...rdns.map(([type, value]) => der(TAG.SET, sequence(oid(ATTRIBUTES[type] ?? type), der(12, Buffer.from(value, 'utf8'))))));
}

function time(days: number): Buffer {
  const text = new Date(Date.now() + days * DAY_MS).toISOString().replace(/[-:T]/g, '').slice(0, 14);
  return der(TAG.UTC_TIME, Buffer.from(`${text.slice(2)}Z`, 'latin1'));
}

/** The signature's algorithm. */
export function algorithm(key: KeyObject): Buffer {
  if (key.asymmetricKeyType === 'rsa') return sequence(oid('1.2.840.113549.1.1.11'), der(TAG.NULL));
  return sequence(oid(key.asymmetricKeyType === 'ed25519' ? '1.3.101.112' : '1.2.840.10045.4.3.2'));
}

/** The body with its signature. */
export function signed(body: Buffer, key: KeyObject, ...more: readonly Buffer[]): Buffer {
  const bits = sign(key.asymmetricKeyType === 'ed25519' ? null : 'sha256', body, key);
  return sequence(body, algorithm(key), der(TAG.BIT_STRING, Buffer.from([0]), bits), ...more);
}

export function pem(label: string, bytes: Buffer): string {
  return `-----BEGIN ${label}-----\n${(bytes.toString('base64').match(/.{1,64}/g) ?? []).join('\n')}\n-----END ${label}-----\n`;
}

/** The key in another of the forms that Secrets hold it in. */
export function keyAs(identity: Identity, type: 'pkcs1' | 'sec1' | 'pkcs8'): string {
  return createPrivateKey(identity.keyPem).export({ type, format: 'pem' }).toString();
}
