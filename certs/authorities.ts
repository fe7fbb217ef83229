// Whom to believe, as Secrets hold it: a bundle of authorities' certificates, and lists of what they have revoked. Like all
// that others sent it is read by node:crypto; lists, of which it knows nothing, are only looked at for their dates.
import { X509Certificate } from 'node:crypto';
import { TAG, children, readConstructed, readTime } from './der.ts';
import { readPem } from './pem.ts';
import { timeText } from './time.ts';

export type ParsedAuthorities = { readonly pem: string; readonly notes: readonly string[] } | { readonly problems: readonly string[] };

/** More is no list of authorities that somebody chose, and would be sent to every client. */
const MAX_AUTHORITIES = 200;

/** The certificates alone, in their order; `notes` say what their owner should know. */
export function parseAuthorities(text: string, now: number): ParsedAuthorities {
  const read = readPem(text);
  if ('error' in read) return { problems: [`the CA bundle is not proper PEM: ${read.error}`] };
  const blocks = read.blocks.filter(({ label }) => label === 'CERTIFICATE' || label === 'X509 CERTIFICATE' || label === 'TRUSTED CERTIFICATE');
  if (blocks.length === 0) return { problems: ['the CA bundle holds no CERTIFICATE block'] };
  if (blocks.length > MAX_AUTHORITIES) return { problems: [`the CA bundle holds ${blocks.length} certificates; ${MAX_AUTHORITIES} are allowed`] };
  const problems: string[] = [];
  const notes: string[] = [];
  const authorities = new Set<string>();
  for (const [index, { pem }] of blocks.entries()) {
    try {
      const certificate = new X509Certificate(pem);
      if (certificate.validToDate.getTime() < now) notes.push(`certificate ${index + 1} of the CA bundle expired at ${timeText(certificate.validToDate.getTime())}`);
      authorities.add(certificate.toString());
    } catch {
      problems.push(`certificate ${index + 1} of the CA bundle is no X.509 certificate that OpenSSL can read`);
    }
  }
  return problems.length > 0 ? { problems } : { pem: [...authorities].join(''), notes };
}

/** The same for revocation lists. An expired one makes every certificate of its authority fail. */
export function parseRevocationLists(text: string, now: number): ParsedAuthorities {
  const read = readPem(text);
  if ('error' in read) return { problems: [`the revocation list is not proper PEM: ${read.error}`] };
  const blocks = read.blocks.filter(({ label }) => label === 'X509 CRL');
  if (blocks.length === 0) return { problems: ['there is no X509 CRL block in what should be the revocation list'] };
  const problems: string[] = [];
  const notes: string[] = [];
  for (const [index, { pem }] of blocks.entries()) {
    const until = nextUpdate(Buffer.from(pem.replace(/-----.*-----/g, ''), 'base64'));
    if (until === 'damaged') problems.push(`revocation list ${index + 1} is damaged`);
    else if (until !== undefined && until < now) notes.push(`revocation list ${index + 1} is out of date since ${timeText(until)}, so that no certificate is believed that its authority issued`);
  }
  return problems.length > 0 ? { problems } : { pem: blocks.map(({ pem }) => pem).join(''), notes };
}

/** Of a CertificateList (RFC 5280 §5.1). Undefined: it does not say. */
function nextUpdate(bytes: Buffer): number | undefined | 'damaged' {
  const parts = readConstructed(bytes);
  const [signed] = parts ?? [];
  if (parts?.length !== 3 || signed === undefined || signed.tag !== TAG.SEQUENCE) return 'damaged';
  const fields = children(signed) ?? [];
  // version (in all but the oldest), signature, issuer, thisUpdate, nextUpdate
  const start = fields[0]?.tag === TAG.INTEGER ? 1 : 0;
  const [, , thisUpdate, next] = fields.slice(start);
  if (thisUpdate === undefined || readTime(thisUpdate) === undefined) return 'damaged';
  return next === undefined ? undefined : readTime(next);
}
