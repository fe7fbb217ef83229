// `auth-tls-*`: client certificates for whole hosts. Whatever is wrong with one of these closes the hosts of the Ingress, since
// somebody meant to keep others out: a typing error must not let them in.
import { RE2JS } from 're2js';
import type { ClientCertificatesIntent, Wrong } from '../../model/translation.ts';
import type { Annotations } from './annotations.ts';
import { secretIn, withConnection } from './connection.ts';
import type { AnnotationGroup } from './group.ts';
import { any, bool, int, oneOf } from './values.ts';
import type { Parser } from './values.ts';

export const SECRET = 'auth-tls-secret';
const OTHERS = ['auth-tls-verify-client', 'auth-tls-verify-depth', 'auth-tls-match-cn', 'auth-tls-error-page', 'auth-tls-pass-certificate-to-upstream'] as const;
const MODES = { on: 'on', off: 'off', optional: 'optional', optional_no_ca: 'report' } as const;
const DEFAULT_DEPTH = 1;
const DEEPEST = 100;
const LONGEST_PATTERN = 1_000;

export const authTls: AnnotationGroup = {
  name: 'CertificateAuth',
  reads: [SECRET, ...OTHERS],
  effect: (annotations) => {
    if (!isWritten(annotations, SECRET)) {
      for (const name of OTHERS) if (isWritten(annotations, name)) reportIdle(annotations, name);
      return undefined;
    }
    return withConnection({ clientCertificates: { value: readAll(annotations), origin: annotations.origin(SECRET) } });
  },
};

function isWritten(annotations: Annotations, name: string): boolean {
  return annotations.read(name, any, 'default') !== undefined;
}

function reportIdle(annotations: Annotations, name: string): void {
  annotations.report({
    severity: 'warning',
    reason: 'SettingWithoutEffect',
    origin: annotations.origin(name),
    message: `without ${SECRET} nobody is asked for a certificate`,
    effect: 'ValueIgnored',
  });
}

function readAll(annotations: Annotations): ClientCertificatesIntent {
  const wrong: Wrong[] = [];
  // What it does is told with the hosts: there an older Ingress may decide.
  const read = <T>(name: string, parse: Parser<T>): T | undefined => {
    const parsed = annotations.look(name, parse);
    if (parsed === undefined || 'value' in parsed) return parsed?.value;
    wrong.push({ message: parsed.wrong, origin: annotations.origin(name) });
    return undefined;
  };
  const secret = read(SECRET, secretIn(annotations.origin(SECRET)));
  const subject = read('auth-tls-match-cn', commonName);
  const passCertificate = read('auth-tls-pass-certificate-to-upstream', bool);
  const errorPage = annotations.read('auth-tls-error-page', page, 'default');
  const verify = annotations.read('auth-tls-verify-client', oneOf('on', 'off', 'optional', 'optional_no_ca'), 'default') ?? 'on';
  const depth = annotations.read('auth-tls-verify-depth', int, 'default') ?? DEFAULT_DEPTH;
  if (secret === undefined || wrong.length > 0) return { wrong };
  return {
    secret,
    verify: MODES[verify],
    depth: Math.min(Math.max(depth, DEFAULT_DEPTH), DEEPEST),
    ...(subject !== undefined && { subject }),
    ...(errorPage !== undefined && { errorPage }),
    ...(passCertificate === true && { passCertificate }),
  };
}

/** The whole of it is the pattern, `CN=` included. */
const commonName: Parser<string> = (text) => {
  if (!text.startsWith('CN=')) return { wrong: 'must begin with CN=' };
  if (text.length > LONGEST_PATTERN) return { wrong: `may have at most ${LONGEST_PATTERN} characters` };
  try {
    return RE2JS.compile(text).programSize() <= LONGEST_PATTERN ? { value: text } : { wrong: 'is a regular expression that unfolds to too many steps' };
  } catch {
    return { wrong: 'must be a regular expression in RE2 syntax' };
  }
};

/** Locations of nginx and paths of the host itself, which asks for a certificate there too, are not served: then the answer is 400. */
const page: Parser<string> = (text) => {
  if (/^https?:\/\/[A-Za-z0-9\-._]+(?::\d{1,5})?(?:\/[A-Za-z0-9\-._/?=&%]*)?$/.test(text)) return { value: text };
  return { wrong: 'must be a URL that begins with http:// or https://' };
};
