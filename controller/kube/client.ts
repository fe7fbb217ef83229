// Requests to the API server: raw JSON over one pool of connections. The identity is read again every minute, after every
// 401 and after every failed connection, so a rotated token is used for the next request and a new CA for the next
// connection; watches that are open stay open.
import { Pool } from 'undici';
import type { Dispatcher } from 'undici';
import { ApiError, apiError } from './api-error.ts';
import { sameConnection, sameHeaders } from './identity.ts';
import type { Identity } from './identity.ts';

const REREAD_MS = 60_000;
const CONNECT_MS = 10_000;
/** So many credentials are tried for one request, each newer than the one before. */
const MOST_CREDENTIALS = 4;
/** Dead peers are found by the kernel: after 15 s of silence it asks every second, ten times at most. */
const KEEP_ALIVE_DELAY_MS = 15_000;

export interface KubeRequest {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: object;
  /** For PATCH: which kind of patch it is. */
  readonly contentType?: 'application/json' | 'application/merge-patch+json' | 'application/apply-patch+yaml';
  readonly signal?: AbortSignal;
  /** For the whole answer; 30 s. */
  readonly timeoutMs?: number;
}

/** An answer that goes on. */
export interface KubeStream {
  readonly chunks: AsyncIterable<Buffer>;
}

export class KubeClient {
  readonly #read: () => Promise<Identity>;
  readonly #now: () => number;
  #identity: Identity;
  #pool: Pool;
  #readAt: number;
  #reading: Promise<void> | undefined;

  private constructor(read: () => Promise<Identity>, identity: Identity, now: () => number) {
    this.#read = read;
    this.#now = now;
    this.#identity = identity;
    this.#pool = createPool(identity);
    this.#readAt = now();
  }

  /** `read` gives the identity as it is now, and throws if it cannot. */
  static async connect(read: () => Promise<Identity>, now: () => number = () => performance.now()): Promise<KubeClient> {
    return new KubeClient(read, await read(), now);
  }

  /** The namespace that the identity belongs to. */
  get namespace(): string {
    return this.#identity.namespace;
  }

  /** The parsed answer. Throws ApiError for every status but 2xx, and whatever the network throws. */
  async request(request: KubeRequest): Promise<unknown> {
    return (await this.requestSized(request)).body;
  }

  /** The same, with the size of the answer in bytes. */
  async requestSized(request: KubeRequest): Promise<{ readonly body: unknown; readonly bytes: number }> {
    const timeoutMs = request.timeoutMs ?? 30_000;
    const deadline = AbortSignal.timeout(timeoutMs);
    const signal = request.signal === undefined ? deadline : AbortSignal.any([request.signal, deadline]);
    const response = await this.#send(request, { signal, headersTimeout: timeoutMs, bodyTimeout: timeoutMs });
    const text = await response.body.text();
    return { body: text === '' ? undefined : JSON.parse(text), bytes: text.length };
  }

  /** Starts a watch. `silenceMs`: the longest time without a byte, after which `chunks` throws. Throws like `request`. */
  async stream(request: KubeRequest, silenceMs: number): Promise<KubeStream> {
    const response = await this.#send(request, { signal: request.signal, headersTimeout: request.timeoutMs ?? 15_000, bodyTimeout: silenceMs });
    return { chunks: response.body as AsyncIterable<Buffer> };
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }

  async #send(request: KubeRequest, options: { signal: AbortSignal | undefined; headersTimeout: number; bodyTimeout: number }): Promise<Dispatcher.ResponseData> {
    if (this.#now() - this.#readAt >= REREAD_MS) await this.#reread();
    // Credentials may be exchanged while a request is under way, and once more before it is repeated.
    for (let left = MOST_CREDENTIALS; ; left--) {
      const identity = this.#identity;
      const response = await this.#dispatch(request, options).catch((error: unknown) => {
        this.#readAt = Number.NEGATIVE_INFINITY;
        throw error;
      });
      if (response.statusCode !== 401 || left === 1) return checked(response);
      await response.body.dump();
      await this.#reread();
      if (sameHeaders(identity, this.#identity) && sameConnection(identity, this.#identity)) throw new ApiError(401, 'Unauthorized', 'the API server does not know these credentials');
    }
  }

  #dispatch({ method = 'GET', path, query = {}, body, contentType = 'application/json' }: KubeRequest, options: object): Promise<Dispatcher.ResponseData> {
    const { server, tls, headers } = this.#identity;
    const { pathname } = new URL(server);
    const search = new URLSearchParams(query).toString();
    // undici takes the name for TLS from the Host field unless every request says otherwise.
    const servername = tls.servername === undefined ? {} : { servername: tls.servername };
    return this.#pool.request({
      method,
      path: `${pathname === '/' ? '' : pathname}${path}${search === '' ? '' : `?${search}`}`,
      headers: { ...headers, 'user-agent': 'fairlead', accept: 'application/json', ...(body === undefined ? {} : { 'content-type': contentType }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...servername,
      ...options,
    });
  }

  /** Several requests may find out at once; one of them reads. What cannot be read now leaves things as they are. */
  async #reread(): Promise<void> {
    this.#reading ??= this.#read().then((identity) => this.#use(identity), () => undefined).finally(() => {
      this.#readAt = this.#now();
      this.#reading = undefined;
    });
    await this.#reading;
  }

  #use(identity: Identity): void {
    const before = this.#identity;
    this.#identity = identity;
    if (sameConnection(before, identity)) return;
    const old = this.#pool;
    this.#pool = createPool(identity);
    // Ends when the last watch on it has ended.
    void old.close();
  }
}

async function checked(response: Dispatcher.ResponseData): Promise<Dispatcher.ResponseData> {
  const { statusCode, headers, body } = response;
  if (statusCode >= 200 && statusCode < 300) return response;
  const text = await body.text();
  let status: unknown;
  try {
    status = JSON.parse(text);
  } catch {
    status = { message: text };
  }
  const retryAfter = headers['retry-after'];
  throw apiError(statusCode, status, typeof retryAfter === 'string' ? retryAfter : undefined);
}

function createPool({ server, tls }: Identity): Pool {
  // Every watch holds a connection of its own: their number is that of the watches, so no limit is set here.
  return new Pool(new URL(server).origin, {
    connections: null,
    allowH2: false,
    pipelining: 1,
    keepAliveTimeout: 30_000,
    connect: { ...tls, timeout: CONNECT_MS, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_DELAY_MS },
  });
}
