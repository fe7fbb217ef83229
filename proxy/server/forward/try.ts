// One try at one endpoint: its entry in the access log, its count at the balancer, and the ear for what its client says.
// An answer can be held while another endpoint is asked for a better one: then it waits, paused, and is either released
// (it is the best there is) or abandoned.
import type { Outcome, Pick } from '../../balance/balancer.ts';
import type { Attempt, ProxyError, RawHeaders } from '../../http/exchange.ts';
import type { Endpoint } from '../../table/cluster.ts';
import type { UpstreamCall, UpstreamHandler } from '../../upstream/call.ts';
import { failureDetail } from '../../upstream/failure-detail.ts';

/** Whoever makes the tries. `from` says which one it is that speaks. */
export interface TryOwner {
  onInformation(from: Try, status: number, headers: RawHeaders): void;
  onHead(from: Try, status: number, headers: RawHeaders): void;
  onData(from: Try, chunk: Buffer): void;
  onEnd(from: Try, trailers: RawHeaders): void;
  onError(from: Try, error: ProxyError): void;
}

interface HeldAnswer {
  readonly status: number;
  readonly headers: RawHeaders;
  /** What had been read before the pause took effect. */
  readonly chunks: Buffer[];
  trailers: RawHeaders | undefined;
}

export class Try implements Attempt, UpstreamHandler {
  readonly endpoint: Endpoint;
  readonly startedAt: number;
  elapsedMs: number | undefined = undefined;
  status: number | undefined = undefined;
  error: string | undefined = undefined;
  detail: string | undefined = undefined;
  call: UpstreamCall | undefined = undefined;
  readonly #owner: TryOwner;
  #pick: Pick | undefined;
  readonly #sessionCookie: string | undefined;
  #held: HeldAnswer | undefined;

  /** `sessionCookie`: Set-Cookie field of the session that begins or moves with it. */
  constructor(pick: Pick, owner: TryOwner, now: number, sessionCookie: string | undefined) {
    this.endpoint = pick.endpoint;
    this.startedAt = now;
    this.#pick = pick;
    this.#owner = owner;
    this.#sessionCookie = sessionCookie;
  }

  /** The fields of its answer, to which the cookie of its session is added, in place. */
  withSession(headers: RawHeaders): RawHeaders {
    if (this.#sessionCookie !== undefined) headers.push('Set-Cookie', this.#sessionCookie);
    return headers;
  }

  /** The head of its answer is here. */
  answered(status: number): void {
    this.elapsedMs = performance.now() - this.startedAt;
    this.status = status;
  }

  failed(error: ProxyError): void {
    this.elapsedMs ??= performance.now() - this.startedAt;
    this.error = error.reason;
    this.detail = failureDetail(error.cause);
  }

  /** Tells the balancer how it ended; the first word counts. */
  settle(outcome: Outcome): void {
    const pick = this.#pick;
    if (pick === undefined) return;
    this.#pick = undefined;
    pick.settle(outcome, this.elapsedMs ?? performance.now() - this.startedAt);
  }

  /** Ends it, whatever it is doing. */
  abort(outcome: Outcome): void {
    this.call?.abort();
    this.settle(outcome);
  }

  /** Keeps the answer, of which the head has come, instead of passing it on. */
  hold(status: number, headers: RawHeaders): void {
    this.#held = { status, headers, chunks: [], trailers: undefined };
    this.call?.pause();
  }

  /** Passes the held answer on. */
  release(): void {
    const held = this.#held;
    if (held === undefined) return;
    this.#held = undefined;
    this.#owner.onHead(this, held.status, held.headers);
    for (const chunk of held.chunks) this.#owner.onData(this, chunk);
    if (held.trailers === undefined) this.call?.resume();
    else this.#owner.onEnd(this, held.trailers);
  }

  onInformation(status: number, headers: RawHeaders): void {
    this.#owner.onInformation(this, status, headers);
  }

  onHead(status: number, headers: RawHeaders): void {
    this.answered(status);
    this.#owner.onHead(this, status, headers);
  }

  onData(chunk: Buffer): void {
    if (this.#held === undefined) this.#owner.onData(this, chunk);
    else this.#held.chunks.push(chunk);
  }

  onEnd(trailers: RawHeaders): void {
    if (this.#held === undefined) this.#owner.onEnd(this, trailers);
    else this.#held.trailers = trailers;
  }

  onError(error: ProxyError): void {
    this.failed(error);
    if (this.#held === undefined) this.#owner.onError(this, error);
  }
}
