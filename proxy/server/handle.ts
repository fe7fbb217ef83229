// The life of a request, from its match to its last byte: route → request filters → action → endpoint → response filters →
// client. One object per request that is also the handler of the upstream's events, so that nothing else is allocated.
import type { Exchange, ProxyError, RawHeaders, Reply, Request } from '../http/exchange.ts';
import { getField, removeField, requestFields, responseFields } from '../http/fields.ts';
import { requestedAuthority, setForwarded } from '../http/forwarded.ts';
import type { CompiledRoute, RoutingTable } from '../match/compile.ts';
import type { ExchangeObserver } from '../observe/observer.ts';
import type { Pick } from '../balance/balancer.ts';
import { outcomeOf } from '../upstream/errors.ts';
import type { Upstream, UpstreamCall, UpstreamHandler, UpstreamRequest } from '../upstream/call.ts';
import type { Forward, Redirect } from '../table/route.ts';
import type { Endpoint } from '../table/cluster.ts';
import type { WorkerTimeouts } from '../table/messages.ts';
import { pickCluster } from '../balance/weighted.ts';
import type { ActiveCluster, Clusters } from './clusters.ts';
import { plainReply, sendReply } from './reply.ts';
import { Tunnel } from './tunnel.ts';
import type { Tunnels } from './tunnel.ts';

/** What every request needs of the worker. `table` is exchanged by one assignment when a new one is in force. */
export interface Service {
  table: RoutingTable;
  readonly clusters: Clusters;
  readonly upstream: Upstream;
  readonly tunnels: Tunnels;
  readonly timeouts: WorkerTimeouts;
  /** Largest request body in bytes where the route does not say; 0: no limit. */
  readonly maxBodyBytes: number;
  readonly observers: readonly ExchangeObserver[];
}

/** Tries at most, the first one included, where the route does not say. */
const DEFAULT_ATTEMPTS = 3;
/** Interim responses of one request; an endpoint that sends more is broken. */
const MAX_INFORMATIONAL = 100;
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE']);
const NO_ROUTE = plainReply(404, 'NoRouteFound', 'no route matches this host and path');
const NO_CLUSTER = plainReply(503, 'NoClusterFound', 'the backend of this route does not exist');
const NO_ENDPOINT = plainReply(503, 'NoHealthyUpstream', 'no endpoint of this route can take requests');
const OVERFLOW: Reply = { ...plainReply(503, 'UpstreamOverflow', 'every endpoint of this route has as many requests as it may'), headers: ['content-type', 'text/plain; charset=utf-8', 'retry-after', '1'] };
const TOO_LARGE = plainReply(413, 'RequestBodyTooLarge', 'the request body is larger than this route takes');
const INTERNAL = plainReply(500, 'InternalError');

/** Serves one exchange; whatever happens, its response is ended or cut. */
export function serve(exchange: Exchange, listener: string, service: Service): void {
  new RequestLife(exchange, listener, service).run();
}

class RequestLife implements UpstreamHandler {
  readonly #exchange: Exchange;
  readonly #listener: string;
  readonly #service: Service;
  /** What the endpoint gets as Host. */
  #authority = '';
  #compiled: CompiledRoute | undefined;
  #active: ActiveCluster | undefined;
  #call: UpstreamCall | undefined;
  #pick: Pick | undefined;
  #tried: Endpoint[] | undefined;
  #attemptAt = 0;
  #informed = 0;
  /** Filters whose `onRequest` has run: their `onResponse` runs too, last first. */
  #filtersRun = 0;
  #over = false;
  #upstreamRequest: UpstreamRequest | undefined;

  constructor(exchange: Exchange, listener: string, service: Service) {
    this.#exchange = exchange;
    this.#listener = listener;
    this.#service = service;
  }

