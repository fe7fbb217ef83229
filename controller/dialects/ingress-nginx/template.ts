// Values with nginx variables in them (`$host`, `${http_x_user}`), as parts that the proxy puts together for each request.
// What belongs to a backend is filled in here; what the route or the request knows, the proxy fills in. An unknown variable
// is refused, for an empty text in its place would send every request to one endpoint, or to a wrong host.
import type { KeyPart } from '../../../proxy/table/cluster.ts';
import type { BackendRef } from '../../model/translation.ts';
import { upstreamName } from './upstream.ts';
import type { Parsed, Parser } from './values.ts';

type Simple = Exclude<KeyPart, { readonly name: string } | { readonly value: string }>['type'];
type OfBackend = 'namespace' | 'service_name' | 'service_port' | 'proxy_upstream_name';

/** A part of a value as it was written: what differs between backends is still open. */
export type TemplatePart = KeyPart | { readonly type: 'Backend'; readonly variable: OfBackend };
export type Template = readonly TemplatePart[];

const VARIABLES: ReadonlyMap<string, TemplatePart> = new Map<string, TemplatePart>([
  ...simple('ClientAddress', 'remote_addr', 'binary_remote_addr'),
  ...simple('Host', 'host'),
  ...simple('Authority', 'http_host', 'best_http_host'),
  ...simple('Path', 'uri', 'document_uri'),
  ...simple('RequestTarget', 'request_uri'),
  ...simple('EscapedTarget', 'escaped_request_uri'),
  ...simple('Query', 'args', 'query_string'),
  ...simple('QueryMark', 'is_args'),
  ...simple('Method', 'request_method'),
  ...simple('ConnectionScheme', 'scheme'),
  ...simple('Scheme', 'pass_access_scheme'),
  ...simple('Port', 'server_port'),
  ...simple('RequestId', 'request_id', 'req_id'),
  ...simple('BasicUser', 'remote_user'),
  ...simple('CertificateSubject', 'ssl_client_s_dn'),
  ...simple('VirtualHost', 'server_name'),
  ...simple('RoutePath', 'location_path'),
  ...simple('RouteOwner', 'ingress_name'),
  ...simple('ProxyHostname', 'hostname'),
  ...header('content-type', 'content_type'),
  ...header('content-length', 'content_length'),
  // As the endpoint gets it: nothing that a client claims about itself.
  ...header('x-forwarded-for', 'proxy_add_x_forwarded_for'),
  ...(['namespace', 'service_name', 'service_port', 'proxy_upstream_name'] as const).map((variable) => [variable, { type: 'Backend', variable }] as const),
]);

const UNKNOWN = `may hold no other variables than ${[...VARIABLES.keys()].sort().map((name) => `$${name}`).join(' ')} $arg_… $cookie_… $http_…`;

/** The characters are checked by `characters` first. */
export function template(characters: Parser<string>): Parser<Template> {
  return (text) => {
    const checked = characters(text);
    return 'wrong' in checked ? checked : parts(checked.value);
  };
}

/** The parts for the routes to one backend. */
export function forBackend(written: Template, backend: BackendRef): readonly KeyPart[] {
  const filled: KeyPart[] = [];
  for (const part of written) {
    const next: KeyPart = part.type === 'Backend' ? { type: 'Literal', value: ofBackend(part.variable, backend) } : part;
    const last = filled.at(-1);
    if (next.type === 'Literal' && last?.type === 'Literal') filled[filled.length - 1] = { type: 'Literal', value: last.value + next.value };
    else filled.push(next);
  }
  return filled;
}

function ofBackend(variable: OfBackend, backend: BackendRef): string {
  switch (variable) {
    case 'namespace':
      return backend.namespace;
    case 'service_name':
      return backend.service;
    case 'service_port':
      return `${backend.port ?? ''}`;
    case 'proxy_upstream_name':
      return upstreamName(backend);
  }
}

function parts(text: string): Parsed<Template> {
  const value: TemplatePart[] = [];
  let at = 0;
  for (const match of text.matchAll(/\$(?:\{(\w+)\}|(\w+))?/g)) {
    if (match.index > at) value.push({ type: 'Literal', value: text.slice(at, match.index) });
    at = match.index + match[0].length;
    const name = match[1] ?? match[2];
    const part = name === undefined ? undefined : variable(name);
    if (part === undefined) return { wrong: UNKNOWN };
    value.push(part);
  }
  if (at < text.length) value.push({ type: 'Literal', value: text.slice(at) });
  return { value };
}

function variable(name: string): TemplatePart | undefined {
  const known = VARIABLES.get(name);
  if (known !== undefined) return known;
  const [, kind, rest = ''] = /^(http|cookie|arg)_(.+)$/.exec(name) ?? [];
  if (kind === 'http') return { type: 'Header', name: rest.toLowerCase().replaceAll('_', '-') };
  if (kind === 'cookie') return { type: 'Cookie', name: rest };
  return kind === 'arg' ? { type: 'QueryParam', name: rest } : undefined;
}

function simple(type: Simple, ...names: readonly string[]): (readonly [string, TemplatePart])[] {
  return names.map((name) => [name, { type }]);
}

function header(field: string, name: string): (readonly [string, TemplatePart])[] {
  return [[name, { type: 'Header', name: field }]];
}
