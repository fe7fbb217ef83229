// Requests of a test to an API server: JSON over HTTPS, as the administrator or as anybody whose token it has. It shares
// nothing with the product's client.
import { Agent, request } from 'undici';

export interface Answer {
  readonly status: number;
  readonly body: { readonly metadata: { readonly resourceVersion: string; readonly uid: string; readonly name: string }; readonly [field: string]: unknown };
}

/** The fields of an object that its paths are made of. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly [field: string]: unknown };
  readonly [field: string]: unknown;
}

const PLURALS: ReadonlyMap<string, string> = new Map([['Ingress', 'ingresses'], ['IngressClass', 'ingressclasses'], ['Endpoints', 'endpoints'], ['NetworkPolicy', 'networkpolicies']]);

export function collectionPath(apiVersion: string, kind: string, namespace: string | undefined): string {
  const plural = PLURALS.get(kind) ?? `${kind.toLowerCase()}s`;
  return `${apiVersion === 'v1' ? '/api/v1' : `/apis/${apiVersion}`}${namespace === undefined ? '' : `/namespaces/${namespace}`}/${plural}`;
}

export function objectPath({ apiVersion, kind, metadata }: Manifest): string {
  return `${collectionPath(apiVersion, kind, metadata.namespace)}/${metadata.name}`;
}

export class AdminClient {
  readonly url: string;
  readonly #token: string;
  readonly #agent: Agent;

  constructor(url: string, caPem: string, token: string) {
    this.url = url;
    this.#token = token;
    this.#agent = new Agent({ connect: { ca: caPem }, headersTimeout: 20_000, bodyTimeout: 20_000 });
  }

  /** Any status is an answer. */
  async call(method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, body?: unknown, contentType = 'application/json'): Promise<Answer> {
    const response = await request(`${this.url}${path}`, {
      method,
      dispatcher: this.#agent,
      headers: { authorization: `Bearer ${this.#token}`, accept: 'application/json', ...(body === undefined ? {} : { 'content-type': contentType }) },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.body.text();
    return { status: response.statusCode, body: text.startsWith('{') ? JSON.parse(text) : { text } };
  }

  /** Throws if the server does not take it. */
  async create(manifest: Manifest): Promise<Answer['body']> {
    const { apiVersion, kind, metadata } = manifest;
    return this.#must('create', manifest, await this.call('POST', collectionPath(apiVersion, kind, metadata.namespace), manifest));
  }

  /** Creates or changes it, by server-side apply. */
  async apply(manifest: Manifest): Promise<Answer['body']> {
    return this.#must('apply', manifest, await this.call('PATCH', `${objectPath(manifest)}?fieldManager=test&force=true`, manifest, 'application/apply-patch+yaml'));
  }

  async patch(manifest: Manifest, patch: object, subresource = ''): Promise<Answer['body']> {
    return this.#must('patch', manifest, await this.call('PATCH', `${objectPath(manifest)}${subresource}`, patch, 'application/merge-patch+json'));
  }

  /** Undefined: it is not there. */
  async read(manifest: Manifest): Promise<Answer['body'] | undefined> {
    const { status, body } = await this.call('GET', objectPath(manifest));
    return status === 404 ? undefined : body;
  }

  async list(apiVersion: string, kind: string, namespace?: string): Promise<Answer['body'][]> {
    const { body } = await this.call('GET', collectionPath(apiVersion, kind, namespace));
    return body.items as Answer['body'][];
  }

  async remove(manifest: Manifest): Promise<void> {
    await this.call('DELETE', objectPath(manifest));
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  #must(what: string, manifest: Manifest, { status, body }: Answer): Answer['body'] {
    if (status >= 300) throw new Error(`${what} ${manifest.kind} ${manifest.metadata.name}: ${status} ${String(body.message)}`);
    return body;
  }
}
