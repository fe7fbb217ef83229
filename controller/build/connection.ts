// What is settled before a request: TLS settings of a host, its client certificates, and how its routes talk TLS to endpoints.
// Fails closed: a host whose clients cannot be checked answers 403 to everything, a route whose endpoints cannot be checked 503.
import { createHash } from 'node:crypto';
import type { Certificate } from '../../proxy/table/certificate.ts';
import type { UpstreamTls } from '../../proxy/table/cluster.ts';
import type { FilterSpec } from '../../proxy/table/filter.ts';
import type { Origin } from '../../proxy/table/origin.ts';
import type { Action, ClientCertificates, HostTls, Respond, Route } from '../../proxy/table/route.ts';
import type { Refused, Secret } from '../kube/objects.ts';
import { hostText } from '../model/assemble.ts';
import { missingText } from '../model/missing.ts';
import type { Effect, Problem } from '../model/problem.ts';
import type { ClientCertificatesIntent, ConnectionIntent, EncryptionIntent, Said } from '../model/translation.ts';
import { secretText } from './secrets.ts';
import type { SecretReader } from './secrets.ts';

/** Secrets that are looked for, and what was found in them and has to be in the table. */
export interface SecretUse {
  readonly reader: SecretReader;
  /** By `namespace/name`. */
  secret(key: string): Secret | Refused | undefined;
  readonly secrets: Set<string>;
  readonly certificates: Map<string, Certificate>;
  readonly problems: Problem[];
}

export interface BuiltConnection {
  readonly tls: HostTls | undefined;
  /** For every route; `challenge`: for those where certificate authorities ask, in clear text. */
  readonly filter: { readonly usual: FilterSpec; readonly challenge: FilterSpec } | undefined;
  /** Present: nobody gets in, because of this. */
  readonly closed: Origin | undefined;
}

/** What a host answers whose clients cannot be checked. */
export const UNCHECKED: Respond = { type: 'Respond', status: 403, body: '', reason: 'RouteDenied' };
const ACME_CHALLENGE = '/.well-known/acme-challenge';

export function buildConnection(hostname: string, connection: ConnectionIntent, use: SecretUse): BuiltConnection {
  const asked = connection.clientCertificates === undefined ? undefined : buildClientCertificates(hostname, connection.clientCertificates, use);
  const tls: HostTls = {
    ...connection.protocols?.value,
    ...(connection.ciphers !== undefined && { ciphers: connection.ciphers.value }),
    ...(connection.preferServerCiphers !== undefined && { preferClientCiphers: !connection.preferServerCiphers.value }),
    ...(asked?.policy !== undefined && { clientCertificates: asked.policy }),
  };
  return { tls: Object.keys(tls).length === 0 ? undefined : tls, filter: asked?.filter, closed: asked?.closed };
}

/** The one route of a host that is closed. */
export function closedRoute(origin: Origin, action: Action): Route {
  return {
    name: 'closed',
    match: { path: { type: 'PathPrefix', value: '/' }, headers: [], queryParams: [], cookies: [] },
    filters: [],
    action,
    origin,
  };
}

export function isChallenge({ match }: Pick<Route, 'match'>): boolean {
  return match.path.value.startsWith(ACME_CHALLENGE);
}

function buildClientCertificates(hostname: string, { value, origin }: Said<ClientCertificatesIntent>, use: SecretUse): Pick<BuiltConnection, 'filter' | 'closed'> & { readonly policy?: ClientCertificates } {
  const closed = (message: string): Pick<BuiltConnection, 'filter' | 'closed'> => {
    use.problems.push({ ...problem(origin, `${hostText(hostname)}: ${message}; as nobody can be checked, every request is answered 403`, 'HostDenied'), hostname });
    return { filter: undefined, closed: origin };
  };
  // Told where it was settled whose wish counts.
  if ('wrong' in value) return { filter: undefined, closed: origin };
  const { secret, verify, depth, subject, errorPage, passCertificate } = value;
  const settings = { verify, ...(subject !== undefined && { subject }), ...(errorPage !== undefined && { errorPage }), ...(passCertificate && { passCertificate }) };
  const filter = (policy: string): BuiltConnection['filter'] => ({
    usual: { type: 'client-certificate', config: { policy, ...settings } },
    challenge: { type: 'client-certificate', config: { policy, ...settings, clearText: true } },
  });
  const found = find(secret, use);
  if (found === undefined || 'refused' in found) return closed(missingText('Secret', secret, found));
  const authorities = use.reader.authorities(found);
  if ('wrong' in authorities) return closed(`${secretText(secret)} ${authorities.wrong}`);
  note(secret, 'data[ca.crt]', authorities.notes, use);
  if (verify === 'off') return { filter: filter(''), closed: undefined };
  const { caPem, crlPem } = authorities;
  const policy = named({ caPem, ...(crlPem !== undefined && { crlPem }), depth }, verify);
  return { policy, filter: filter(policy.name), closed: undefined };
}

/** Hosts with the same authorities that verify differently are different policies: what one lets through the other may not. */
function named(settings: Omit<ClientCertificates, 'name'>, verify: string): ClientCertificates {
  const digest = createHash('sha256').update(JSON.stringify([verify, settings.depth, settings.caPem, settings.crlPem ?? ''])).digest('hex');
  return { name: `sha256/${digest}`, ...settings };
}

/** Undefined: it cannot be honoured, and a Problem says why. */
export function buildEncryption({ secret, settings, origin }: EncryptionIntent, use: SecretUse): UpstreamTls | undefined {
  const refused = (message: string): undefined => {
    use.problems.push(problem(origin, `${message}; as the endpoints cannot be checked, requests are answered 503`, 'RouteDenied'));
    return undefined;
  };
  const found = find(secret, use);
  if (found === undefined || 'refused' in found) return refused(missingText('Secret', secret, found));
  const client = use.reader.certificate(found);
  if ('wrong' in client) return refused(`${secretText(secret)} ${client.wrong}`);
  // Without authorities of its own, what is verified is verified with those of the system.
  const authorities = found.data.has('ca.crt') ? use.reader.authorities(found) : undefined;
  if (authorities !== undefined && 'wrong' in authorities) return refused(`${secretText(secret)} ${authorities.wrong}`);
  note(secret, 'data[tls.crt]', client.notes, use);
  note(secret, 'data[ca.crt]', authorities?.notes ?? [], use);
  if (client.certificate !== undefined) use.certificates.set(client.certificate.name, client.certificate);
  return {
    ...settings,
    ...(authorities !== undefined && { caPem: authorities.caPem, ...(authorities.crlPem !== undefined && { crlPem: authorities.crlPem }) }),
    ...(client.certificate !== undefined && { clientCertificate: client.certificate.name }),
  };
}

function find(key: string, use: SecretUse): Secret | Refused | undefined {
  use.secrets.add(key);
  return use.secret(key);
}

function note(secret: string, field: string, notes: readonly string[], { problems }: SecretUse): void {
  const [namespace = '', name = ''] = secret.split('/');
  for (const message of notes) problems.push({ severity: 'warning', reason: 'InvalidCertificateRef', origin: { kind: 'Secret', namespace, name, field }, message, effect: 'None' });
}

function problem(origin: Origin, message: string, effect: Effect): Problem {
  return { severity: 'error', reason: 'InvalidCertificateRef', origin, message, effect };
}
