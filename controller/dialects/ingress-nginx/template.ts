// Values with nginx variables in them (`$host`, `${http_x_user}`), as parts that the proxy puts together for each request.
// Only variables that a request itself answers are known; any other is refused, for an empty text in its place would
// send every request to one endpoint, or to a wrong host. What an Ingress knows of itself is filled in at once.
import type { KeyPart } from '../../../proxy/table/cluster.ts';
import type { Parsed, Parser } from './values.ts';

type Simple = Exclude<KeyPart, { readonly name: string } | { readonly value: string }>['type'];

const VARIABLES: ReadonlyMap<string, Simple> = new Map<string, Simple>([
  ['remote_addr', 'ClientAddress'],
  ['binary_remote_addr', 'ClientAddress'],
  ['host', 'Host'],
  ['http_host', 'Authority'],
  ['best_http_host', 'Authority'],
  ['uri', 'Path'],
  ['document_uri', 'Path'],
  ['request_uri', 'RequestTarget'],
  ['args', 'Query'],
  ['query_string', 'Query'],
  ['request_method', 'Method'],
  ['scheme', 'Scheme'],
  ['pass_access_scheme', 'Scheme'],
]);

/** The characters are checked by `characters` first. */
export function template(characters: Parser<string>): Parser<readonly KeyPart[]> {
  return (text) => {
    const checked = characters(text);
    return 'wrong' in checked ? checked : parts(checked.value);
  };
}

function parts(text: string): Parsed<readonly KeyPart[]> {
  const value: KeyPart[] = [];
  let at = 0;
  for (const match of text.matchAll(/\$(?:\{(\w+)\}|(\w+))?/g)) {
    if (match.index > at) value.push({ type: 'Literal', value: text.slice(at, match.index) });
    at = match.index + match[0].length;
    const name = match[1] ?? match[2];
    const part = name === undefined ? undefined : variable(name);
    if (part === undefined) return { wrong: 'may hold no other variable than $remote_addr, $host, $http_host, $request_uri, $uri, $args, $request_method, $scheme, $http_…, $cookie_… and $arg_…' };
    value.push(part);
  }
  if (at < text.length) value.push({ type: 'Literal', value: text.slice(at) });
  return { value };
}

function variable(name: string): KeyPart | undefined {
  const simple = VARIABLES.get(name);
  if (simple !== undefined) return { type: simple };
  const [, kind, rest = ''] = /^(http|cookie|arg)_(.+)$/.exec(name) ?? [];
  if (kind === 'http') return { type: 'Header', name: rest.toLowerCase().replaceAll('_', '-') };
  if (kind === 'cookie') return { type: 'Cookie', name: rest };
  return kind === 'arg' ? { type: 'QueryParam', name: rest } : undefined;
}
