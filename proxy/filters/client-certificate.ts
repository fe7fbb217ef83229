// Decides about requests by the certificate that the client showed in its handshake, and tells the endpoint of it in
// `ssl-client-*` fields, which come from here alone. It runs after redirects to https and before anything that asks who it is.
// Annotations auth-tls-* of ingress-nginx.
import { RE2JS } from 're2js';
import type { ClientTls, Exchange, Reply } from '../http/exchange.ts';
import { replyBody } from '../http/status.ts';
import { defineFilter, isRecord, unknownKey } from './define.ts';

export interface ClientCertificateConfig {
  /** `ClientCertificates.name` of the host: connections that were made under another policy are refused. Empty with `off`. */
  readonly policy: string;
  /** `on`: nobody without a good certificate; `optional`: none or a good one; `report`: anybody, the endpoint is told; `off`: nobody was asked. */
  readonly verify: 'on' | 'optional' | 'report' | 'off';
  /** RE2 syntax, found anywhere in the subject (RFC 2253) of a good certificate. */
  readonly subject?: string;
  /** Where clients are sent instead of being answered 400. */
  readonly errorPage?: string;
  /** True: the endpoint gets the certificate itself, too. */
  readonly passCertificate?: boolean;
  /** True: served in clear text as well, where nobody can show a certificate (certificate authorities ask there). */
  readonly clearText?: boolean;
}

declare module '../table/filter.ts' {
  interface FilterConfigs {
    readonly 'client-certificate': ClientCertificateConfig;
  }
}

const MODES: readonly unknown[] = ['on', 'optional', 'report', 'off'];
const KEYS = ['policy', 'verify', 'subject', 'errorPage', 'passCertificate', 'clearText'];
const MAX_PATTERN = 1_000;

export default defineFilter({
  type: 'client-certificate',
  phase: 'authenticate',

  check(config) {
    if (!isRecord(config)) return 'the configuration is not a record';
    const unknown = unknownKey(config, KEYS);
    if (unknown !== undefined) return `there is no setting ${JSON.stringify(unknown)}`;
    const { policy, verify, subject, errorPage, passCertificate, clearText } = config;
    if (!MODES.includes(verify)) return `verify must be one of ${MODES.join(', ')}`;
    if (typeof policy !== 'string' || (policy === '') !== (verify === 'off')) return 'policy must name the client certificates that are asked for';
    if (subject !== undefined && (typeof subject !== 'string' || compiled(subject) === undefined)) return 'subject must be a regular expression';
    if (errorPage !== undefined && !(typeof errorPage === 'string' && /^https?:\/\/[\x21-\x7e]+$/.test(errorPage))) return 'errorPage must be a URL';
    for (const flag of [passCertificate, clearText]) if (flag !== undefined && typeof flag !== 'boolean') return 'passCertificate and clearText must be true or false';
    return undefined;
  },

  create(config) {
    const subject = config.subject === undefined ? undefined : compiled(config.subject);
    return {
      onRequest(exchange) {
        const { tls } = exchange.client;
        const refused = tls === undefined ? refusedInClear(config) : refusedWithTls(tls, config, subject);
        if (refused === undefined) tell(exchange, tls, config.passCertificate === true);
        return refused;
      },
    };
  },
});

function refusedInClear({ verify, subject, clearText }: ClientCertificateConfig): Reply | undefined {
  if (clearText === true || (verify !== 'on' && subject === undefined)) return undefined;
  return reply(403, 'ClientCertificateRequired');
}

function refusedWithTls(tls: ClientTls, { policy, verify, errorPage }: ClientCertificateConfig, subject: RE2JS | undefined): Reply | undefined {
  if (verify !== 'off' && tls.policy !== policy) return reply(421, 'MisdirectedRequest');
  const good = verify !== 'off' && tls.verify === 'SUCCESS';
  const none = tls.verify === 'NONE';
  if ((verify === 'on' && !good) || (verify === 'optional' && !good && !none)) {
    const reason = none ? 'ClientCertificateRequired' : 'ClientCertificateInvalid';
    return errorPage === undefined ? reply(400, reason) : reply(302, reason, ['location', errorPage]);
  }
  if (subject !== undefined && !(good && subject.test(tls.certificate?.subject ?? ''))) return reply(403, 'ClientCertificateUnauthorized');
  return undefined;
}

/** What the client itself sent under these names is gone by now. */
function tell({ request }: Exchange, tls: ClientTls | undefined, passCertificate: boolean): void {
  const { headers } = request;
  headers.push('ssl-client-verify', tls?.verify ?? 'NONE');
  const certificate = tls?.certificate;
  if (certificate === undefined) return;
  headers.push('ssl-client-subject-dn', certificate.subject, 'ssl-client-issuer-dn', certificate.issuer);
  if (passCertificate) headers.push('ssl-client-cert', certificate.escapedPem);
}

function reply(status: number, reason: string, headers: string[] = []): Reply {
  return { status, reason, headers: ['content-type', 'text/plain; charset=utf-8', ...headers], body: replyBody(status, reason) };
}

function compiled(pattern: string): RE2JS | undefined {
  if (pattern.length > MAX_PATTERN) return undefined;
  try {
    const regex = RE2JS.compile(pattern);
    return regex.programSize() <= MAX_PATTERN ? regex : undefined;
  } catch {
    return undefined;
  }
}
