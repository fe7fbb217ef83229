// Ingress and IngressClass (networking.k8s.io/v1). The rules for hosts and paths are those of the API server's validation,
// so that a folder refuses what a cluster would refuse.
import { isIP } from 'node:net';
import { anyText, field, fields, isLabel, isMapping, isSubdomain, label, list, listNotNull, oneOf, optional, optionalText, portNumber, subdomain, text, textThat, UNREADABLE } from './decode-readers.ts';
import type { Fields, Read } from './decode-readers.ts';
import type { Reading } from './decode-reading.ts';
import type { Ingress, IngressBackend, IngressClass, IngressPath, IngressRule, IngressTls, Metadata } from './objects.ts';

export function readIngress(object: Fields, metadata: Metadata, at: Reading): Ingress {
  at.enter('spec');
  const spec = fields(object.spec, at);
  const ingressClassName = field(spec, 'ingressClassName', optionalText(subdomain, undefined), at);
  const defaultBackend = field(spec, 'defaultBackend', optionalBackend, at);
  const tls = field(spec, 'tls', readTls, at);
  const rules = field(spec, 'rules', readRules, at);
  if (!isGiven(spec.defaultBackend) && isEmpty(spec.rules) && isGiven(object.spec)) at.refuseFor('has neither rules nor a defaultBackend; at least one of them is required', undefined);
  at.leave();
  return { kind: 'Ingress', metadata, ...(ingressClassName === undefined ? {} : { ingressClassName }), ...(defaultBackend === undefined ? {} : { defaultBackend }), tls, rules };
}

export function readIngressClass(object: Fields, metadata: Metadata, at: Reading): IngressClass {
  at.enter('spec');
  const controller = field(optional(fields, {})(object.spec, at), 'controller', anyText, at);
  at.leave();
  return { kind: 'IngressClass', metadata, controller };
}

const isHost = (value: string): boolean => isSubdomain(value.startsWith('*.') ? value.slice(2) : value);
const host = textThat((value) => isHost(value) && isIP(value) === 0, 'a DNS name in lower case, perhaps with "*." in front; no port, no scheme, no IP address');
/** Of a certificate. The API server takes an IPv4 address for such a name here, and it names no host that a client could ask for. */
const tlsHost = textThat(isHost, 'a DNS name in lower case, perhaps with "*." in front; no port, no scheme');

const readTls = list((value, at): IngressTls => {
  const of = fields(value, at);
  return { hosts: field(of, 'hosts', list(tlsHost), at), secretName: field(of, 'secretName', optionalText(subdomain, ''), at) };
});

const readBackend: Read<IngressBackend> = (value, at) => {
  const of = fields(value, at);
  const standIn: IngressBackend = { service: '', port: { number: 1 } };
  if (!isMapping(value)) return standIn;
  if (isGiven(of.service) === isGiven(of.resource)) return at.refuseFor('needs exactly one of service and resource', standIn);
  return isGiven(of.service) ? field(of, 'service', readServiceBackend, at) : { resource: field(of, 'resource', readResource, at) };
};
const optionalBackend = optional(readBackend, undefined);

const readServiceBackend: Read<IngressBackend> = (value, at) => {
  const of = fields(value, at);
  return { service: field(of, 'name', label, at), port: field(of, 'port', readBackendPort, at) };
};

const readPortName = textThat(isLabel, 'the name of a port of the Service');

const readBackendPort: Read<{ readonly number: number } | { readonly name: string }> = (value, at) => {
  const of = fields(value, at);
  if (!isMapping(value)) return { number: 1 };
  const named = isGiven(of.name) && of.name !== '';
  if (named === isGiven(of.number)) return at.refuseFor('needs exactly one of name and number', { number: 1 });
  return named ? { name: field(of, 'name', readPortName, at) } : { number: field(of, 'number', portNumber, at) };
};

const readResource = (value: unknown, at: Reading): { apiGroup: string; kind: string; name: string } => {
  const of = fields(value, at);
  return { apiGroup: field(of, 'apiGroup', anyText, at), kind: field(of, 'kind', text, at), name: field(of, 'name', text, at) };
};

const readPathType = oneOf('ImplementationSpecific', 'Exact', 'Prefix');

const isClean = (path: string): boolean => !/[\r\n\0]/.test(path);
/** Parts that are resolved before a request is matched, so that a path with one would never match. */
const isUnresolved = (path: string): boolean => /\/\/|\/\.\.?(?:\/|$)|%2f/i.test(path);
const canonicalPath = textThat((path) => path.startsWith('/') && !isUnresolved(path) && isClean(path), 'a path that begins with "/", without "//", "/./", "/../", "%2f", CR, LF and NUL');
const loosePath = optionalText(textThat((path) => path.startsWith('/') && isClean(path), 'a path that begins with "/", without CR, LF and NUL'), '');

const readPath: Read<IngressPath> = (value, at) => {
  const of = fields(value, at);
  const pathType = field(of, 'pathType', readPathType, at);
  const path = field(of, 'path', pathType === 'ImplementationSpecific' ? loosePath : canonicalPath, at);
  return { path: isMapping(value) ? path : UNREADABLE, pathType, backend: field(of, 'backend', readBackend, at) };
};

const readPaths = listNotNull(readPath);

const UNREADABLE_RULE: IngressRule = { host: UNREADABLE, paths: [] };

const readRuleList = listNotNull((value, at): IngressRule => {
  const of = fields(value, at);
  const rule = field(of, 'host', optionalText(host, ''), at);
  if (!isMapping(value)) return UNREADABLE_RULE;
  if (of.http === undefined) return { host: rule, paths: [] };
  at.enter('http');
  const http = fields(of.http, at);
  const paths = field(http, 'paths', readPaths, at);
  if (isEmpty(http.paths) && isGiven(of.http)) at.refuseFor('has no paths; at least one is required', undefined);
  at.leave();
  return { host: rule, paths };
});

/** What is no list has not said that it is for every host. */
const readRules: Read<readonly IngressRule[]> = (value, at) => {
  const rules = readRuleList(value, at);
  return isGiven(value) && !Array.isArray(value) ? [UNREADABLE_RULE] : rules;
};

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function isEmpty(value: unknown): boolean {
  return value === undefined || (Array.isArray(value) && value.length === 0);
}
