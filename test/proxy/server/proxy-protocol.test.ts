// PROXY protocol headers of both versions, whole, cut, damaged and hostile.
import test from 'ava';
import fc from 'fast-check';
import { readProxyHeader } from '../../../proxy/server/proxy-protocol.ts';
import { proxyV1, proxyV2 } from '../../support/proxy-header.ts';

const V4 = { address: '203.0.113.9', port: 56_324, localPort: 443 };
const V6 = { address: '2001:db8::9', port: 1, localPort: 65_535 };

test('both versions and families say who the client is, and where the header ends', (t) => {
  for (const [header, proxied] of [[proxyV1(V4), V4], [proxyV1(V6), V6], [proxyV2(V4), V4], [proxyV2(V6), V6], [proxyV2(V4, { more: Buffer.alloc(300, 7) }), V4]] as const) {
    t.deepEqual(readProxyHeader(header), { proxied, length: header.length });
    t.deepEqual(readProxyHeader(Buffer.concat([header, Buffer.from('GET / HTTP/1.1\r\n')])), { proxied, length: header.length });
    for (let length = 0; length < header.length; length++) t.is(readProxyHeader(header.subarray(0, length)), 'incomplete', `${length}`);
  }
});

test('an IPv4 address in IPv6 clothes is an IPv4 address', (t) => {
  t.like(readProxyHeader(proxyV2({ ...V6, address: '::ffff:203.0.113.9' })), { proxied: { address: '203.0.113.9', port: 1, localPort: 65_535 } });
});

test('a balancer that speaks for itself, or of something else than TCP, says nothing of a client', (t) => {
  for (const header of [Buffer.from('PROXY UNKNOWN\r\n'), Buffer.from('PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n'), proxyV2(V4, { command: 0 }), proxyV2(V4, { family: 0x12 }), proxyV2(V4, { family: 0 }), proxyV2(V4, { family: 0x31 })]) {
    t.deepEqual(readProxyHeader(header), { proxied: undefined, length: header.length });
  }
});

test('what is not exactly a header is refused', (t) => {
  const lines = [
    'GET / HTTP/1.1', 'PROXY', 'PROXY TCP4 1.2.3.4 1.2.3.4 1', 'PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3', 'PROXY TCP4 1.2.3.4 1.2.3 1 2', 'PROXY TCP4 ::1 ::1 1 2', 'PROXY TCP6 1.2.3.4 1.2.3.4 1 2',
    'PROXY TCP4 1.2.3.4 1.2.3.4 65536 2', 'PROXY TCP4 1.2.3.4 1.2.3.4 01 2', 'PROXY TCP4 1.2.3.4 1.2.3.4 -1 2', 'PROXY TCP4 1.2.3.4 1.2.3.4 1 ', 'PROXY TCP6 fe80::1%eth0 ::1 1 2', 'PROXY  TCP4 1.2.3.4 1.2.3.4 1 2', 'proxy TCP4 1.2.3.4 1.2.3.4 1 2',
    `PROXY UNKNOWN ${'x'.repeat(100)}`,
  ];
  for (const line of lines) t.is(readProxyHeader(Buffer.from(`${line}\r\n`)), 'invalid', line);
  t.is(readProxyHeader(Buffer.from(`PROXY TCP4 ${'1'.repeat(200)}`)), 'invalid', 'a line without end');
  const v2 = proxyV2(V4);
  for (const [at, value] of [[0, 10], [12, 0x11], [12, 0x22], [12, 0x31], [15, 11]] as const) {
    const damaged = Buffer.from(v2);
    damaged[at] = value;
    t.is(readProxyHeader(damaged), 'invalid', `byte ${at}`);
  }
});

test('no bytes at all make it throw', (t) => {
  fc.assert(fc.property(fc.constantFrom(proxyV1(V6), proxyV2(V6), Buffer.from('PROXY '), proxyV2(V4).subarray(0, 12)), fc.uint8Array({ maxLength: 80 }), fc.nat(60), (start, rest, keep) => {
    readProxyHeader(Buffer.concat([start.subarray(0, keep), rest]));
  }), { numRuns: 5_000 });
  t.pass();
});
