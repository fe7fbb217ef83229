// The flags about TLS, and about TCP balancers in front. They have the names that the ConfigMap of ingress-nginx uses, where it
// has one, and its defaults but for session tickets and weak suites.
import { InvalidArgumentError } from 'commander';
import type { Option } from 'commander';
import { wrongCiphers } from '../../certs/ciphers.ts';
import type { TlsVersion } from '../../proxy/table/listener.ts';
import type { ConnectionSettings, ReadingSettings } from '../settings.ts';
import { Failure } from './failure.ts';
import { flag } from './flag.ts';
import { listOf, readBoolean, readCidr, readCountOrNone } from './values.ts';

/** Values as commander gives them. */
export interface TlsReadingValues {
  readonly hsts: boolean;
  readonly hstsMaxAge: number;
  readonly hstsIncludeSubdomains: boolean;
  readonly hstsPreload: boolean;
  readonly enableSslPassthrough: boolean;
}

export interface TlsValues {
  readonly sslProtocols: ConnectionSettings['tls'];
  readonly sslCiphers?: string;
  readonly sslPreferServerCiphers: boolean;
  readonly ocspStapling: boolean;
  readonly useProxyProtocol: boolean;
  readonly proxyProtocolFrom?: readonly string[];
}

const TLS = 'TLS';
const YEAR_SECONDS = 31_536_000;
const BOTH = { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.3' } as const;

/** These are part of the table, so that every command that shows one has them. */
export function tlsReadingOptions(): readonly Option[] {
  return [
    flag(TLS, '--hsts [true|false]', 'Strict-Transport-Security on every response over TLS of a host with a certificate of its own', readBoolean, true).preset('true'),
    flag(TLS, '--hsts-max-age <seconds>', 'how long browsers remember it', readCountOrNone, YEAR_SECONDS),
    flag(TLS, '--hsts-include-subdomains [true|false]', 'for all names below the host as well', readBoolean, true).preset('true'),
    flag(TLS, '--hsts-preload [true|false]', 'browsers may be shipped with it', readBoolean, false).preset('true'),
    flag(TLS, '--enable-ssl-passthrough [true|false]', 'honour the annotation ssl-passthrough', readBoolean, true).preset('true'),
  ];
}

export function tlsOptions(): readonly Option[] {
  return [
    flag(TLS, '--ssl-protocols <versions>', 'TLSv1.2, TLSv1.3 or both', readProtocols, BOTH, 'TLSv1.2 TLSv1.3'),
    flag(TLS, '--ssl-ciphers <list>', 'OpenSSL cipher list for TLS 1.2 (default: AEAD suites with forward secrecy)', readCiphers),
    flag(TLS, '--ssl-prefer-server-ciphers [true|false]', 'of the suites that both sides have, take the first in the list', readBoolean, true).preset('true'),
    flag(TLS, '--ocsp-stapling [true|false]', 'ask the responders that certificates name, and staple their answers', readBoolean, false).preset('true'),
    flag(TLS, '--use-proxy-protocol [true|false]', 'HTTP and HTTPS connections begin with a PROXY protocol header, version 1 or 2', readBoolean, false).preset('true'),
    flag(TLS, '--proxy-protocol-from <cidrs>', 'only those of these peers do, and those of others must not (default: all do)', listOf(readCidr)),
  ];
}

export function tlsReadingSettings(values: TlsReadingValues): Pick<ReadingSettings, 'hsts' | 'sslPassthrough'> {
  const { hsts, hstsMaxAge, hstsIncludeSubdomains, hstsPreload } = values;
  const value = `max-age=${hstsMaxAge}${hstsIncludeSubdomains ? '; includeSubDomains' : ''}${hstsPreload ? '; preload' : ''}`;
  return { ...(hsts && { hsts: value }), sslPassthrough: values.enableSslPassthrough };
}

/** Throws a Failure if flags contradict each other. */
export function connectionSettings(values: TlsValues): ConnectionSettings {
  if (values.proxyProtocolFrom !== undefined && !values.useProxyProtocol) throw new Failure(2, '--proxy-protocol-from needs --use-proxy-protocol');
  return {
    tls: {
      ...values.sslProtocols,
      ...(values.sslCiphers !== undefined && { ciphers: values.sslCiphers }),
      ...(!values.sslPreferServerCiphers && { preferClientCiphers: true }),
    },
    ocspStapling: values.ocspStapling,
    proxyProtocol: values.useProxyProtocol,
    ...(values.proxyProtocolFrom !== undefined && { proxyProtocolFrom: [...values.proxyProtocolFrom] }),
  };
}

function readProtocols(text: string): { readonly minVersion: TlsVersion; readonly maxVersion: TlsVersion } {
  const versions = text.split(/[ ,]+/).filter((word) => word !== '').sort();
  const [first, last = first] = [versions[0], versions.at(-1)];
  if (first === undefined || last === undefined || !isVersion(first) || !isVersion(last)) throw new InvalidArgumentError('Allowed: TLSv1.2, TLSv1.3, or both.');
  return { minVersion: first, maxVersion: last };
}

function isVersion(text: string): text is TlsVersion {
  return text === 'TLSv1.2' || text === 'TLSv1.3';
}

function readCiphers(text: string): string {
  const wrong = wrongCiphers(text);
  if (wrong !== undefined) throw new InvalidArgumentError(`The list ${wrong}.`);
  return text;
}
