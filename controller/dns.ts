// Keeps the addresses of names that ExternalName Services point at. A name is asked for again when its answer expires; while
// the DNS does not answer, the last addresses stay (an answer that says "no such name" is an answer). The pipeline sees a
// plain map and decides which addresses may be used.
import { Resolver } from 'node:dns/promises';
import type { DnsAnswer, DnsAnswers } from './model/external-name.ts';

const SHORTEST_MS = 5_000;
const LONGEST_MS = 300_000;
const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 30_000;
const QUERY = { timeout: 2_000, tries: 2 };
/** Answers of the DNS itself, after which old addresses are wrong. */
const GONE: ReadonlySet<string> = new Set(['ENOTFOUND', 'ENODATA']);

export interface DnsOptions {
  /** No name is asked for more often than this, whatever its answer says; 5 s. */
  readonly shortestMs?: number;
}

interface Watched {
  timer: NodeJS.Timeout | undefined;
  failures: number;
  /** What each family's question was last answered with. */
  readonly known: [ipv4: readonly string[], ipv6: readonly string[]];
}

export class DnsWatcher {
  readonly #resolver = new Resolver(QUERY);
  readonly #onChange: () => void;
  readonly #shortestMs: number;
  readonly #answers = new Map<string, DnsAnswer>();
  readonly #watched = new Map<string, Watched>();
  readonly #asking = new Set<Promise<void>>();

  /** `servers`: `address[:port]`; empty: the system's. `onChange` is called after an answer that differs from the one before. */
  constructor(servers: readonly string[], onChange: () => void, { shortestMs = SHORTEST_MS }: DnsOptions = {}) {
    this.#shortestMs = shortestMs;
    if (servers.length > 0) this.#resolver.setServers(servers);
    this.#onChange = onChange;
  }

  /** By hostname. A name that has not been answered yet is missing. */
  get answers(): DnsAnswers {
    return this.#answers;
  }

  /** These names and no others are wanted from now on. */
  watch(hostnames: Iterable<string>): void {
    const wanted = new Set(hostnames);
    for (const [name, watched] of this.#watched) {
      if (wanted.has(name)) continue;
      clearTimeout(watched.timer);
      this.#watched.delete(name);
      this.#answers.delete(name);
    }
    for (const name of wanted) {
      if (this.#watched.has(name)) continue;
      const watched: Watched = { timer: undefined, failures: 0, known: [[], []] };
      this.#watched.set(name, watched);
      this.#ask(name, watched);
    }
  }

  /** Resolves when every name has been answered once, or after `ms`. */
  async settled(ms: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([Promise.all(this.#asking), new Promise((resolve) => (timer = setTimeout(resolve, ms)))]);
    clearTimeout(timer);
  }

  stop(): void {
    this.watch([]);
    this.#resolver.cancel();
  }

  #ask(name: string, watched: Watched): void {
    const asking = this.#resolve(name, watched).finally(() => this.#asking.delete(asking));
    this.#asking.add(asking);
  }

  async #resolve(name: string, watched: Watched): Promise<void> {
    const results = await Promise.allSettled([this.#resolver.resolve4(name, { ttl: true }), this.#resolver.resolve6(name, { ttl: true })]);
    if (this.#watched.get(name) !== watched) return;
    const records = results.flatMap((result) => (result.status === 'fulfilled' ? result.value : []));
    const codes = results.map((result) => (result.status === 'rejected' ? codeOf(result.reason) : 'ENODATA'));
    // One family may be missing for good; any other failure says nothing of it, and nothing of the other family either.
    const lost = codes.find((code) => !GONE.has(code));
    for (const [family, result] of results.entries()) {
      if (result.status === 'fulfilled') watched.known[family] = result.value.map(({ address }) => address);
      else if (lost === undefined || (records.length > 0 && GONE.has(codes[family] ?? ''))) watched.known[family] = [];
    }
    const addresses = [...new Set(watched.known.flat())].sort();
    if (addresses.length > 0) this.#answered(name, { addresses });
    else if (lost === undefined || !this.#hasAddresses(name)) this.#answered(name, { error: lost ?? 'ENOTFOUND' });
    if (records.length > 0 && lost === undefined) {
      watched.failures = 0;
      this.#askLater(name, watched, clamp(Math.min(...records.map((record) => record.ttl)) * 1000, this.#shortestMs, LONGEST_MS));
    } else {
      watched.failures++;
      this.#askLater(name, watched, clamp(FIRST_RETRY_MS * 2 ** (watched.failures - 1), FIRST_RETRY_MS, LONGEST_RETRY_MS));
    }
  }

  #hasAddresses(name: string): boolean {
    const known = this.#answers.get(name);
    return known !== undefined && 'addresses' in known;
  }

  #answered(name: string, answer: DnsAnswer): void {
    const before = this.#answers.get(name);
    this.#answers.set(name, answer);
    if (before === undefined || textOf(before) !== textOf(answer)) this.#onChange();
  }

  #askLater(name: string, watched: Watched, ms: number): void {
    watched.timer = setTimeout(() => this.#ask(name, watched), ms).unref();
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : String(error);
}

function textOf(answer: DnsAnswer): string {
  return 'addresses' in answer ? answer.addresses.join() : `error ${answer.error}`;
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}
