// What the API server refuses with 422. Strict where the controller writes (Lease, Event, Ingress status), so that a sloppy
// request fails here as it would in a cluster; for the other kinds the rules that every manifest has to meet.
import { isIP } from 'node:net';
import { isMapping } from './json.ts';
import type { ApiObject, JsonObject } from './json.ts';

const LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const MICRO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;
const LABEL_KINDS = new Set(['Service', 'Namespace']);

/** Reasons for refusal; empty: the object may be stored. */
export function causes(object: ApiObject): string[] {
  return [...metadataCauses(object), ...(CHECKS.get(object.kind)?.(object) ?? [])];
}

function metadataCauses({ kind, metadata }: ApiObject): string[] {
  const { name = '', labels = {}, annotations = {} } = metadata;
  const found: string[] = [];
  const fits = LABEL_KINDS.has(kind) ? LABEL.test(name) : kind.includes('Role') ? /^[^/%]+$/.test(name) : name.length <= 253 && SUBDOMAIN.test(name);
  if (!fits) found.push(`metadata.name: Invalid value: ${JSON.stringify(name)}`);
  for (const [key, value] of Object.entries(labels)) {
    if (typeof value !== 'string' || !/^(([A-Za-z0-9][-\w.]{0,61})?[A-Za-z0-9])?$/.test(value)) found.push(`metadata.labels: Invalid value: ${JSON.stringify(value)}`);
    if (!isQualifiedName(key)) found.push(`metadata.labels: Invalid value: ${JSON.stringify(key)}`);
  }
  let bytes = 0;
  for (const [key, value] of Object.entries(annotations)) {
    if (!isQualifiedName(key.toLowerCase())) found.push(`metadata.annotations: Invalid value: ${JSON.stringify(key)}`);
    if (typeof value !== 'string') found.push(`metadata.annotations.${key}: must be a string`);
    bytes += key.length + String(value).length;
  }
  if (bytes > 262_144) found.push('metadata.annotations: Too long: may not be more than 262144 bytes');
  return found;
}

function isQualifiedName(key: string): boolean {
  const [prefix, name] = key.includes('/') ? [key.slice(0, key.indexOf('/')), key.slice(key.indexOf('/') + 1)] : [undefined, key];
  return (prefix === undefined || (prefix.length <= 253 && SUBDOMAIN.test(prefix))) && /^([A-Za-z0-9][-\w.]{0,61})?[A-Za-z0-9]$/.test(name);
}

const CHECKS: ReadonlyMap<string, (object: ApiObject) => string[]> = new Map([
  ['Ingress', ingressCauses],
  ['Lease', leaseCauses],
  ['Event', eventCauses],
  ['EndpointSlice', sliceCauses],
  ['Secret', secretCauses],
]);

function ingressCauses(object: ApiObject): string[] {
  const found: string[] = [];
  const spec = mapping(object.spec);
  const rules = list(spec.rules);
  if (rules.length === 0 && spec.defaultBackend === undefined) found.push('spec: Invalid value: either `defaultBackend` or `rules` must be specified');
  for (const [index, rule] of rules.entries()) {
    const host = mapping(rule).host;
    if (host !== undefined && host !== '' && !(typeof host === 'string' && SUBDOMAIN.test(host.replace(/^\*\./, '')) && isIP(host) === 0)) found.push(`spec.rules[${index}].host: Invalid value: ${JSON.stringify(host)}`);
    for (const [at, path] of list(mapping(mapping(rule).http).paths).entries()) {
      const { pathType, path: value } = mapping(path);
      const field = `spec.rules[${index}].http.paths[${at}]`;
      if (!['Exact', 'Prefix', 'ImplementationSpecific'].includes(String(pathType))) found.push(`${field}.pathType: Required value: pathType must be specified`);
      if (pathType !== 'ImplementationSpecific' && !String(value).startsWith('/')) found.push(`${field}.path: Invalid value: ${JSON.stringify(value)}: must be an absolute path`);
    }
  }
  for (const [index, point] of list(mapping(mapping(object.status).loadBalancer).ingress).entries()) {
    const { ip, hostname, ...others } = mapping(point);
    const field = `status.loadBalancer.ingress[${index}]`;
    if (ip !== undefined && isIP(String(ip)) === 0) found.push(`${field}.ip: Invalid value: ${JSON.stringify(ip)}: must be a valid IP address`);
    if (hostname !== undefined && (!SUBDOMAIN.test(String(hostname)) || isIP(String(hostname)) !== 0)) found.push(`${field}.hostname: Invalid value: ${JSON.stringify(hostname)}`);
    if (Object.keys(others).some((key) => key !== 'ports')) found.push(`${field}: unknown field`);
  }
  return found;
}

