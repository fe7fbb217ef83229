// The table for people: as text in matching order, and as JSON. This is the only way in which a table may leave a process
// other than to a worker, because it never shows a private key, nor what a filter keeps secret.
import type { Certificate } from './certificate.ts';
import type { Endpoint } from './cluster.ts';
import type { FilterSpec } from './filter.ts';
import { originText } from './origin.ts';
import type { Action, Route, RouteMatch, ValueMatch, VirtualHost, WeightedCluster } from './route.ts';
import type { Sections } from './snapshot.ts';

/**
 * Listeners, then every hostname with its routes as they are tried, then clusters with their endpoints. Exact hostnames come first, then
 * wildcards, then `*`, which is how they are looked up. Ends with a line feed; empty for an empty table.
 */
export function printTable(sections: Sections): string {
  const listeners = sorted(sections.listeners).map((listener) => {
    const certificate = listener.tls === undefined ? '' : `  default certificate ${certificateText(listener.tls.defaultCertificate, sections)}`;
    const address = listener.address.includes(':') ? `[${listener.address}]` : listener.address;
    const flags = settings({ proxyProtocol: listener.proxyProtocol || undefined, trustedProxies: listener.trustedProxies, trustedHops: listener.trustedHops, forwardedPort: listener.forwardedPort });
    return `listener ${listener.name}  ${listener.protocol} ${address}:${listener.port}${flags}${certificate}\n`;
  });
  const hosts = Object.values(sections.virtualHosts).sort(byHostname).map((host) => `\n${hostText(host, sections)}`);
  const clusters = sorted(sections.clusters).map(({ name, protocol, loadBalancer, origin: _origin, ...others }) => {
    const { type, ...balancing } = loadBalancer;
    const profile = `cluster ${shown(name)}  ${protocol} ${type}${settings({ ...balancing, ...others })}`;
    return `${profile}\n${endpointLines(sections.endpoints[name] ?? [])}`;
  });
  return [...listeners, ...hosts, ...(clusters.length === 0 ? [] : ['\n']), ...clusters].join('').trimStart();
}

function sorted<T>(section: Readonly<Record<string, T>>): T[] {
  return Object.keys(section).sort().map((key) => section[key] as T);
}

function byHostname(a: VirtualHost, b: VirtualHost): number {
  return hostRank(a) - hostRank(b) || compare(a.hostname, b.hostname) || compare(a.listeners.join('+'), b.listeners.join('+'));
}