  run(): void {
    const exchange = this.#exchange;
    const { request } = exchange;
    exchange.response.onClose = () => this.#clientGone();
    try {
      // Before any filter, so that what filters add about the client is not taken for the client's own claim.
      const headers = requestFields(request.headers);
      this.#authority = requestedAuthority(exchange.client, request);
      setForwarded(headers, exchange.client, request, exchange.id);
      request.headers = headers;
      const compiled = this.#service.table.match(this.#listener, request);
      if (compiled === undefined) {
        this.#reply(NO_ROUTE);
        return;
      }
      this.#compiled = compiled;
      exchange.route = compiled.route;
      exchange.virtualHost = compiled.virtualHost;
      if (compiled.filters.length === 0) this.#act();
      else this.#filterRequest();
    } catch (error) {
      this.#broken(error);
    }
  }

  /** Runs the request filters in order; one that answers ends it. */
  #filterRequest(): void {
    const filters = (this.#compiled as CompiledRoute).filters;
    while (this.#filtersRun < filters.length) {
      const filter = filters[this.#filtersRun++] as CompiledRoute['filters'][number];
      const result = filter.onRequest?.(this.#exchange);
      if (result === undefined) continue;
      if (result instanceof Promise) {
        result.then(
          (reply) => {
            if (this.#over) return;
            if (reply === undefined) this.#filterRequest();
            else this.#reply(reply);
          },
          (error: unknown) => this.#broken(error),
        );
        return;
      }
      this.#reply(result);
      return;
    }
    this.#act();
  }

  #act(): void {
    const { action } = (this.#compiled as CompiledRoute).route;
    if (action.type === 'Forward') this.#forward(action);
    else if (action.type === 'Redirect') this.#reply(redirectReply(action, this.#exchange));
    else this.#reply(plainReply(action.status, action.reason, action.body === '' ? undefined : action.body));
  }

  #forward(action: Forward): void {
    const exchange = this.#exchange;
    const name = action.clusters.length === 1 ? (action.clusters[0] as Forward['clusters'][number]).cluster : pickCluster(action.clusters);
    const active = name === undefined ? undefined : this.#service.clusters.get(name);
    if (active === undefined) {
      this.#reply(NO_CLUSTER);
      return;
    }
    exchange.cluster = name;
    const { body } = exchange.request;
    const limit = action.maxBodyBytes ?? this.#service.maxBodyBytes;
    if (limit > 0 && body !== undefined && body.length !== undefined && body.length > limit) {
      this.#reply(TOO_LARGE);
      return;
    }
    this.#active = active;
    if (!this.#attempt(action, active)) this.#reply(active.balancer.shortage() === 'UpstreamOverflow' ? OVERFLOW : NO_ENDPOINT);
  }

  /** Sends the request to the next endpoint; false if there is none. */
  #attempt(action: Forward, active: ActiveCluster): boolean {
    const exchange = this.#exchange;
    const pick = active.balancer.pick(undefined, this.#tried ?? NONE);
    if (pick === undefined) return false;
    this.#pick = pick;
    this.#attemptAt = performance.now();
    exchange.attempts.push({ endpoint: pick.endpoint, startedAt: this.#attemptAt });
    const request = (this.#upstreamRequest ??= this.#requestFor(action));
    if (exchange.upgrade !== undefined) {
      // Upgrades leave the request's life here: the tunnel tells when it is over.
      this.#over = true;
      exchange.response.onClose = undefined;
      new Tunnel(exchange, exchange.upgrade, active, pick, request, (headers) => this.#filteredHead(headers), {
        tunnels: this.#service.tunnels,
        finished: (_exchange, bytesIn, bytesOut) => this.#observe(bytesIn, bytesOut),
      }).open();
      return true;
    }
    const call = this.#service.upstream.send(active.cluster, pick.endpoint, request, this);
    // The handler may have been told of a failure, and even have tried again, before `send` returned.
    if (this.#pick === pick) this.#call = call;
    return true;
  }

  #requestFor(action: Forward): UpstreamRequest {
    const exchange = this.#exchange;
    const { request } = exchange;
    const { timeouts } = this.#service;
    return {
      method: request.method,
      target: request.target,
      authority: this.#authority,
      headers: request.headers,
      body: request.body,
      timeouts: {
        responseHeadMs: action.timeouts?.responseHeadMs ?? timeouts.responseHeadMs,
        readIdleMs: action.timeouts?.readIdleMs ?? timeouts.readIdleMs,
        sendIdleMs: action.timeouts?.sendIdleMs ?? timeouts.sendIdleMs,
      },
    };
  }

  onInformation(status: number, headers: RawHeaders): void {
    if (this.#over) return;
    if (++this.#informed > MAX_INFORMATIONAL) {
      this.#call?.abort();
      this.onError({ reason: 'UpstreamProtocolError', side: 'upstream', retry: 'no', status: 502, cause: 'too many interim responses' });
      return;
    }
    // 100 is said by whoever reads the body; the others are the endpoint's to say.
    if (status !== 100) this.#exchange.response.inform(status, responseFields(headers));
  }

  onHead(status: number, rawHeaders: RawHeaders): void {
    if (this.#over) return;
    const exchange = this.#exchange;
    const attempt = exchange.attempts[exchange.attempts.length - 1];
    if (attempt !== undefined) {
      attempt.elapsedMs = performance.now() - this.#attemptAt;
      attempt.status = status;
    }
    exchange.status = status;
    const headers = responseFields(rawHeaders);
    const length = getField(headers, 'content-length');
    if (length !== undefined) removeField(headers, 'content-length');
    if (this.#filtersRun > 0 || exchange.responseHeaders !== undefined) {
      this.#filterResponse(headers);
    }
    exchange.response.head(status, headers, length === undefined ? undefined : Number(length));
  }

  /** Response filters, last first. They see and change the headers that go to the client. */
  #filterResponse(headers: RawHeaders): void {
    const exchange = this.#exchange;
    const filters = this.#compiled?.filters ?? [];
    exchange.responseHeaders = headers;
    for (let i = this.#filtersRun - 1; i >= 0; i--) filters[i]?.onResponse?.(exchange);
  }

  onData(chunk: Buffer): void {
    if (this.#over) return;
    const { response } = this.#exchange;
    if (response.data(chunk)) return;
    const call = this.#call;
    if (call === undefined) return;
    call.pause();
    response.onDrain = () => call.resume();
  }

  onEnd(trailers: RawHeaders): void {
    if (this.#over) return;
    this.#settle('success');
    this.#exchange.response.end(trailers.length === 0 ? undefined : trailers);
    this.#finish();
  }

  onError(error: ProxyError): void {
    if (this.#over) return;
    const exchange = this.#exchange;
    const attempt = exchange.attempts[exchange.attempts.length - 1];
    if (attempt !== undefined) {
      attempt.elapsedMs ??= performance.now() - this.#attemptAt;
      attempt.error = error.reason;
    }
    const endpoint = this.#pick?.endpoint;
    this.#settle(outcomeOf(error));
    if (this.#mayRetry(error)) {
      if (endpoint !== undefined) (this.#tried ??= []).push(endpoint);
      this.#call = undefined;
      const { action } = (this.#compiled as CompiledRoute).route;
      if (action.type === 'Forward' && this.#active !== undefined && this.#attempt(action, this.#active)) return;
    }
    this.#fail(error);
  }

  /** Another endpoint may be tried if this one cannot have acted on the request, and all of it can be sent again. */
  #mayRetry(error: ProxyError): boolean {
    const exchange = this.#exchange;
    const { request } = exchange;
    if (exchange.response.started || error.side !== 'upstream' || error.retry === 'no') return false;
    if (request.body !== undefined && request.body.started) return false;
    const { action } = (this.#compiled as CompiledRoute).route;
    const attempts = action.type === 'Forward' ? (action.retry?.attempts ?? DEFAULT_ATTEMPTS) : 0;
    if (exchange.attempts.length >= attempts) return false;
    return error.retry === 'yes' || IDEMPOTENT.has(request.method);
  }

  #fail(error: ProxyError): void {
    const exchange = this.#exchange;
    if (exchange.response.started) {
      exchange.reason = error.reason;
      exchange.response.abort();
      this.#finish();
      return;
    }
    this.#reply(plainReply(error.status, error.reason));
  }

  /** Answers without an endpoint, and ends. */
  #reply(reply: Reply): void {
    if (this.#over) return;
    if (this.#filtersRun > 0) {
      const headers = [...reply.headers];
      this.#exchange.status = reply.status;
      this.#filterResponse(headers);
      this.#exchange.responseHeaders = undefined;
      sendReply(this.#exchange, { ...reply, headers });
    } else {
      sendReply(this.#exchange, reply);
    }
    this.#finish();
  }

  /** A bug, not a failed request: it is answered with 500 and told on standard error. */
  #broken(error: unknown): void {
    reportBug(error);
    this.#call?.abort();
    this.#settle('cancelled');
    if (this.#over) return;
    if (this.#exchange.response.started) {
      this.#exchange.reason = INTERNAL.reason;
      this.#exchange.response.abort();
      this.#finish();
    } else {
      this.#filtersRun = 0;
      this.#reply(INTERNAL);
    }
  }

  #clientGone(): void {
    if (this.#over) return;
    const exchange = this.#exchange;
    this.#call?.abort();
    this.#settle('cancelled');
    if (!exchange.response.started) exchange.status = 499;
    exchange.reason = 'DownstreamConnectionTermination';
    this.#finish();
  }

  #settle(outcome: Parameters<Pick['settle']>[0]): void {
    const pick = this.#pick;
    this.#pick = undefined;
    if (pick === undefined) return;
    const { attempts } = this.#exchange;
    pick.settle(outcome, attempts[attempts.length - 1]?.elapsedMs ?? performance.now() - this.#attemptAt);
  }

  #finish(): void {
    if (this.#over) return;
    this.#over = true;
    const exchange = this.#exchange;
    this.#observe(exchange.request.body?.bytes ?? 0, exchange.response.bytes);
  }

  #observe(bytesIn: number, bytesOut: number): void {
    const exchange = this.#exchange;
    const filters = this.#compiled?.filters ?? [];
    for (let i = 0; i < this.#filtersRun; i++) filters[i]?.onEnd?.(exchange);
    const elapsed = performance.now() - exchange.startedAt;
    for (const observer of this.#service.observers) observer.observeExchange(exchange, bytesIn, bytesOut, elapsed);
  }

  #filteredHead(headers: RawHeaders): RawHeaders {
    if (this.#filtersRun > 0) this.#filterResponse(headers);
    return headers;
  }
}

/** At most one report a second: a bug that every request meets must not fill the log. */
let reportedAt = Number.NEGATIVE_INFINITY;

function reportBug(error: unknown): void {
  const now = performance.now();
  if (now - reportedAt < 1_000) return;
  reportedAt = now;
  process.stderr.write(`${JSON.stringify({ level: 'error', msg: 'request failed inside the proxy', error: error instanceof Error ? error.stack : String(error) })}\n`);
}

const NONE: readonly Endpoint[] = [];

function redirectReply(action: Redirect, exchange: Exchange): Reply {
  const { request, client } = exchange;
  const scheme = action.scheme ?? client.scheme;
  const host = action.hostname ?? hostOf(request);
  const standard = scheme === 'https' ? 443 : 80;
  const port = action.port === undefined || action.port === standard ? '' : `:${action.port}`;
  const location = `${scheme}://${host}${port}${action.path ?? request.target}`;
  const reply = plainReply(action.status, 'Redirect');
  return { ...reply, headers: [...reply.headers, 'location', location] };
}

/** The host as the client wrote it, without port. */
function hostOf(request: Request): string {
  return request.authority.replace(/:\d*$/, '');
}