function leaseCauses(object: ApiObject): string[] {
  const found: string[] = [];
  const { leaseDurationSeconds, acquireTime, renewTime, leaseTransitions, holderIdentity, ...others } = mapping(object.spec);
  if (leaseDurationSeconds !== undefined && !(Number.isInteger(leaseDurationSeconds) && Number(leaseDurationSeconds) > 0)) found.push('spec.leaseDurationSeconds: Invalid value: must be greater than 0');
  if (leaseTransitions !== undefined && !(Number.isInteger(leaseTransitions) && Number(leaseTransitions) >= 0)) found.push('spec.leaseTransitions: Invalid value: must be greater than or equal to 0');
  for (const [field, value] of Object.entries({ acquireTime, renewTime })) {
    if (value !== undefined && value !== null && !MICRO_TIME.test(String(value))) found.push(`spec.${field}: Invalid value: ${JSON.stringify(value)}: must be RFC 3339 with microseconds`);
  }
  if (holderIdentity !== undefined && typeof holderIdentity !== 'string') found.push('spec.holderIdentity: must be a string');
  for (const field of Object.keys(others)) if (!['strategy', 'preferredHolder'].includes(field)) found.push(`spec.${field}: unknown field`);
  return found;
}

function eventCauses(object: ApiObject): string[] {
  const found: string[] = [];
  const involved = mapping(object.involvedObject);
  const namespace = String(involved.namespace ?? '');
  if (namespace === '' ? object.metadata.namespace !== 'default' : namespace !== object.metadata.namespace) found.push('involvedObject.namespace: Invalid value: does not match event.namespace');
  if (!['Normal', 'Warning'].includes(String(object.type))) found.push('type: Invalid value: has to be Normal or Warning');
  if (typeof object.reason !== 'string' || object.reason === '' || object.reason.length > 128) found.push('reason: Required value');
  if (typeof object.message !== 'string' || object.message.length > 1024) found.push('message: can have at most 1024 characters');
  if (typeof object.reportingComponent !== 'string' || object.reportingComponent === '') found.push('reportingComponent: Required value');
  for (const field of ['firstTimestamp', 'lastTimestamp']) if (object[field] !== undefined && !TIME.test(String(object[field]))) found.push(`${field}: must be RFC 3339`);
  for (const field of Object.keys(object)) if (!EVENT_FIELDS.has(field)) found.push(`${field}: unknown field`);
  return found;
}
const EVENT_FIELDS = new Set([
  'apiVersion', 'kind', 'metadata', 'involvedObject', 'reason', 'message', 'source', 'firstTimestamp', 'lastTimestamp', 'count', 'type',
  'eventTime', 'series', 'action', 'related', 'reportingComponent', 'reportingInstance',
]);

function sliceCauses(object: ApiObject): string[] {
  const found: string[] = [];
  if (!['IPv4', 'IPv6', 'FQDN'].includes(String(object.addressType))) found.push('addressType: Required value');
  for (const [index, endpoint] of list(object.endpoints).entries()) {
    const addresses = list(mapping(endpoint).addresses);
    if (addresses.length === 0) found.push(`endpoints[${index}].addresses: Required value: must contain at least 1 address`);
  }
  return found;
}

function secretCauses(object: ApiObject): string[] {
  const data = mapping(object.data);
  const found: string[] = [];
  for (const [key, value] of Object.entries(data)) {
    if (typeof value !== 'string' || Buffer.from(value, 'base64').toString('base64') !== value) found.push(`data[${key}]: must be base64`);
  }
  if (object.type === 'kubernetes.io/tls') for (const key of ['tls.crt', 'tls.key']) if (!Object.hasOwn(data, key)) found.push(`data[${key}]: Required value`);
  return found;
}

function mapping(value: unknown): JsonObject {
  return isMapping(value) ? value : {};
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}
