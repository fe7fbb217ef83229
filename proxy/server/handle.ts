// The life of a request, from its match to its last byte: route → request filters → action → response filters → client.
// How a forwarded request finds its endpoint is in forward/forwarding.ts.
import type { Exchange, ProxyError, RawHeaders, Reply, Request } from '../http/exchange.ts';
import { getField, requestFields, takeField } from '../http/fields.ts';
import { requestedAuthority, setForwarded } from '../http/forwarded.ts';
import { noteGrpcStatus } from '../http/grpc-status.ts';
import { ambiguity } from '../match/ambiguity.ts';
import type { CompiledRoute, RoutingTable } from '../match/compile.ts';
import type { ExchangeObserver } from '../observe/observer.ts';
import type { Redirect } from '../table/route.ts';
import { Forwarding } from './forward/forwarding.ts';
import type { ForwardingHost, ForwardingService } from './forward/forwarding.ts';
import { ALLOW } from './refused.ts';
import { AMBIGUOUS_PATH, TOO_LARGE, plainReply, sendReply } from './reply.ts';

/** What every request needs of the worker. `table` is exchanged by one assignment when a new one is in force. */
export interface Service extends ForwardingService {
  table: RoutingTable;
  readonly observers: readonly ExchangeObserver[];
  /** Requests that the worker cuts because it ends, and not their client. */
  readonly cuts: { begun: boolean; count: number };
}

const NO_ROUTE = plainReply(404, 'NoRouteFound', 'no route matches this host and path');
/** `OPTIONS *` asks about the server itself (RFC 9110 §9.3.7). */
const OPTIONS: Reply = { status: 200, reason: 'ServerOptions', headers: ['allow', ALLOW], body: '' };
const INTERNAL = plainReply(500, 'InternalError');

/** Serves one exchange; whatever happens, its response is ended or cut. */
export function serve(exchange: Exchange, listener: string, service: Service): void {
  new RequestLife(exchange, listener, service).run();
}

class RequestLife implements ForwardingHost {
  readonly #exchange: Exchange;
  readonly #listener: string;
  readonly #service: Service;
  /** What the client asked for, as host and port. */
  #authority = '';
  readonly received: RawHeaders;
  #compiled: CompiledRoute | undefined;
  #forwarding: Forwarding | undefined;
  /** Filters whose `onRequest` has run: their `onResponse` runs too, last first. */
  #filtersRun = 0;
  #over = false;

  constructor(exchange: Exchange, listener: string, service: Service) {
    this.#exchange = exchange;
    this.#listener = listener;
    this.#service = service;
    this.received = exchange.request.headers;
  }

