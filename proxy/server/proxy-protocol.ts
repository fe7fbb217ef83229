// The PROXY protocol header by which a TCP balancer says whose connection it passes on, version 1 (text) and 2 (binary).
// https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt. Whether a peer may say so is decided before this is asked.
import { isIPv4, isIPv6 } from 'node:net';

/** The client as the balancer saw it; undefined where it speaks for itself (health checks) or of something that is no TCP. */
export interface Proxied {
  readonly address: string;
  readonly port: number;
  /** The port that the client connected to. */
  readonly localPort: number;
}

export interface ProxyHeader {
  readonly proxied: Proxied | undefined;
  /** Bytes of the header: what follows is the connection itself. */
  readonly length: number;
}

const V1 = Buffer.from('PROXY ', 'latin1');
const V2 = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
/** §2.1: the longest possible line with its end. */
const V1_MAX = 107;
const V2_HEADER = 16;
/** `::ffff:` of IPv4 addresses in IPv6 clothes. */
const MAPPED = Buffer.from('00000000000000000000ffff', 'hex');
const LOCAL = 0;
const PROXY = 1;
const TCP4 = 0x11;
const TCP6 = 0x21;

/** `incomplete`: more bytes are needed; `invalid`: this is no such header, or a damaged one. */
export function readProxyHeader(bytes: Buffer): ProxyHeader | 'incomplete' | 'invalid' {
  if (startsAs(bytes, V2)) return readVersion2(bytes);
  if (startsAs(bytes, V1)) return readVersion1(bytes);
  return 'invalid';
}

/** As far as there are bytes. */
function startsAs(bytes: Buffer, signature: Buffer): boolean {
  const length = Math.min(bytes.length, signature.length);
  return bytes.compare(signature, 0, length, 0, length) === 0;
}

function readVersion1(bytes: Buffer): ProxyHeader | 'incomplete' | 'invalid' {
  const end = bytes.subarray(0, V1_MAX).indexOf('\r\n', 0, 'latin1');
  if (end === -1) return bytes.length < V1_MAX ? 'incomplete' : 'invalid';
  const length = end + 2;
  const [, family, source = '', destination = '', sourcePort = '', destinationPort = '', ...rest] = bytes.toString('latin1', 0, end).split(' ');
  if (family === 'UNKNOWN') return { proxied: undefined, length };
  const isAddress = family === 'TCP4' ? isIPv4 : family === 'TCP6' ? isPlainIPv6 : undefined;
  const port = readPort(sourcePort);
  const localPort = readPort(destinationPort);
  if (isAddress === undefined || rest.length > 0 || !isAddress(source) || !isAddress(destination) || port === -1 || localPort === -1) return 'invalid';
  return { proxied: { address: source.toLowerCase(), port, localPort }, length };
}

/** -1: it is none. */
function readPort(text: string): number {
  const port = /^(?:0|[1-9]\d{0,4})$/.test(text) ? Number(text) : -1;
  return port <= 65_535 ? port : -1;
}

function isPlainIPv6(text: string): boolean {
  return isIPv6(text) && !text.includes('%');
}

function readVersion2(bytes: Buffer): ProxyHeader | 'incomplete' | 'invalid' {
  if (bytes.length < V2_HEADER) return 'incomplete';
  const versionAndCommand = bytes[12] as number;
  const family = bytes[13] as number;
  const size = bytes.readUInt16BE(14);
  const command = versionAndCommand & 0x0f;
  if (versionAndCommand >> 4 !== 2 || (command !== LOCAL && command !== PROXY)) return 'invalid';
  const length = V2_HEADER + size;
  if (bytes.length < length) return 'incomplete';
  if (command === LOCAL || (family !== TCP4 && family !== TCP6)) return { proxied: undefined, length };
  const width = family === TCP4 ? 4 : 16;
  if (size < 2 * width + 4) return 'invalid';
  const address = addressOf(bytes.subarray(V2_HEADER, V2_HEADER + width));
  const ports = V2_HEADER + 2 * width;
  return { proxied: { address, port: bytes.readUInt16BE(ports), localPort: bytes.readUInt16BE(ports + 2) }, length };
}

function addressOf(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join('.');
  if (bytes.indexOf(MAPPED) === 0) return bytes.subarray(MAPPED.length).join('.');
  const groups: string[] = [];
  for (let i = 0; i < 16; i += 2) groups.push(bytes.readUInt16BE(i).toString(16));
  // The shortest form, as sockets report addresses.
  return URL.parse(`http://[${groups.join(':')}]/`)?.hostname.slice(1, -1) ?? groups.join(':');
}
