// OCSP (RFC 6960): where to ask about a certificate, the question in DER, and whether an answer is one that clients will
// believe: signed by the issuer or by somebody whom it appointed, about this certificate, and of today.
import { X509Certificate, createHash, verify } from 'node:crypto';
import { TAG, children, context, der, oid, readConstructed, readDer, readOid, readTime, sequence } from './der.ts';
import type { Der } from './der.ts';

/** A certificate whose state can be asked for. */
export interface OcspSubject {
  readonly leaf: X509Certificate;
  readonly issuer: X509Certificate;
  readonly url: string;
  readonly id: CertificateId;
}

/** What names a certificate in questions and answers (§4.1.1): its number, and two digests of its issuer. */
interface CertificateId {
  readonly serial: Buffer;
  readonly nameHash: Buffer;
  readonly keyHash: Buffer;
}

export type OcspAnswer =
  | { readonly status: 'good'; readonly validUntil: number; readonly thisUpdate: number }
  | { readonly status: 'revoked' | 'unknown' }
  /** Completes "the answer …". */
  | { readonly wrong: string };

const SHA1 = '1.3.14.3.2.26';
const BASIC_RESPONSE = '1.3.6.1.5.5.7.48.1.1';
const OCSP_SIGNING = '1.3.6.1.5.5.7.3.9';
/** Signature algorithm → digest, as node:crypto names it; undefined there: the algorithm has its own. */
const SIGNATURES: ReadonlyMap<string, string | undefined> = new Map([
  ['1.2.840.113549.1.1.11', 'sha256'], ['1.2.840.113549.1.1.12', 'sha384'], ['1.2.840.113549.1.1.13', 'sha512'],
  ['1.2.840.10045.4.3.2', 'sha256'], ['1.2.840.10045.4.3.3', 'sha384'], ['1.2.840.10045.4.3.4', 'sha512'],
  ['1.3.101.112', undefined], ['1.3.101.113', undefined],
]);
/** An answer that gives no end is taken for this long. */
const NO_NEXT_UPDATE_MS = 24 * 3_600_000;
/** Clocks differ. */
const SKEW_MS = 5 * 60_000;

/** Undefined: the leaf names no responder under http, its issuer is not in the chain, or one of them is no proper DER. `chainPem`: leaf first. */
export function ocspSubject(chainPem: string): OcspSubject | undefined {
  const [leaf, issuer] = (chainPem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []).slice(0, 2).map((pem) => new X509Certificate(pem));
  if (leaf === undefined || issuer === undefined || !leaf.checkIssued(issuer) || !leaf.verify(issuer.publicKey)) return undefined;
  const url = responder(leaf);
  const id = certificateId(leaf, issuer);
  return url === undefined || id === undefined ? undefined : { leaf, issuer, url, id };
}

