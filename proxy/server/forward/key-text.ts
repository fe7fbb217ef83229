// Texts that are made of parts of a request: the key of a consistent hash, the Host for an endpoint. Compiled once, so
// that a request pays for nothing but the parts themselves.
import { hostname } from 'node:os';
import type { Exchange } from '../../http/exchange.ts';
import { getField } from '../../http/fields.ts';
import { cookieValue, queryParam } from '../../match/conditions.ts';
import type { KeyPart } from '../../table/cluster.ts';

/** What the request does not have is the empty string. */
export type KeyText = (exchange: Exchange) => string;

export function compileKey(parts: readonly KeyPart[]): KeyText {
  const texts = parts.map(partText);
  const [first, ...others] = texts;
  if (first === undefined) return () => '';
  if (others.length === 0) return first;
  return (exchange) => {
    let text = '';
    for (const part of texts) text += part(exchange);
    return text;
  };
}

function partText(part: KeyPart): KeyText {
  switch (part.type) {
    case 'Literal':
      return () => part.value;
    case 'Header':
      return ({ request }) => getField(request.headers, part.name) ?? '';
    case 'Cookie':
      return ({ request }) => cookieValue(request.headers, part.name) ?? '';
    case 'QueryParam':
      return ({ request }) => queryParam(request.query, part.name) ?? '';
    case 'ClientAddress':
      return ({ client }) => client.address;
    case 'Host':
      return ({ request }) => request.hostname;
    case 'Authority':
      return ({ request }) => request.authority;
    case 'Path':
      return ({ request }) => request.path;
    case 'Query':
      return ({ request }) => request.query;
    case 'RequestTarget':
      return ({ request }) => request.target;
    case 'Method':
      return ({ request }) => request.method;
    case 'Scheme':
      return ({ client }) => client.scheme;
    case 'ConnectionScheme':
      return ({ client }) => (client.tls === undefined ? 'http' : 'https');
    case 'QueryMark':
      return ({ request }) => (request.query === '' ? '' : '?');
    case 'EscapedTarget':
      return ({ request }) => request.target.replace(/[^A-Za-z0-9\-._~]/g, percentEncoded);
    case 'Port':
      return ({ client }) => String(client.localPort);
    case 'RequestId':
      return ({ id }) => id;
    case 'BasicUser':
      return ({ request }) => basicUser(getField(request.headers, 'authorization') ?? '');
    case 'CertificateSubject':
      return ({ client }) => client.tls?.certificate?.subject ?? '';
    case 'VirtualHost':
      return ({ virtualHost }) => virtualHost?.hostname ?? '';
    case 'RoutePath':
      return ({ route }) => route?.match.path.value ?? '';
    case 'RouteOwner':
      return ({ route }) => route?.origin.name ?? '';
    case 'ProxyHostname': {
      const name = hostname();
      return () => name;
    }
  }
}

/** Targets are octets: no code is above 255. */
function percentEncoded(octet: string): string {
  return `%${octet.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
}

function basicUser(authorization: string): string {
  const credentials = /^basic +([A-Za-z0-9+/]+=*)$/i.exec(authorization)?.[1];
  if (credentials === undefined) return '';
  const pair = Buffer.from(credentials, 'base64').toString();
  return pair.slice(0, Math.max(pair.indexOf(':'), 0));
}
