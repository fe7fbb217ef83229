// Whom a listener believes: the CIDRs of the proxies in front of it, or a number of hops, or both. Built once per listener.
// A number says that nobody can reach this listener but through so many proxies; where that is not so, whoever connects
// directly can write himself any address. With CIDRs as well, only those peers are believed, and then counted.
import { BlockList, isIP, isIPv6 } from 'node:net';

/** `10.0.0.0/8`, `::1/128`, or a bare address. Undefined: it is malformed. */
export function parseCidr(text: string): { readonly address: string; readonly prefix: number; readonly family: 'ipv4' | 'ipv6' } | undefined {
  const [address = '', bits, ...rest] = text.split('/');
  const version = address.includes('%') ? 0 : isIP(address);
  if (version === 0 || rest.length > 0) return undefined;
  const width = version === 4 ? 32 : 128;
  if (bits !== undefined && (!/^\d{1,3}$/.test(bits) || Number(bits) > width)) return undefined;
  return { address, prefix: bits === undefined ? width : Number(bits), family: version === 4 ? 'ipv4' : 'ipv6' };
}

export class TrustedProxies {
  /** How many proxies stand in front, where that is counted and not told by address; undefined: by address. */
  readonly hops: number | undefined;
  readonly #list = new BlockList();
  readonly #nobody: boolean;

  /** What is no CIDR is passed over: it makes nobody trusted. With `hops` and no CIDR every peer is believed. */
  constructor(cidrs: readonly string[], hops?: number) {
    this.hops = hops;
    let entries = 0;
    for (const text of cidrs) {
      const cidr = parseCidr(text);
      if (cidr === undefined) continue;
      this.#list.addSubnet(cidr.address, cidr.prefix, cidr.family);
      entries++;
    }
    this.#nobody = entries === 0;
  }

  /** True: what this address forwards is believed, whoever connects from it. */
  includes(address: string): boolean {
    return !this.#nobody && this.#list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
  }

  /** True: what this peer of a connection forwards is believed. */
  believes(peerAddress: string): boolean {
    return this.includes(peerAddress) || (this.#nobody && this.hops !== undefined && this.hops > 0);
  }
}
