// How a request is brought to an endpoint and what comes of it: which endpoint, when another one, and that the client gets
// the best answer that was had. What the answer looks like to the client is handle.ts's business.
// Another endpoint is tried for any method if the first saw nothing of the request, else only if the request may be
// repeated and all of it can be sent again; never once a part of an answer has gone to the client, and within a budget.
import { pickCluster } from '../../balance/weighted.ts';
import { parseAuthority } from '../../http/authority.ts';
import type { BodySource, Exchange, ProxyError, RawHeaders, Reply, UpgradeRequest } from '../../http/exchange.ts';
import { hasToken, responseFields } from '../../http/fields.ts';
import type { Forward } from '../../table/route.ts';
import type { Upstream, UpstreamRequest } from '../../upstream/call.ts';
import { outcomeOf } from '../../upstream/errors.ts';
import { ReplayBody } from '../../upstream/replay-body.ts';
import { Choice } from './choice.ts';
import type { ActiveCluster, Clusters } from './clusters.ts';
import type { ForwardPlan, ForwardPlans } from './plan.ts';
import { HELD_BYTES, HeldBody } from './held-body.ts';
import type { HeldBodyEvents } from './held-body.ts';
import { LimitedBody } from './limited-body.ts';
import { NO_CLUSTER, NO_ENDPOINT, OVERFLOW, STALLED, TOO_LONG, insteadOf } from './own-answers.ts';
import { IDEMPOTENT, conditionOf, isWorse } from './retry-conditions.ts';
import type { Stalling } from './stalled.ts';
import { Try } from './try.ts';
import type { TryOwner } from './try.ts';
import { Tunnel } from './tunnel.ts';
import type { Tunnels } from './tunnel.ts';
import type { Waiter } from './waiting-room.ts';

/** What forwarding needs of the worker. */
export interface ForwardingService {
  readonly clusters: Clusters;
  readonly upstream: Upstream;
  readonly tunnels: Tunnels;
  readonly plans: ForwardPlans;
}

/** The request's side: where its outcome goes. Exactly one of `reply`, `fail`, `ended` and `tunnelled` comes last. */
export interface ForwardingHost {
  /** The request's header fields as they came. */
  readonly received: RawHeaders;
  /** The final head of the answer; connection fields are gone, Content-Length is still there. */
  head(status: number, headers: RawHeaders): void;
  reply(reply: Reply): void;
  fail(error: ProxyError): void;
  /** The answer is complete. */
  ended(trailers: RawHeaders): void;
  /** The connection is a tunnel from now on; `tunnelEnded` follows. */
  tunnelled(): void;
  tunnelEnded(bytesIn: number, bytesOut: number): void;
  /** Header fields as response filters want them. */
  filtered(headers: RawHeaders): RawHeaders | undefined;
}

/** Interim responses of one request; an endpoint that sends more is broken. */
const MAX_INFORMATIONAL = 100;

export class Forwarding implements TryOwner, Waiter, Stalling, HeldBodyEvents {
  readonly #exchange: Exchange;
  readonly #action: Forward;
  readonly #plan: ForwardPlan;
  readonly #host: ForwardingHost;
  readonly #service: ForwardingService;
  /** What the endpoint gets as Host, where the route does not say. */
  readonly #authority: string;
  #active!: ActiveCluster;
  #body: BodySource | undefined;
  /** The same, where it goes to the endpoint as it comes, from its beginning. */
  #replay: ReplayBody | undefined;
  #request: UpstreamRequest | undefined;
  #try: Try | undefined;
  /** A try whose answer would do, if no better one comes. */
  #held: Try | undefined;
  #choice!: Choice;
  /** An endpoint may have seen the request: another try is one of the cluster's budget. */
  #seen = false;
  #firstTryAt = 0;
  #informed = 0;
  #giveShareBack: (() => boolean) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #waitTimer: NodeJS.Timeout | undefined;
  /** It is its turn, just now. */
  #turning = false;
  #over = false;

  constructor(exchange: Exchange, action: Forward, authority: string, service: ForwardingService, host: ForwardingHost) {
    this.#exchange = exchange;
    this.#action = action;
    this.#authority = authority;
    this.#service = service;
    this.#host = host;
    this.#plan = service.plans.of(action);
  }

