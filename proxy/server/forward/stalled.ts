// Requests of one cluster that wait for nobody but their clients, who take nothing of the answer or send nothing of the body.
// Each holds a place at its endpoint, and a few clients with many streams can hold all of them; so when others wait for a
// place, who has done nothing for longest gives way.
import type { BodySource, Exchange } from '../../http/exchange.ts';

/** How long a client may send nothing, or say that it takes nothing, while others wait for its place. */
const MOST_MS = 1_000;
/**
 * The same where it says nothing and only its connection takes no more: the system tells when a good part of its buffers is free again, and they
 * may have megabytes. Less than others wait (`Cluster.connectTimeoutMs`, by default).
 */
const MOST_UNSAID_MS = 3_000;
/** How long in all it may be that what a client has sent was not looked at: one that floods would never be. */
const MOST_UNHEARD_MS = 10_000;

export interface Stalling {
  readonly exchange: Pick<Exchange, 'shared'> & { readonly response: Pick<Exchange['response'], 'shut'> };
  /** Ends the request, and with it frees its place. */
  giveWay(): void;
}

interface Upload {
  readonly body: BodySource;
  /** As last looked at. */
  bytes: number;
  since: number;
}

export class Stalled {
  /** Who takes nothing, and since when (`performance.now()`); the longest first. */
  readonly #takers = new Map<Stalling, number>();
  readonly #uploads = new Map<Stalling, Upload>();
  /** Since when a client is excused because it is not heard. */
  readonly #unheard = new Map<Stalling, number>();

  /** Requests that wait for their clients, or may do so: every upload counts. */
  get size(): number {
    return this.#takers.size + this.#uploads.size;
  }

  /** Its client takes nothing, as of now. It may be said again, for what is still on its way: it stays where it stands. */
  add(one: Stalling): void {
    if (!this.#takers.has(one)) this.#takers.set(one, performance.now());
  }

  /** Its client takes something again. */
  delete(one: Stalling): void {
    this.#unheard.delete(one);
    this.#takers.delete(one);
  }

  /** Its client sends a body while the endpoint has it. */
  uploads(one: Stalling, body: BodySource): void {
    this.#uploads.set(one, { body, bytes: 0, since: 0 });
  }

  /** It is over. */
  forget(one: Stalling): void {
    this.delete(one);
    this.#uploads.delete(one);
  }

  /** For those who wait: called again and again while there are any. True: somebody gave way. */
  makeRoom(): boolean {
    const now = performance.now();
    const one = this.#longestTaker(now) ?? this.#anyUpload(now);
    if (one === undefined) return false;
    this.forget(one);
    one.giveWay();
    return true;
  }

  #longestTaker(now: number): Stalling | undefined {
    for (const [one, since] of this.#takers) {
      if (now - since < MOST_MS) return undefined;
      if (this.#isUnheard(one, now)) {
        // It has its time from when it is heard.
        this.#takers.delete(one);
        this.#takers.set(one, now);
      } else if (one.exchange.response.shut || now - since >= MOST_UNSAID_MS) {
        return one;
      }
    }
    return undefined;
  }

  /** Nobody tells when an upload moves: it is seen between two calls. */
  #anyUpload(now: number): Stalling | undefined {
    for (const [one, upload] of this.#uploads) {
      const { body } = upload;
      const moved = body.bytes !== upload.bytes;
      if (moved) this.#unheard.delete(one);
      if (moved || !body.waiting || upload.since === 0 || this.#isUnheard(one, now)) {
        upload.bytes = body.bytes;
        upload.since = now;
      } else if (now - upload.since >= MOST_MS) {
        return one;
      }
    }
    return undefined;
  }

  /** What its client does is not known just now: it has sent something that was not looked at. */
  #isUnheard(one: Stalling, now: number): boolean {
    if (one.exchange.shared?.unheard !== true) return false;
    const since = this.#unheard.get(one) ?? now;
    this.#unheard.set(one, since);
    return now - since < MOST_UNHEARD_MS;
  }
}
