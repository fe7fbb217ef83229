// Which virtual hosts need to be known before a handshake begins. While there are none, no connection's first bytes are looked
// at; while none asks for client certificates or is passed through, no request's host is compared with that of its connection.
import type { VirtualHost } from '../table/route.ts';

type VirtualHosts = Readonly<Record<string, VirtualHost>>;

export class SpecialHosts {
  /** Keys of the table. */
  readonly #settings = new Set<string>();
  readonly #unshared = new Set<string>();

  /** True: some host has TLS settings of its own, or is passed through. */
  get any(): boolean {
    return this.#settings.size > 0;
  }

  /** True: some host shares no connection with others, for it asks for client certificates or is passed through. */
  get unshared(): boolean {
    return this.#unshared.size > 0;
  }

  /** Takes over a whole section. */
  replace(virtualHosts: VirtualHosts): void {
    this.#settings.clear();
    this.#unshared.clear();
    this.update(virtualHosts, []);
  }

  /** Takes over a change to it. */
  update(set: VirtualHosts, remove: readonly string[]): void {
    for (const key of remove) this.#note(key, false, false);
    for (const key of Object.keys(set)) {
      const { tls, passthrough } = set[key] as VirtualHost;
      this.#note(key, tls !== undefined || passthrough !== undefined, passthrough !== undefined || tls?.clientCertificates !== undefined);
    }
  }

  #note(key: string, settings: boolean, unshared: boolean): void {
    if (settings) this.#settings.add(key);
    else this.#settings.delete(key);
    if (unshared) this.#unshared.add(key);
    else this.#unshared.delete(key);
  }
}
