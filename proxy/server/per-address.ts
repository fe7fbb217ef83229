// How many connections each client address has, so that one of them cannot take all of a worker's. Trusted proxies stand
// for many clients and may have as many as they like; those that are only counted, and not named, cannot be told from clients.
import type { Socket } from 'node:net';
import type { TrustedProxies } from '../http/trust.ts';

export class PerAddress {
  readonly #most: number;
  readonly #counts = new Map<string, number>();

  /** `most`: 0 means no limit. */
  constructor(most: number) {
    this.#most = most;
  }

  /** False: the address has as many as it may, and the connection has been reset. */
  admit(socket: Socket, address: string, trust: TrustedProxies): boolean {
    if (this.#most === 0 || trust.includes(address)) return true;
    const count = this.#counts.get(address) ?? 0;
    if (count >= this.#most) {
      socket.resetAndDestroy();
      return false;
    }
    this.#counts.set(address, count + 1);
    socket.once('close', () => this.#left(address));
    return true;
  }

  #left(address: string): void {
    const count = this.#counts.get(address) ?? 0;
    if (count > 1) this.#counts.set(address, count - 1);
    else this.#counts.delete(address);
  }
}
