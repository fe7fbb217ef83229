// IP addresses as Kubernetes objects and DNS give them: one spelling for each, and whether a proxy may connect there.
// Forms that hide an IPv4 address in an IPv6 one are looked through, so that `::ffff:127.0.0.1` is loopback too.
import { isIPv4, isIPv6 } from 'node:net';

/** `public` means only that none of the special ranges holds it; a pod's private address is `public` in this sense. */
export type AddressRange = 'public' | 'loopback' | 'link-local' | 'unspecified' | 'multicast';

export interface Address {
  /** IPv4 dotted, or IPv6 lower-case and compressed (RFC 5952); an IPv4-mapped IPv6 address is written as the IPv4 one. */
  readonly text: string;
  readonly family: 4 | 6;
  readonly range: AddressRange;
}

/** Undefined: not an IP address. An IPv6 zone (`%eth0`) is not accepted: it means nothing outside one node. */
export function parseAddress(text: string): Address | undefined {
  if (isIPv4(text)) return { text, family: 4, range: rangeOf4(text) };
  if (!isIPv6(text) || text.includes('%')) return undefined;
  const canonical = new URL(`http://[${text}]/`).hostname.slice(1, -1);
  const groups = expand(canonical);
  const mapped = prefixIs(groups, [0, 0, 0, 0, 0, 0xffff]);
  const low = `${groups[6]! >> 8}.${groups[6]! & 255}.${groups[7]! >> 8}.${groups[7]! & 255}`;
  if (mapped) return { text: low, family: 4, range: rangeOf4(low) };
  return { text: canonical, family: 6, range: rangeOf6(groups, low) };
}

/** RFC 6890: this network, loopback, link local (with the metadata services of clouds), multicast and limited broadcast. */
function rangeOf4(text: string): AddressRange {
  const first = parseInt(text, 10);
  if (first === 0) return 'unspecified';
  if (first === 127) return 'loopback';
  if (first === 169 && text.startsWith('169.254.')) return 'link-local';
  return first >= 224 && first < 240 || text === '255.255.255.255' ? 'multicast' : 'public';
}

/** Where clouds serve what is link-local in IPv4, metadata and credentials of the node, over IPv6: unique local addresses, no more of them than need be, since pods may have others. */
const METADATA_6: readonly (readonly number[])[] = [
  // AWS, Google, Oracle, Akamai, Scaleway.
  [0xfd00, 0xec2, 0, 0, 0, 0, 0], [0xfd20, 0xce, 0, 0, 0, 0, 0], [0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe], [0xfd00, 0xa9fe, 0xa9fe, 0, 0, 0, 0], [0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42],
];

function rangeOf6(groups: readonly number[], low: string): AddressRange {
  const first = groups[0]!;
  if ((first & 0xffc0) === 0xfe80 || METADATA_6.some((prefix) => prefixIs(groups, prefix))) return 'link-local';
  if ((first & 0xff00) === 0xff00) return 'multicast';
  if (prefixIs(groups, [0x64, 0xff9b, 0, 0, 0, 0])) return rangeOf4(low);
  if (!prefixIs(groups, [0, 0, 0, 0, 0, 0])) return 'public';
  // ::, ::1, and the IPv4-compatible form that RFC 4291 deprecates, which no network routes.
  return groups[6] === 0 && groups[7] === 1 ? 'loopback' : 'unspecified';
}

function expand(canonical: string): number[] {
  const [head = '', tail] = canonical.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = Array<string>(8 - left.length - right.length).fill('0');
  return [...left, ...zeros, ...right].map((group) => parseInt(group, 16));
}

function prefixIs(groups: readonly number[], prefix: readonly number[]): boolean {
  return prefix.every((group, index) => groups[index] === group);
}