/** Each access method stands on a line of its own; a URI in quotes holds something that might look like another line. */
function responder({ infoAccess }: X509Certificate): string | undefined {
  for (const line of (infoAccess ?? '').split('\n')) {
    const uri = /^OCSP - URI:([^"].*)$/.exec(line)?.[1];
    const url = uri === undefined ? null : URL.parse(uri);
    if (url?.protocol === 'http:' && url.username === '') return url.href;
  }
  return undefined;
}

/** The question about one certificate, without a nonce: many responders have their answers ready. */
export function ocspRequest({ id: { serial, nameHash, keyHash } }: OcspSubject): Buffer {
  const id = sequence(sequence(oid(SHA1), der(TAG.NULL)), der(TAG.OCTET_STRING, nameHash), der(TAG.OCTET_STRING, keyHash), serial);
  return sequence(sequence(sequence(sequence(id))));
}

function certificateId(leaf: X509Certificate, issuer: X509Certificate): CertificateId | undefined {
  const [of, by] = [fieldsOf(leaf), fieldsOf(issuer)];
  return of === undefined || by === undefined ? undefined : { serial: of.serial, nameHash: sha1(of.issuerName), keyHash: sha1(by.publicKey) };
}

function sha1(bytes: Buffer): Buffer {
  return createHash('sha1').update(bytes).digest();
}

/** Parts of a certificate (RFC 5280 §4.1). Undefined: it is no proper DER; OpenSSL also reads lengths that are longer than they have to be. */
function fieldsOf(certificate: X509Certificate): { readonly serial: Buffer; readonly issuerName: Buffer; readonly publicKey: Buffer } | undefined {
  const fields = childrenOf(childrenOf(readDer(certificate.raw))[0]);
  const start = fields[0]?.tag === context(0) ? 1 : 0;
  const [serial, , issuerName, , , keyInfo] = fields.slice(start);
  const key = childrenOf(keyInfo)[1];
  if (serial === undefined || issuerName === undefined || key === undefined) return undefined;
  return { serial: serial.whole, issuerName: issuerName.whole, publicKey: key.content.subarray(1) };
}

function childrenOf(element: Der | undefined): readonly Der[] {
  return element === undefined ? [] : (children(element) ?? []);
}

/** Reads an OCSPResponse. `now` in milliseconds since the epoch. */
export function readOcspAnswer(bytes: Buffer, subject: OcspSubject, now: number): OcspAnswer {
  const [status, wrapped] = readConstructed(bytes) ?? [];
  if (status === undefined || status.tag !== TAG.ENUMERATED) return { wrong: 'is no OCSP response' };
  if (status.content[0] !== 0) return { wrong: `says that the responder failed (status ${status.content[0]})` };
  const [type, octets] = childrenOf(childrenOf(wrapped)[0]);
  if (type === undefined || octets === undefined || readOid(type) !== BASIC_RESPONSE) return { wrong: 'is of an unknown kind' };
  const basic = readConstructed(octets.content);
  if (basic === undefined) return { wrong: 'is damaged' };
  const wrong = wrongSignature(basic, subject.issuer);
  return wrong === undefined ? readSingle(basic[0], subject, now) : { wrong };
}

function wrongSignature([data, algorithm, signature, certificates]: readonly Der[], issuer: X509Certificate): string | undefined {
  const [name] = childrenOf(algorithm);
  if (data === undefined || name === undefined || signature === undefined) return 'is damaged';
  const digest = readOid(name);
  if (!SIGNATURES.has(digest)) return `is signed with an algorithm that is not accepted (${digest})`;
  const bits = signature.content.subarray(1);
  for (const signer of [issuer, ...appointed(certificates, issuer)]) {
    try {
      if (verify(SIGNATURES.get(digest) ?? null, data.whole, signer.publicKey, bits)) return undefined;
    } catch {
      // Another kind of key than that of the signature.
    }
  }
  return 'is signed by nobody whom the issuer appointed';
}

/** Certificates that came with the answer and that the issuer made for signing answers (§4.2.2.2). */
function appointed(certificates: Der | undefined, issuer: X509Certificate): X509Certificate[] {
  const found: X509Certificate[] = [];
  for (const { whole } of childrenOf(childrenOf(certificates)[0])) {
    try {
      const certificate = new X509Certificate(whole);
      const valid = certificate.validFromDate.getTime() <= Date.now() && Date.now() <= certificate.validToDate.getTime();
      if (valid && certificate.keyUsage?.includes(OCSP_SIGNING) === true && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)) found.push(certificate);
    } catch {
      // Damaged: it has appointed nobody.
    }
  }
  return found;
}

function readSingle(data: Der | undefined, { id: asked }: OcspSubject, now: number): OcspAnswer {
  const responses = childrenOf(data).find(({ tag }) => tag === TAG.SEQUENCE);
  for (const single of childrenOf(responses)) {
    const [id, state, thisUpdate, ...rest] = childrenOf(single);
    const [, nameHash, keyHash, number] = childrenOf(id);
    if (number === undefined || !number.whole.equals(asked.serial) || nameHash?.content.equals(asked.nameHash) !== true || keyHash?.content.equals(asked.keyHash) !== true) continue;
    if (state === undefined || thisUpdate === undefined) return { wrong: 'is damaged' };
    const kind = state.tag & 0x1f;
    if (kind !== 0) return { status: kind === 1 ? 'revoked' : 'unknown' };
    return readDates(thisUpdate, rest.find(({ tag }) => tag === context(0)), now);
  }
  return { wrong: 'is about another certificate' };
}

function readDates(thisUpdate: Der, next: Der | undefined, now: number): OcspAnswer {
  const from = readTime(thisUpdate);
  const until = next === undefined ? undefined : childrenOf(next).map(readTime)[0];
  if (from === undefined || (next !== undefined && until === undefined)) return { wrong: 'holds a damaged date' };
  const validUntil = until ?? from + NO_NEXT_UPDATE_MS;
  if (from > now + SKEW_MS) return { wrong: 'is of the future' };
  return validUntil <= now ? { wrong: 'is out of date' } : { status: 'good', validUntil, thisUpdate: from };
}
