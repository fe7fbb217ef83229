// Which virtual hosts need to be known before a handshake begins. While there are none, no connection's first bytes are looked
// at; while none asks for client certificates, no request's host is compared with that of its connection.
import type { VirtualHost } from '../table/route.ts';

type VirtualHosts = Readonly<Record<string, VirtualHost>>;

export class SpecialHosts {
  /** Keys of the table. */
  readonly #settings = new Set<string>();
  readonly #asking = new Set<string>();

  /** True: some host has TLS settings of its own, or is passed through. */
  get any(): boolean {
    return this.#settings.size > 0;
  }

  /** True: some host asks for client certificates. */
  get asking(): boolean {
    return this.#asking.size > 0;
  }

  /** Takes over a whole section. */
  replace(virtualHosts: VirtualHosts): void {
    this.#settings.clear();
    this.#asking.clear();
    this.update(virtualHosts, []);
  }

  /** Takes over a change to it. */
  update(set: VirtualHosts, remove: readonly string[]): void {
    for (const key of remove) this.#note(key, false, false);
    for (const key of Object.keys(set)) {
      const { tls, passthrough } = set[key] as VirtualHost;
      this.#note(key, tls !== undefined || passthrough !== undefined, tls?.clientCertificates !== undefined);
    }
  }

  #note(key: string, settings: boolean, asking: boolean): void {
    if (settings) this.#settings.add(key);
    else this.#settings.delete(key);
    if (asking) this.#asking.add(key);
    else this.#asking.delete(key);
  }
}
