// Which endpoint a request gets next: the one of its session or its hash key, or whoever's turn it is, and none where it has been.
// One that it met on a connection which had just been closed there has seen nothing of it: that is asked again, if there is no other.
import type { Pick, Shortage } from '../../balance/balancer.ts';
import type { Exchange } from '../../http/exchange.ts';
import type { Endpoint } from '../../table/cluster.ts';
import type { Forward } from '../../table/route.ts';
import type { ActiveCluster } from './clusters.ts';
import { pickForSession, sessionCookieText } from './session.ts';

const NONE: readonly Endpoint[] = [];

export class Choice {
  /** Set-Cookie field of the session that begins or moves with the last choice. */
  sessionCookie: string | undefined;
  readonly #active: ActiveCluster;
  readonly #exchange: Exchange;
  readonly #action: Forward;
  #tried: readonly Endpoint[] = NONE;
  #stale: Endpoint | undefined;
  #hashKey: string | undefined;

  constructor(active: ActiveCluster, exchange: Exchange, action: Forward) {
    this.#active = active;
    this.#exchange = exchange;
    this.#action = action;
  }

  /** Undefined: none can take the request. */
  next(): Pick | undefined {
    const stale = this.#stale;
    return this.#but(this.#tried) ?? (stale === undefined ? undefined : this.#but(this.#tried.filter((endpoint) => endpoint !== stale)));
  }

  /** Why there is no next one: it has been to all of them, or those that are left have as many requests as they may. */
  shortage(): Shortage | undefined {
    return this.#active.balancer.shortage(this.#tried);
  }

  /** The request has been there. */
  exclude(endpoint: Endpoint): void {
    this.#tried = [...this.#tried, endpoint];
  }

  /** The same after a failure; `stale`: only a connection that had been closed explains it. */
  failedAt(endpoint: Endpoint, stale: boolean): void {
    this.exclude(endpoint);
    this.#stale = stale ? endpoint : undefined;
  }

  #but(tried: readonly Endpoint[]): Pick | undefined {
    const active = this.#active;
    const { affinity } = active.cluster;
    this.sessionCookie = undefined;
    if (affinity === undefined) {
      if (active.hashKey !== undefined) this.#hashKey ??= active.hashKey(this.#exchange);
      return active.balancer.pick(this.#hashKey, tried);
    }
    const found = pickForSession(affinity, active, this.#exchange, tried);
    const { sessionPath } = this.#action;
    if (found !== undefined && found.newKey !== undefined && sessionPath !== undefined) {
      this.sessionCookie = sessionCookieText(affinity, found.newKey, this.#exchange, sessionPath);
    }
    return found?.pick;
  }
}