  start(): void {
    const exchange = this.#exchange;
    const { encryptedClusters, clusters } = this.#action;
    const weighted = encryptedClusters !== undefined && exchange.client.tls !== undefined ? encryptedClusters : clusters;
    const name = weighted.length === 1 ? weighted[0]?.cluster : pickCluster(weighted);
    const active = name === undefined ? undefined : this.#service.clusters.get(name);
    if (active === undefined) return this.#reply(NO_CLUSTER);
    exchange.cluster = name;
    this.#active = active;
    this.#choice = new Choice(active, exchange, this.#action);
    const { requestMs, maxBodyBytes, requestBuffering } = this.#plan;
    const { body } = exchange.request;
    if (requestMs > 0) this.#timer = setTimeout(() => this.#tooLong(), requestMs);
    if (body === undefined) return this.#begin();
    const limited = maxBodyBytes > 0 && body.length === undefined ? new LimitedBody(body, maxBodyBytes) : body;
    this.#body = limited;
    if (active.cluster.protocol === 'HTTP/2' || limited.awaitsContinue) {
      // It gets what there is at once: gRPC asks and answers in turns within one body, and 100-continue is the endpoint's to say.
      this.#replay = this.#body = new ReplayBody(limited);
      return this.#begin();
    }
    if (!requestBuffering || (body.length !== undefined && body.length > HELD_BYTES)) return this.#begin();
    // Nobody is asked to send a body that has nowhere to go.
    if (active.balancer.shortage() === 'NoHealthyUpstream') return this.#reply(NO_ENDPOINT);
    const held = new HeldBody(limited, this);
    this.#body = held;
    held.collect();
  }

