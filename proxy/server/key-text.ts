// Texts that are made of parts of a request: the key of a consistent hash, the Host for an endpoint. Compiled once, so
// that a request pays for nothing but the parts themselves.
import type { Exchange } from '../http/exchange.ts';
import { getField } from '../http/fields.ts';
import { cookieValue, queryParam } from '../match/conditions.ts';
import type { KeyPart } from '../table/cluster.ts';

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
  }
}
