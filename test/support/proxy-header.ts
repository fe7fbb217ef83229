// PROXY protocol headers as balancers write them.
import type { Proxied } from '../../proxy/server/proxy-protocol.ts';

const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');

export function proxyV1({ address, port, localPort }: Proxied): Buffer {
  const v6 = address.includes(':');
  return Buffer.from(`PROXY ${v6 ? 'TCP6' : 'TCP4'} ${address} ${v6 ? '2001:db8::1' : '192.0.2.1'} ${port} ${localPort}\r\n`);
}

/** `more`: TLVs behind the addresses. */
export function proxyV2({ address, port, localPort }: Proxied, wishes: { readonly command?: number; readonly family?: number; readonly more?: Buffer } = {}): Buffer {
  const v6 = address.includes(':');
  const { command = 1, family = v6 ? 0x21 : 0x11, more = Buffer.alloc(0) } = wishes;
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(port, 0);
  ports.writeUInt16BE(localPort, 2);
  const addresses = v6 ? Buffer.concat([ipv6(address), ipv6('2001:db8::1')]) : Buffer.from([...address.split('.').map(Number), 192, 0, 2, 1]);
  const body = Buffer.concat([addresses, ports, more]);
  return Buffer.concat([SIGNATURE, Buffer.from([0x20 | command, family, body.length >> 8, body.length & 255]), body]);
}

function ipv6(text: string): Buffer {
  const plain = text.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, a, b, c, d) => `${(Number(a) * 256 + Number(b)).toString(16)}:${(Number(c) * 256 + Number(d)).toString(16)}`);
  const [left = '', right] = plain.split('::');
  const groups = (part: string | undefined): string[] => (part === undefined || part === '' ? [] : part.split(':'));
  const missing = 8 - groups(left).length - groups(right).length;
  const all = [...groups(left), ...Array.from({ length: missing }, () => '0'), ...groups(right)];
  return Buffer.from(all.map((group) => group.padStart(4, '0')).join(''), 'hex');
}