  /** The client has gone, or the request is given up for another reason: nothing more is said to the host. */
  abort(): void {
    if (!this.#finish()) return;
    this.#try?.abort('cancelled');
  }

  bodyReady(): void {
    if (!this.#over) this.#begin();
  }

  bodyFailed(error: ProxyError): void {
    this.#fail(error);
  }

  /** The first try, or the wait for a place. */
  #begin(): void {
    const { balancer, cluster } = this.#active;
    this.#firstTryAt = performance.now();
    this.#active.budget.request(this.#firstTryAt);
    if (this.#takePlace()) return;
    if (balancer.shortage() === 'NoHealthyUpstream') return this.#reply(NO_ENDPOINT);
    this.#wait(cluster.connectTimeoutMs);
  }

  #wait(ms: number): void {
    const { waiting } = this.#active;
    // Before it enters: somebody may give way at once, and then the wait is over when `enter` returns.
    this.#waitTimer = setTimeout(() => this.#reply(OVERFLOW), ms);
    if (!waiting.enter(this, this.#exchange.shared ?? this)) this.#reply(OVERFLOW);
  }

  /** The first try, unless the client's connection has too many of the places already; false: there is none for it. */
  #takePlace(): boolean {
    const { shared } = this.#exchange;
    const { shares, balancer } = this.#active;
    if (shared !== undefined && (this.#giveShareBack = shares.take(shared, balancer.free)) === undefined) return false;
    if (this.#send()) return true;
    this.#giveShareBack?.();
    return false;
  }

  displaced(): void {
    this.#reply(OVERFLOW);
  }

  turn(): boolean {
    if (this.#over) return true;
    if (this.#exchange.attempts.length === 0) this.#firstTryAt = performance.now();
    this.#turning = true;
    const served = this.#takePlace();
    this.#turning = false;
    if (!served) {
      if (this.#choice.shortage() !== 'NoHealthyUpstream') return false;
      this.#reply(NO_ENDPOINT);
    }
    clearTimeout(this.#waitTimer);
    this.#waitTimer = undefined;
    return true;
  }

  /** Sends the request to the next endpoint; false if there is none. */
  #send(): boolean {
    const next = this.#next();
    if (next === undefined) return false;
    // HTTP/2 has no upgrades: there it is a request like any other.
    if (this.#exchange.upgrade === undefined || this.#active.cluster.protocol === 'HTTP/2') this.#dispatch(next);
    else this.#upgrade(this.#exchange.upgrade, next);
    return true;
  }

  /** The client of the endpoint may tell of a failure, and another try begin, before this returns. */
  #dispatch(next: Try): void {
    this.#try = next;
    this.#request ??= this.#requestFor();
    const { cluster, stalled } = this.#active;
    // Streams of HTTP/2, gRPC's above all, may well be silent for long.
    if (this.#body !== undefined && this.#body.whole === undefined && cluster.protocol === 'HTTP/1.1') stalled.uploads(this, this.#body);
    next.call = this.#service.upstream.send(cluster, next.endpoint, this.#request, next);
  }

  /** Upgrades leave the request's life here: the tunnel tells when it is over. */
  #upgrade(upgrade: UpgradeRequest, first: Try): void {
    this.#finish();
    this.#host.tunnelled();
    new Tunnel(this.#exchange, upgrade, this.#active, first, this.#requestFor(), {
      tunnels: this.#service.tunnels,
      next: (failed, error) => (this.#mayTryAgain(failed, error) ? this.#next() : undefined),
      head: (from, headers) => this.#host.filtered(from.withSession(headers)),
      finished: (bytesIn, bytesOut) => this.#host.tunnelEnded(bytesIn, bytesOut),
    }).open();
  }

  /** A try at the next endpoint, not begun yet; undefined: none can take the request. */
  #next(): Try | undefined {
    const pick = this.#choice.next();
    if (pick === undefined) return undefined;
    const now = this.#exchange.attempts.length === 0 ? this.#firstTryAt : performance.now();
    if (this.#seen) this.#active.budget.take(now);
    const next = new Try(pick, this, now, this.#choice.sessionCookie);
    this.#exchange.attempts.push(next);
    return next;
  }

  #requestFor(): UpstreamRequest {
    const { request } = this.#exchange;
    const { upstreamHost, timeouts } = this.#plan;
    const host = upstreamHost?.(this.#exchange);
    // By the client, and the connection to the endpoint: gRPC servers insist on it.
    const takesTrailers = this.#active.cluster.protocol === 'HTTP/2' && hasToken(this.#host.received, 'te', 'trailers');
    return {
      method: request.method,
      target: request.target,
      authority: host !== undefined && parseAuthority(host) !== undefined ? host : this.#authority,
      headers: takesTrailers ? [...request.headers, 'te', 'trailers'] : request.headers,
      body: this.#body,
      timeouts,
    };
  }

  onInformation(from: Try, status: number, headers: RawHeaders): void {
    if (this.#over) return;
    if (++this.#informed > MAX_INFORMATIONAL) {
      from.call?.abort();
      from.onError({ reason: 'UpstreamProtocolError', side: 'upstream', retry: 'no', status: 502, cause: 'too many interim responses' });
      return;
    }
    if (status === 100) this.#body?.proceed();
    else this.#exchange.response.inform(status, responseFields(headers));
  }

  onHead(from: Try, status: number, headers: RawHeaders): void {
    if (this.#over) return;
    if (from === this.#held) this.#held = undefined;
    else if (this.#plan.retry.statuses.has(status) && this.#askForBetter(from, status, headers)) return;
    const held = this.#held;
    if (held !== undefined) {
      if (isWorse(status, held.status ?? 0) && this.#fallBack()) {
        from.abort('failure');
        return;
      }
      this.#held = undefined;
      held.abort('failure');
    }
    this.#replay?.release();
    this.#host.head(status, from.withSession(responseFields(headers)));
  }

  /** The route would rather have another answer than this: another endpoint is asked, and the first answer held meanwhile. False: this is the one. */
  #askForBetter(from: Try, status: number, headers: RawHeaders): boolean {
    if (!this.#mayRepeat(false)) return false;
    this.#choice.exclude(from.endpoint);
    const next = this.#next();
    if (next === undefined) return false;
    if (this.#held === undefined) {
      this.#held = from;
      from.hold(status, headers);
      from.settle('failure');
    } else {
      from.abort('failure');
    }
    this.#dispatch(next);
    return true;
  }

  /** Passes on the answer that was held: an endpoint failed, not the client. False: there is none, or it has broken off. */
  #fallBack(): boolean {
    const held = this.#held;
    if (held === undefined || held.error !== undefined) return false;
    this.#try = held;
    held.release();
    return true;
  }

  onData(from: Try, chunk: Buffer): void {
    if (this.#over) return;
    const { response } = this.#exchange;
    if (response.data(chunk)) return;
    const { call } = from;
    if (call === undefined) return;
    call.pause();
    const { stalled } = this.#active;
    stalled.add(this);
    response.onDrain = () => {
      stalled.delete(this);
      call.resume();
    };
  }

  get exchange(): Exchange {
    return this.#exchange;
  }

  giveWay(): void {
    this.#try?.abort('cancelled');
    this.#fail(STALLED);
  }

  onEnd(from: Try, trailers: RawHeaders): void {
    const refused = this.#plan.retry.statuses.has(from.status ?? 0);
    from.settle(refused ? 'failure' : 'success');
    if (this.#finish()) this.#host.ended(trailers);
  }

  onError(from: Try, error: ProxyError): void {
    from.settle(outcomeOf(error));
    if (this.#over) return;
    if (this.#mayTryAgain(from, error) && (this.#send() || this.#waitAgain(error))) return;
    if (error.side !== 'downstream' && this.#fallBack()) return;
    const reply = insteadOf(error, this.#exchange.attempts);
    if (reply === undefined) this.#fail(error);
    else this.#reply(reply);
  }

  /** Another endpoint may be tried after this failure; then this one is not tried again. */
  #mayTryAgain(from: Try, error: ProxyError): boolean {
    if (error.side !== 'upstream' || !this.#plan.retry.failures.has(conditionOf(error.reason))) return false;
    if (!this.#mayRepeat(error.retry === 'yes')) return false;
    this.#choice.failedAt(from.endpoint, error.retry === 'if-reused');
    return true;
  }

  /** No endpoint has seen anything of the request, and all that are left have as many as they may: it waits, as if it had not been tried yet. */
  #waitAgain(error: ProxyError): boolean {
    if (this.#seen || this.#held !== undefined || this.#turning || error.reason === OVERFLOW.reason || this.#choice.shortage() !== 'UpstreamOverflow') return false;
    const { connectTimeoutMs } = this.#active.cluster;
    const totalMs = this.#plan.retry.totalMs(connectTimeoutMs);
    this.#try = undefined;
    this.#giveShareBack?.();
    this.#wait(totalMs > 0 ? Math.min(connectTimeoutMs, totalMs - (performance.now() - this.#firstTryAt)) : connectTimeoutMs);
    return true;
  }

  /** `unseen`: no endpoint has seen anything of the request. */
  #mayRepeat(unseen: boolean): boolean {
    const { attempts, response, request } = this.#exchange;
    const { retry } = this.#plan;
    if (response.started || (retry.attempts > 0 && attempts.length >= retry.attempts)) return false;
    const { budget, cluster } = this.#active;
    const totalMs = retry.totalMs(cluster.connectTimeoutMs);
    const now = performance.now();
    if (totalMs > 0 && now - this.#firstTryAt >= totalMs) return false;
    if (this.#body !== undefined && this.#body.started && this.#body.whole === undefined) return false;
    this.#seen = !unseen;
    return unseen || ((retry.nonIdempotent || IDEMPOTENT.has(request.method)) && budget.allows(now));
  }

  #tooLong(): void {
    const current = this.#try;
    if (current !== undefined) {
      const answered = current.status !== undefined;
      if (!answered) current.failed(TOO_LONG);
      current.abort(answered ? 'cancelled' : 'timeout');
    }
    if (!this.#fallBack()) this.#fail(TOO_LONG);
  }

  #reply(reply: Reply): void {
    if (this.#finish()) this.#host.reply(reply);
  }

  #fail(error: ProxyError): void {
    if (this.#finish()) this.#host.fail(error);
  }

  /** False: it was over before. */
  #finish(): boolean {
    if (this.#over) return false;
    this.#over = true;
    clearTimeout(this.#timer);
    this.#active?.stalled.forget(this);
    if (this.#giveShareBack?.() === true) this.#active.balancer.onRoom?.();
    if (this.#waitTimer !== undefined) {
      clearTimeout(this.#waitTimer);
      this.#active.waiting.leave(this);
    }
    this.#held?.abort('failure');
    return true;
  }
}
