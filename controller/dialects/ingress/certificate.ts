// Which certificate a hostname gets from the `tls` section that decides for it, out of the Secrets that the section names.
// Whatever is wrong with them leaves the default certificate, never a hostname without TLS.
import { covers, parseCertificate } from '../../../certs/parse.ts';
import { timeText } from '../../../certs/time.ts';
import type { Certificate } from '../../../proxy/table/certificate.ts';
import type { Origin } from '../../../proxy/table/origin.ts';
import type { Refused, Secret } from '../../kube/objects.ts';
import { hostText } from '../../model/assemble.ts';
import { missingText } from '../../model/missing.ts';
import type { Problem } from '../../model/problem.ts';
import { seen } from '../../model/seen.ts';
import type { TlsIntent } from '../../model/translation.ts';

/** A certificate that served a hostname, and the Secret (`namespace/name`) that it came from. */
export interface Served {
  readonly secret: string;
  readonly certificate: Certificate;
}

export interface CertificateChoice {
  /** Undefined: the default certificate. */
  readonly served: Served | undefined;
  /** Secrets that were looked for: the choice is to be made again when one of them changes. */
  readonly secrets: ReadonlySet<string>;
  readonly problems: readonly Problem[];
}

/** What a Secret holds: a certificate with what its owner should know about it, or why it cannot be served. */
export type SecretCertificate =
  | { readonly certificate: Certificate; readonly notes: readonly { readonly reason: string; readonly message: string }[] }
  | { readonly problems: readonly string[] };

/** Undefined: there is no such Secret. */
export type ReadSecret = (key: string) => Read | undefined;
type Read = SecretCertificate | Refused;

/**
 * `tls`: the section of the oldest Ingress of the hostname that has one. The entry that lists the hostname decides; if none does, the first certificate
 * that covers it. `before`: what served the hostname so far, which stays in service while its Secret exists and holds nothing better.
 */
export function chooseCertificate(hostname: string, tls: readonly TlsIntent[], read: ReadSecret, before: Served | undefined): CertificateChoice {
  const listed = tls.find(({ hosts }) => hosts.includes(hostname));
  const secrets = new Set<string>();
  let failure: Failure | undefined;
  for (const { secret, origin } of listed === undefined ? tls : [listed]) {
    if (secret === undefined) continue;
    secrets.add(secret);
    const parsed = read(secret);
    const wrong = whyNot(parsed, secret, hostname, before);
    if (parsed !== undefined && 'certificate' in parsed && wrong === undefined) {
      return { served: { secret, certificate: parsed.certificate }, secrets, problems: notesOf(parsed, secret) };
    }
    const found = { origin, wrong: wrong ?? '', kept: isHeld(parsed) && before?.secret === secret };
    if (failure === undefined || (found.kept && !failure.kept)) failure = found;
  }
  if (failure === undefined) return { served: undefined, secrets, problems: [] };
  const problem = listed === undefined && !failure.kept ? unlisted(hostname, failure) : invalid(hostname, failure);
  return { served: failure.kept ? before : undefined, secrets, problems: [problem] };
}

interface Failure {
  /** The entry of the `tls` section. */
  readonly origin: Origin;
  readonly wrong: string;
  /** What the Secret held before stays in service. */
  readonly kept: boolean;
}

function invalid(hostname: string, { origin, wrong, kept }: Failure): Problem {
  return {
    severity: 'error',
    reason: 'InvalidCertificateRef',
    origin: { ...origin, field: `${origin.field}.secretName` },
    message: `${hostText(hostname)}: ${wrong}; ${kept ? 'the certificate that it held before stays in service' : 'the default certificate is served'}`,
    effect: kept ? 'ValueIgnored' : 'DefaultUsed',
  };
}

/** Nobody asked for a certificate for this very name, so that it is less than an error. */
function unlisted(hostname: string, { origin, wrong }: Failure): Problem {
  return {
    severity: 'warning',
    reason: 'InvalidCertificateRef',
    origin: { ...origin, field: 'spec.tls' },
    message: `${hostText(hostname)} is in no entry of the tls section, and ${wrong}; the default certificate is served`,
    hint: 'list the host in the entry of its certificate',
    effect: 'DefaultUsed',
  };
}