function hostRank({ hostname }: VirtualHost): number {
  if (hostname === '*') return 2;
  return hostname.startsWith('*') ? 1 : 0;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function hostText(host: VirtualHost, sections: Sections): string {
  const certificate = host.certificate === undefined ? '' : `  certificate ${certificateText(host.certificate, sections)}`;
  const rows = host.routes.map((route) => [matchText(route.match), `${filtersText(route)}${actionText(route.action)}`, originText(route.origin)]);
  return `${shown(host.hostname)}  on ${host.listeners.join('+')}${certificate}${connectionText(host)}\n${columns(rows)}`;
}

/** What is other than on the listener. */
function connectionText({ tls, passthrough }: VirtualHost): string {
  const { clientCertificates: asked, ...others } = tls ?? {};
  return settings({ passthrough: passthrough?.cluster, tls: others, ...(asked !== undefined && { clientCertificates: asked.name, depth: asked.depth, revocation: asked.crlPem === undefined ? undefined : 'checked' }) });
}

const WIDEST = 60;

/** Rows with their columns one under the other; what is longer than a column may be pushes only its own row. */
function columns(rows: readonly (readonly string[])[]): string {
  const width = (column: number): number => {
    let widest = 0;
    for (const row of rows) {
      const length = row[column]?.length ?? 0;
      if (length > widest && length <= WIDEST) widest = length;
    }
    return widest;
  };
  const widths = [width(0), width(1)] as const;
  return rows.map(([match = '', action = '', origin = '']) => `  ${match.padEnd(widths[0])}  ${action.padEnd(widths[1])}  ${origin}\n`).join('');
}

function certificateText(name: string, { certificates }: Sections): string {
  const certificate = certificates[name];
  return certificate === undefined ? `${name} (missing)` : shownCertificateText(shownCertificate(certificate));
}

/** What of a certificate may be shown to anybody: its hostnames and its end (RFC 3339; `unknown`). */
export interface ShownCertificate {
  readonly name: string;
  readonly hostnames: readonly string[];
  readonly notAfter: string;
}

export function shownCertificate({ name, hostnames, notAfter }: Certificate): ShownCertificate {
  return { name, hostnames, notAfter: dateText(notAfter) };
}

/** `a.example.com,*.example.com until 2027-01-15`. Also used where one request is explained. */
export function shownCertificateText({ hostnames, notAfter }: ShownCertificate): string {
  return `${hostnames.map(shown).join(',')}${notAfter === UNKNOWN ? '' : ` until ${notAfter.slice(0, 10)}`}`;
}

const UNKNOWN = 'unknown';

/** A date that a certificate gives may be beyond what a Date holds. */
function dateText(milliseconds: number): string {
  return Number.isNaN(new Date(milliseconds).getTime()) ? UNKNOWN : new Date(milliseconds).toISOString();
}

/** `PathPrefix /api (any case) GET header x-a=1`. Also used where one route is explained. */
export function matchText(match: RouteMatch): string {
  const parts = [`${match.path.type} ${shown(match.path.value)}`];
  if (match.path.ignoreCase === true) parts.push('(any case)');
  if (match.method !== undefined) parts.push(match.method);
  for (const header of match.headers) parts.push(`header ${valueText(header)}`);
  for (const param of match.queryParams) parts.push(`query ${valueText(param)}`);
  for (const cookie of match.cookies) parts.push(`cookie ${valueText(cookie)}`);
  return parts.join(' ');
}

function valueText({ name, type, value }: ValueMatch): string {
  if (type === 'Present') return shown(name);
  return `${shown(name)}${type === 'Exact' ? '=' : '~'}${shown(value)}`;
}

/** `[https-redirect status=308] ` for each filter. */
function filtersText(route: Route): string {
  return route.filters.map((filter) => `[${filterText(filter)}] `).join('');
}

/** `https-redirect status=308`, without what is secret. Also used where one route is explained. */
export function filterText({ type, config }: FilterSpec): string {
  return `${type}${settings(config)}`;
}

/** `→ shop/web:80`, `redirect 301 scheme=https`, `respond 404 NoRouteFound`. The last two also where one route is explained. */
export function actionText(action: Action): string {
  if (action.type === 'Redirect') {
    const { type: _type, status, ...parts } = action;
    return `redirect ${status}${settings(parts)}`;
  }
  if (action.type === 'Respond') return `respond ${action.status} ${shown(action.reason)}`;
  const { type: _type, clusters, ...others } = action;
  return `→ ${clustersText(clusters)}${settings(others)}`;
}

/** `shop/web:80`, or several with their weights. Also used where one route is explained. */
export function clustersText(clusters: readonly WeightedCluster[]): string {
  return clusters.map(({ cluster, weight }) => (clusters.length === 1 ? shown(cluster) : `${shown(cluster)} (${weight})`)).join(', ');
}

function endpointLines(endpoints: readonly Endpoint[]): string {
  if (endpoints.length === 0) return '  no endpoints\n';
  const texts = endpoints.map(endpointText);
  let lines = '';
  for (let i = 0; i < texts.length; i += 6) lines += `  ${texts.slice(i, i + 6).join(', ')}\n`;
  return lines;
}

/** `10.0.0.1:80`, and in parentheses what keeps it from being simply ready. */
export function endpointText({ address, port, ready, serving, terminating }: Endpoint): string {
  const host = address.includes(':') ? `[${address}]` : address;
  const conditions = [...(ready ? [] : ['not ready']), ...(serving ? [] : ['not serving']), ...(terminating ? ['terminating'] : [])];
  return conditions.length === 0 ? `${host}:${port}` : `${host}:${port} (${conditions.join(', ')})`;
}

/** Names under which a filter's configuration keeps what nobody may read. */
const SECRET = /(secret|password|token|credential|htpasswd|private_?key|api_?key|shared_?key|secret_?key|hmac_?key|key_?pem)s?$/i;
const HIDDEN = '[not shown]';

/** ` name=value name=value` of what is set, nested names joined by dots. */
function settings(record: object, prefix = ''): string {
  let text = '';
  for (const [key, value] of Object.entries(record)) {
    if (value === undefined || (Array.isArray(value) && value.length === 0)) continue;
    const name = `${prefix}${key}`;
    if (SECRET.test(key) || key.endsWith('Pem')) text += ` ${name}=${HIDDEN}`;
    else if (Array.isArray(value)) text += ` ${name}=${shown(value.every(isScalar) ? value.join(',') : value.every(isField) ? value.map(fieldText).join(', ') : JSON.stringify(withoutSecrets(value)))}`;
    else if (typeof value === 'object' && value !== null) text += settings(value, `${name}.`);
    else text += ` ${name}=${shown(brief(String(value)))}`;
  }
  return text;
}

/** A digest is recognised by its beginning. */
function brief(text: string): string {
  return /^sha256\/[\da-f]{64}$/.test(text) ? `${text.slice(0, 15)}…` : text;
}

/** A header field: two texts, `name` and `value`. */
function isField(value: unknown): value is { readonly name: string; readonly value: string } {
  return typeof value === 'object' && value !== null && Object.keys(value).join() === 'name,value' && Object.values(value).every((each) => typeof each === 'string');
}

function fieldText({ name, value }: { readonly name: string; readonly value: string }): string {
  return `${name}: ${value}`;
}

function isScalar(value: unknown): boolean {
  return typeof value !== 'object' || value === null;
}

/** As it is if that is readable, else in quotes with escapes, so that no value can look like another line. */
function shown(text: string): string {
  return /^[\p{L}\p{N}\p{P}\p{S}]+$/u.test(text) ? text : JSON.stringify(text).replaceAll(/[\u007f-\u009f\u2028-\u202f\u2066-\u2069]/g, unicodeEscape);
}

function unicodeEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** The table as plain data without private keys: of a certificate its hostnames and its end (RFC 3339), of filters nothing that is named like a secret. */
export function printable(sections: Sections): unknown {
  const { listeners, virtualHosts, clusters, endpoints, certificates } = sections;
  const shownCertificates = Object.entries(certificates).map(([key, certificate]) => [key, shownCertificate(certificate)]);
  return { listeners, virtualHosts: withoutSecrets(virtualHosts), clusters, endpoints, certificates: Object.fromEntries(shownCertificates) };
}

/** Plain data in which what is named like a secret is not shown. */
export function withoutSecrets(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(withoutSecrets);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, SECRET.test(key) ? HIDDEN : withoutSecrets(inner)]));
}
