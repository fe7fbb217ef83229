// Services of type ExternalName: the name is resolved by whoever calls the pipeline, and its answers are endpoints here.
// A name is outside the cluster's control, so neither it nor what it resolves to may lead back into this machine.
import type { Service, ServicePort } from '../kube/objects.ts';
import { parseAddress } from './address.ts';
import type { Address } from './address.ts';
import { numericTarget } from './endpoints.ts';
import type { EndpointSet } from './endpoints.ts';
import { checkDnsName } from './hostname.ts';
import type { Problem } from './problem.ts';
import { seen } from './seen.ts';
import { compareText } from './translation.ts';

/** What a resolver said of one name. */
export type DnsAnswer = { readonly addresses: readonly string[] } | { readonly error: string };
/** By hostname; a name without an entry has not been asked yet. */
export type DnsAnswers = ReadonlyMap<string, DnsAnswer>;

/** The name that DNS must resolve; undefined: the Service is no ExternalName, needs no DNS, or is refused. */
export function externalHostname(service: Service): string | undefined {
  if (service.type !== 'ExternalName') return undefined;
  const check = checkDnsName(service.externalName);
  if ('wrong' in check || isLocal(check.hostname) || parseAddress(check.hostname) !== undefined) return undefined;
  return check.hostname;
}

/** The endpoints of an ExternalName Service: one per address, all ready. */
export function externalEndpoints(service: Service, port: ServicePort, dns: DnsAnswers): EndpointSet {
  const { externalName } = service;
  const check = checkDnsName(externalName);
  if ('wrong' in check) return none(service, 'InvalidExternalName', `${seen(externalName)} ${check.wrong}`);
  if (isLocal(check.hostname)) return none(service, 'RefNotPermitted', `${seen(externalName)} names this machine, to which nothing is forwarded`);
  if (parseAddress(check.hostname) !== undefined) return permitted(service, port, [check.hostname]);
  const answer = dns.get(check.hostname);
  if (answer === undefined) return { endpoints: [], problems: [] };
  if ('error' in answer) return none(service, 'ExternalNameUnresolved', `${seen(externalName)} does not resolve: ${answer.error.slice(0, 80)}`);
  if (answer.addresses.length === 0) return none(service, 'ExternalNameUnresolved', `${seen(externalName)} has no address`);
  return permitted(service, port, answer.addresses);
}

function permitted(service: Service, port: ServicePort, texts: readonly string[]): EndpointSet {
  const good = new Set<string>();
  const bad: string[] = [];
  for (const text of texts) {
    const address = parseAddress(text);
    if (address?.range === 'public') good.add(address.text);
    else bad.push(`${seen(text)} is ${describe(address)}`);
  }
  return {
    endpoints: [...good].sort(compareText).map((address) => ({ address, port: numericTarget(port), ready: true, serving: true, terminating: false })),
    problems: bad.length === 0 ? [] : [problem(service, 'RefNotPermitted', `${bad[0]}, to which nothing is forwarded${bad.length === 1 ? '' : ` (and ${bad.length - 1} more)`}`)],
  };
}

function describe(address: Address | undefined): string {
  return address === undefined ? 'not an IP address' : `a ${address.range} address`;
}

/** RFC 6761 6.3. */
function isLocal(hostname: string): boolean {
  return hostname === 'localhost' || hostname.endsWith('.localhost');
}

function none(service: Service, reason: string, message: string): EndpointSet {
  return { endpoints: [], problems: [problem(service, reason, message)] };
}

function problem({ metadata }: Service, reason: string, message: string): Problem {
  return {
    severity: 'error',
    reason,
    origin: { kind: 'Service', namespace: metadata.namespace, name: metadata.name, field: 'spec.externalName' },
    message,
    effect: 'ValueIgnored',
  };
}