/** --default-ssl-certificate; whatever it covers. */
export function chooseDefault(secret: string | undefined, read: ReadSecret, before: Served | undefined): CertificateChoice {
  if (secret === undefined) return { served: undefined, secrets: new Set(), problems: [] };
  const secrets = new Set([secret]);
  const parsed = read(secret);
  const stepBack = isHeld(parsed) && isStepBack(parsed, secret, before);
  if (parsed !== undefined && 'certificate' in parsed && !stepBack) {
    return { served: { secret, certificate: parsed.certificate }, secrets, problems: notesOf(parsed, secret) };
  }
  const served = isHeld(parsed) ? before : undefined;
  const problem: Problem = {
    severity: 'error',
    reason: 'InvalidCertificateRef',
    origin: { kind: 'Flag', namespace: '', name: '--default-ssl-certificate' },
    message: `${!isHeld(parsed) ? missingText('Secret', secret, parsed) : 'problems' in parsed ? unusable(parsed, secret) : expired(secret)}; ${served === undefined ? 'a self-signed certificate is served' : 'the certificate that it held before stays in service'}`,
    effect: served === undefined ? 'DefaultUsed' : 'ValueIgnored',
  };
  return { served, secrets, problems: [problem] };
}

/** Undefined: the Secret's certificate can serve the hostname. */
function whyNot(parsed: Read | undefined, secret: string, hostname: string, before: Served | undefined): string | undefined {
  if (!isHeld(parsed)) return missingText('Secret', secret, parsed);
  if ('problems' in parsed) return unusable(parsed, secret);
  if (isStepBack(parsed, secret, before)) return expired(secret);
  if (covers(parsed.certificate, hostname)) return undefined;
  return `the certificate in Secret ${seen(secret)} does not cover it; it covers ${namesText(parsed.certificate.hostnames)}`;
}

/** There is a Secret, and somebody has looked into it. */
function isHeld(parsed: Read | undefined): parsed is SecretCertificate {
  return parsed !== undefined && !('refused' in parsed);
}

/** The certificate has expired, and the one that the Secret held before ends later: somebody has put back an old one. */
function isStepBack(parsed: SecretCertificate, secret: string, before: Served | undefined): boolean {
  if (!('certificate' in parsed) || before?.secret !== secret) return false;
  return before.certificate.notAfter > parsed.certificate.notAfter && parsed.notes.some(({ reason }) => reason === 'CertificateExpired');
}

function expired(secret: string): string {
  return `the certificate in Secret ${seen(secret)} has expired`;
}

function unusable({ problems }: { readonly problems: readonly string[] }, secret: string): string {
  return `the certificate in Secret ${seen(secret)} cannot be served: ${problems.slice(0, 3).join('; ')}`;
}

function namesText(names: readonly string[]): string {
  if (names.length === 0) return 'no name';
  return `${names.slice(0, 3).map(seen).join(', ')}${names.length > 3 ? ` and ${names.length - 3} more` : ''}`;
}

const TEN_DAYS_MS = 10 * 24 * 3_600_000;

/** A Secret of type kubernetes.io/tls, or of any other type with the same two keys. `now` in milliseconds, for notes on expiry. */
export function readTlsSecret(secret: Secret, now: number): SecretCertificate {
  const chain = secret.data.get('tls.crt');
  const key = secret.data.get('tls.key');
  if (chain === undefined || key === undefined) return { problems: [`the Secret has no ${chain === undefined ? 'tls.crt' : 'tls.key'}`] };
  const parsed = parseCertificate(chain, key, now);
  if ('problems' in parsed) return parsed;
  const left = parsed.certificate.notAfter - now;
  if (left < 0 || left > TEN_DAYS_MS) return parsed;
  const soon = { reason: 'CertificateExpiresSoon', message: `the certificate expires at ${timeText(parsed.certificate.notAfter)}` };
  return { certificate: parsed.certificate, notes: [...parsed.notes, soon] };
}

/** Notes concern the Secret, whoever uses it. */
function notesOf(parsed: SecretCertificate, secret: string): readonly Problem[] {
  if (!('notes' in parsed)) return [];
  const [namespace = '', name = ''] = secret.split('/');
  return parsed.notes.map(({ reason, message }) => ({
    severity: 'warning',
    reason,
    origin: { kind: 'Secret', namespace, name, field: 'data[tls.crt]' },
    message,
    effect: 'None',
  }));
}