  run(): void {
    const exchange = this.#exchange;
    const { request } = exchange;
    exchange.response.onClose = (reason) => this.#clientGone(reason);
    if (request.target === '*') {
      this.reply(OPTIONS);
      return;
    }
    try {
      // Before any filter, so that what filters add about the client is not taken for the client's own claim.
      const headers = requestFields(request.headers);
      this.#authority = requestedAuthority(exchange.client, request);
      setForwarded(headers, exchange.client, request, exchange.id);
      request.headers = headers;
      const { table } = this.#service;
      const compiled = table.match(this.#listener, request);
      if (compiled === undefined) {
        this.reply(NO_ROUTE);
        return;
      }
      if (request.otherPaths.length > 0 && ambiguity(table, this.#listener, request, compiled) !== undefined) {
        this.reply(AMBIGUOUS_PATH);
        return;
      }
      this.#compiled = compiled;
      exchange.route = compiled.route;
      exchange.virtualHost = compiled.virtualHost;
      this.#filterRequest();
    } catch (error) {
      this.#broken(error);
    }
  }

  /** Runs the request filters in order; one that answers ends it. A body that is too large is refused before redirects and questions of who it is. */
  #filterRequest(): void {
    const { filters, admitting } = this.#compiled as CompiledRoute;
    for (;;) {
      if (this.#filtersRun === admitting && this.#isTooLarge()) {
        this.reply(TOO_LARGE);
        return;
      }
      if (this.#filtersRun === filters.length) break;
      const filter = filters[this.#filtersRun++] as CompiledRoute['filters'][number];
      const result = filter.onRequest?.(this.#exchange);
      if (result === undefined) continue;
      if (result instanceof Promise) {
        result
          .then((reply) => {
            if (this.#over) return;
            if (reply === undefined) this.#filterRequest();
            else this.reply(reply);
          })
          .catch((error: unknown) => this.#broken(error));
        return;
      }
      this.reply(result);
      return;
    }
    this.#act();
  }

  /** By the length that it declares; what declares none is counted as it comes. */
  #isTooLarge(): boolean {
    const length = this.#exchange.request.body?.length;
    const { action } = (this.#compiled as CompiledRoute).route;
    if (length === undefined || action.type !== 'Forward') return false;
    const { maxBodyBytes } = this.#service.plans.of(action);
    return maxBodyBytes > 0 && length > maxBodyBytes;
  }

  #act(): void {
    const { action } = (this.#compiled as CompiledRoute).route;
    if (action.type === 'Forward') {
      this.#forwarding = new Forwarding(this.#exchange, action, this.#authority, this.#service, this);
      this.#forwarding.start();
    } else if (action.type === 'Redirect') this.reply(redirectReply(action, this.#exchange));
    else this.reply(plainReply(action.status, action.reason, action.body === '' ? undefined : action.body));
  }

  head(status: number, headers: RawHeaders): void {
    const exchange = this.#exchange;
    exchange.status = status;
    noteGrpcStatus(exchange, headers);
    const length = takeField(headers, 'content-length');
    try {
      if (this.#filtersRun > 0 || exchange.responseHeaders !== undefined) this.#filterResponse(headers);
    } catch (error) {
      this.#broken(error);
      return;
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

  filtered(headers: RawHeaders): RawHeaders | undefined {
    try {
      if (this.#filtersRun > 0) this.#filterResponse(headers);
      return headers;
    } catch (error) {
      reportBug(error);
      return undefined;
    }
  }

  ended(trailers: RawHeaders): void {
    if (trailers.length > 0) noteGrpcStatus(this.#exchange, trailers);
    this.#exchange.response.end(trailers.length === 0 ? undefined : trailers);
    this.#finish();
  }

  fail(error: ProxyError): void {
    const exchange = this.#exchange;
    // Who has left, or left a message unfinished, is answered nothing: 499 is a word of logs.
    if (error.status === 499 || exchange.response.started) {
      if (!exchange.response.started) exchange.status = error.status;
      exchange.reason = error.reason;
      exchange.response.abort();
      this.#finish();
      return;
    }
    this.reply(plainReply(error.status, error.reason, error.side === 'upstream' ? this.#hint() : undefined));
  }

  /** What a person should look at first, where a cluster cannot serve what it is asked. */
  #hint(): string | undefined {
    const { cluster, request } = this.#exchange;
    const speaks = cluster === undefined ? undefined : this.#service.clusters.get(cluster)?.cluster.protocol;
    if (speaks !== 'HTTP/1.1' || getField(request.headers, 'content-type')?.startsWith('application/grpc') !== true) return undefined;
    return 'gRPC needs an endpoint that speaks HTTP/2, and this one is spoken to in HTTP/1.1: say appProtocol grpc or kubernetes.io/h2c on the port of its Service';
  }

  tunnelled(): void {
    this.#over = true;
    this.#exchange.response.onClose = undefined;
  }

  tunnelEnded(bytesIn: number, bytesOut: number): void {
    this.#observe(bytesIn, bytesOut);
  }

  /** Answers without an endpoint, and ends. */
  reply(reply: Reply): void {
    if (this.#over) return;
    if (this.#filtersRun > 0) {
      const headers = [...reply.headers];
      this.#exchange.status = reply.status;
      try {
        this.#filterResponse(headers);
      } catch (error) {
        this.#broken(error);
        return;
      }
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
    this.#forwarding?.abort();
    if (this.#over) return;
    if (this.#exchange.response.started) {
      this.#exchange.reason = INTERNAL.reason;
      this.#exchange.response.abort();
      this.#finish();
    } else {
      this.#filtersRun = 0;
      this.reply(INTERNAL);
    }
  }

  #clientGone(reason: string): void {
    if (this.#over) return;
    const exchange = this.#exchange;
    this.#forwarding?.abort();
    if (!exchange.response.started) exchange.status = 499;
    exchange.reason = reason;
    this.#finish();
  }

  #finish(): void {
    if (this.#over) return;
    this.#over = true;
    const exchange = this.#exchange;
    this.#observe(exchange.request.body?.bytes ?? 0, exchange.response.bytes);
  }

  /** The drain is over: whatever broke off now, an answer or a tunnel, broke off because of us. */
  #cut(cuts: Service['cuts']): void {
    cuts.count++;
    const exchange = this.#exchange;
    if (exchange.status === 499) exchange.status = 503;
    exchange.reason = 'DrainTimeout';
  }

  #observe(bytesIn: number, bytesOut: number): void {
    const exchange = this.#exchange;
    const { cuts } = this.#service;
    if (cuts.begun && (exchange.reason !== '' || exchange.status === 101)) this.#cut(cuts);
    const filters = this.#compiled?.filters ?? [];
    for (let i = 0; i < this.#filtersRun; i++) {
      try {
        filters[i]?.onEnd?.(exchange);
      } catch (error) {
        reportBug(error);
      }
    }
    const elapsed = performance.now() - exchange.startedAt;
    for (const observer of this.#service.observers) observer.observeExchange(exchange, bytesIn, bytesOut, elapsed);
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

function redirectReply(action: Redirect, exchange: Exchange): Reply {
  const reply = plainReply(action.status, 'Redirect');
  return { ...reply, headers: [...reply.headers, 'location', action.location ?? locationOf(action, exchange)] };
}

function locationOf(action: Redirect, { request, client }: Exchange): string {
  const scheme = action.scheme ?? client.scheme;
  const host = action.hostname ?? hostOf(request);
  const standard = scheme === 'https' ? 443 : 80;
  // HTTP/1.0 knows requests without Host: a path alone leads back to where they went.
  if (host === '') return action.path ?? request.target;
  const port = action.port === undefined || action.port === standard ? '' : `:${action.port}`;
  return `${scheme}://${host}${port}${action.path ?? request.target}`;
}

/** The host as the client wrote it, without port. */
function hostOf(request: Request): string {
  return request.authority.replace(/:\d*$/, '');
}
