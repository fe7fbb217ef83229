// What an HTTP request asks for: the resource, namespace, name and subresource of its path, its verb, its query and its body.
// https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris
import type { IncomingMessage } from 'node:http';
import { parse as parseYaml } from 'yaml';
import type { Verb } from './access.ts';
import { ApiFailure, badRequest, noSuchPath } from './failure.ts';
import { RESOURCES } from './resources.ts';
import type { Target } from './writes.ts';

/** The limit of the API server. */
const MAX_BODY_BYTES = 3 * 1024 * 1024;
const BODY_TYPES = new Set(['application/json', 'application/yaml', 'application/merge-patch+json', 'application/strategic-merge-patch+json', 'application/json-patch+json', 'application/apply-patch+yaml']);

export interface Operation extends Target {
  readonly verb: Verb;
  readonly query: URLSearchParams;
  /** The one name that a field selector narrows a list or watch to, or empty; rights may be limited to it. */
  readonly narrowedTo: string;
}

/** Throws 404 and 405. `hidden`: resources that this server does not have. */
export function readOperation(request: IncomingMessage, url: URL, hidden: ReadonlySet<string>): Operation {
  const [root, ...parts] = url.pathname.slice(1).split('/').map(decodeURIComponent);
  const [group, version, ...rest] = root === 'api' ? ['', ...parts] : root === 'apis' ? parts : [];
  const inNamespace = rest[0] === 'namespaces' && rest.length >= 3 && !(rest.length === 3 && rest[2] === 'status');
  const namespace = inNamespace ? rest[1]! : '';
  const [plural, name = '', subresource = '', ...tooMuch] = inNamespace ? rest.slice(2) : rest;
  const type = RESOURCES.find((each) => each.group === group && each.version === version && each.plural === plural && !hidden.has(each.plural));
  if (type === undefined || tooMuch.length > 0 || (subresource !== '' && !(subresource === 'status' && type.hasStatus))) throw noSuchPath();
  if (inNamespace !== type.namespaced && (inNamespace || name !== '')) throw noSuchPath();

  const query = url.searchParams;
  const verb = verbOf(request.method ?? '', name !== '', query);
  if (verb === 'create' && type.namespaced && !inNamespace) throw notAllowed();
  const narrowedTo = name === '' ? (/(?:^|,)metadata\.name==?([^,]+)/.exec(query.get('fieldSelector') ?? '')?.[1] ?? '') : '';
  const manager = query.get('fieldManager') ?? (request.headers['user-agent'] ?? '').split('/')[0]!;
  return { verb, type, namespace, name, subresource, query, narrowedTo, manager };
}

function verbOf(method: string, named: boolean, query: URLSearchParams): Verb {
  if (method === 'GET') return named ? 'get' : query.get('watch') === 'true' || query.get('watch') === '1' ? 'watch' : 'list';
  if (method === 'POST' && !named) return 'create';
  if (method === 'PUT' && named) return 'update';
  if (method === 'PATCH' && named) return 'patch';
  if (method === 'DELETE' && named) return 'delete';
  throw notAllowed();
}

/** Undefined: there is none. Throws 400, 413 and 415. */
export async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw new ApiFailure(413, 'RequestEntityTooLarge', `Request entity too large: limit is ${MAX_BODY_BYTES}`);
    chunks.push(chunk);
  }
  if (size === 0) return undefined;
  const type = contentType(request);
  if (!BODY_TYPES.has(type)) throw new ApiFailure(415, 'UnsupportedMediaType', `the body of the request was in an unknown format - ${type}`);
  const text = Buffer.concat(chunks).toString();
  try {
    return type.endsWith('yaml') ? parseYaml(text) : JSON.parse(text);
  } catch (error) {
    throw badRequest(`the object provided is unrecognized: ${String(error)}`);
  }
}

/** Without parameters. */
export function contentType(request: IncomingMessage): string {
  return (request.headers['content-type'] ?? 'application/json').split(';')[0]!.trim();
}

/** A query parameter that is a whole number; 0 if it is not there. Throws 400. */
export function whole(query: URLSearchParams, name: string): number {
  const text = query.get(name) ?? '0';
  if (!/^\d+$/.test(text)) throw badRequest(`invalid ${name}: ${text}`);
  return Number(text);
}

export function notAllowed(): ApiFailure {
  return new ApiFailure(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource');
}
