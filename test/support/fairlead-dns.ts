// A DNS server on a free UDP port of 127.0.0.1 that answers from a map which a test may change (RFC 1035, A and AAAA only).
import { createSocket } from 'node:dgram';
import { isIPv4 } from 'node:net';
import type { AddressInfo } from 'node:net';
import type { ExecutionContext } from 'ava';

const A = 1;
const AAAA = 28;
const NAME_ERROR = 3;
const SERVER_FAILURE = 2;

export interface DnsServer {
  /** `127.0.0.1:port`. */
  readonly address: string;
  /** Name → addresses; `failure`: SERVFAIL; a name that is missing does not exist. */
  readonly names: Map<string, readonly string[] | 'failure'>;
  /** Names for which questions about IPv6 fail, whatever else is known of them. */
  readonly withoutIpv6: Set<string>;
  /** Names that were asked for, one entry per question. */
  readonly asked: string[];
}

export async function startDns(t: ExecutionContext, names: Readonly<Record<string, readonly string[] | 'failure'>>, ttl = 60): Promise<DnsServer> {
  const socket = createSocket('udp4');
  const server: DnsServer = { address: '', names: new Map(Object.entries(names)), withoutIpv6: new Set(), asked: [] };
  socket.on('message', (query, peer) => socket.send(answer(query, server, ttl), peer.port, peer.address));
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  t.teardown(() => socket.close());
  return Object.assign(server, { address: `127.0.0.1:${(socket.address() as AddressInfo).port}` });
}

function answer(query: Buffer, { names, withoutIpv6, asked }: DnsServer, ttl: number): Buffer {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  const question = query.subarray(12, at + 5);
  const type = query.readUInt16BE(at + 1);
  const name = labels.join('.').toLowerCase();
  asked.push(name);
  const known = type === AAAA && withoutIpv6.has(name) ? 'failure' : names.get(name);
  const records = known === undefined || known === 'failure' ? [] : known.filter((address) => (isIPv4(address) ? A : AAAA) === type);
  const header = Buffer.alloc(12);
  header.writeUInt16BE(query.readUInt16BE(0), 0);
  header.writeUInt16BE(0x8180 | (known === 'failure' ? SERVER_FAILURE : known === undefined ? NAME_ERROR : 0), 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(records.length, 6);
  return Buffer.concat([header, question, ...records.map((address) => record(address, type, ttl))]);
}

/** An answer for the name of the question, which stands at offset 12. */
function record(address: string, type: number, ttl: number): Buffer {
  const data = Buffer.from(isIPv4(address) ? address.split('.').map(Number) : expand(address).flatMap((group) => [group >> 8, group & 255]));
  const head = Buffer.alloc(12);
  head.writeUInt16BE(0xc00c, 0);
  head.writeUInt16BE(type, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt32BE(ttl, 6);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

function expand(address: string): number[] {
  const [left = '', right = ''] = address.split('::');
  const groups = (text: string): number[] => (text === '' ? [] : text.split(':').map((group) => parseInt(group, 16)));
  return [...groups(left), ...Array<number>(8 - groups(left).length - groups(right).length).fill(0), ...groups(right)];
}
