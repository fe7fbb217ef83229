// A hostname that nobody gives a `tls` section has that of the wildcard which stands for it, as in ingress-nginx: the certificate
// for its connections, and with it the redirect to https.
import { equal } from '../../proxy/table/equal.ts';
import { decidesTls } from './assemble.ts';
import type { Contribution } from './assemble.ts';
import type { TlsIntent, Translation } from './translation.ts';

interface Hosts {
  contributions(hostname: string): readonly Contribution[];
  hostnames(): Iterable<string>;
}

export interface Inherited {
  readonly wildcard: string;
  readonly tls: Translation;
}

export class InheritedTls {
  readonly #hosts: Hosts;
  /** Wildcard → its sections when this was last asked. */
  readonly #known = new Map<string, readonly TlsIntent[]>();

  constructor(hosts: Hosts) {
    this.#hosts = hosts;
  }

  /** What a hostname without a section of its own has; undefined: nothing. */
  of(hostname: string): Inherited | undefined {
    const wildcard = wildcardFor(hostname);
    const tls = wildcard === undefined ? undefined : decidesTls(this.#hosts.contributions(wildcard));
    return wildcard === undefined || tls === undefined ? undefined : { wildcard, tls };
  }

  /** Of hostnames some of whose objects changed, those below the wildcards whose sections did. */
  affected(changed: Iterable<string>): string[] {
    const wildcards = new Set([...changed].filter((hostname) => hostname.startsWith('*.') && this.#isChanged(hostname)));
    return wildcards.size === 0 ? [] : [...this.#hosts.hostnames()].filter((hostname) => wildcards.has(wildcardFor(hostname) ?? ''));
  }

  #isChanged(wildcard: string): boolean {
    const before = this.#known.get(wildcard);
    const now = decidesTls(this.#hosts.contributions(wildcard))?.tls;
    if (now === undefined) this.#known.delete(wildcard);
    else this.#known.set(wildcard, now);
    return !equal(before, now);
  }
}

/** Undefined: it is one itself, or has but one label. */
function wildcardFor(hostname: string): string | undefined {
  const dot = hostname.indexOf('.');
  return dot <= 0 || hostname.startsWith('*') ? undefined : `*${hostname.slice(dot)}`;
}
