// Names of ExternalName Services, against a DNS server on loopback.
import test from 'ava';
import { DnsWatcher } from '../../controller/dns.ts';
import { startDns } from '../support/fairlead-dns.ts';
import { eventually } from '../support/fairlead-http.ts';

test('a name is answered with all its addresses of both families', async (t) => {
  const server = await startDns(t, { 'api.example.com': ['203.0.113.9', '203.0.113.1', '2001:db8::1'], 'four.example.com': ['203.0.113.4'] });
  const dns = new DnsWatcher([server.address], () => undefined);
  t.teardown(() => dns.stop());
  dns.watch(['api.example.com', 'four.example.com']);
  await dns.settled(5000);
  t.deepEqual(dns.answers.get('api.example.com'), { addresses: ['2001:db8::1', '203.0.113.1', '203.0.113.9'] });
  t.deepEqual(dns.answers.get('four.example.com'), { addresses: ['203.0.113.4'] });
});

test('a name that does not exist is an answer; one that nobody watches any more is forgotten', async (t) => {
  const server = await startDns(t, {});
  const dns = new DnsWatcher([server.address], () => undefined);
  t.teardown(() => dns.stop());
  dns.watch(['gone.example.com']);
  await dns.settled(5000);
  t.deepEqual(dns.answers.get('gone.example.com'), { error: 'ENOTFOUND' });
  dns.watch([]);
  t.is(dns.answers.size, 0);
});

test('a change is told once, and asked for again when the answer expires', async (t) => {
  const server = await startDns(t, { 'api.example.com': 'failure' });
  let changes = 0;
  const dns = new DnsWatcher([server.address], () => changes++);
  t.teardown(() => dns.stop());
  dns.watch(['api.example.com']);
  await dns.settled(10_000);
  t.deepEqual(dns.answers.get('api.example.com'), { error: 'ESERVFAIL' });
  t.is(changes, 1);
  server.names.set('api.example.com', ['203.0.113.1']);
  await eventually('the retry sees the address', () => dns.answers.get('api.example.com') !== undefined && 'addresses' in (dns.answers.get('api.example.com') ?? {}));
  t.is(changes, 2);
});

test('while the DNS fails, the last addresses stay', async (t) => {
  const server = await startDns(t, { 'api.example.com': ['203.0.113.1'] }, 0);
  const dns = new DnsWatcher([server.address], () => undefined, { shortestMs: 50 });
  t.teardown(() => dns.stop());
  dns.watch(['api.example.com']);
  await dns.settled(5000);
  server.names.set('api.example.com', 'failure');
  const before = server.asked.length;
  await eventually('it was asked again', () => server.asked.length >= before + 2);
  t.deepEqual(dns.answers.get('api.example.com'), { addresses: ['203.0.113.1'] });
  server.names.delete('api.example.com');
  await eventually('that the name is gone is believed', () => 'error' in (dns.answers.get('api.example.com') ?? {}));
});

test('while one family fails, the other is followed, and what was last known of the first stays', async (t) => {
  const server = await startDns(t, { 'api.example.com': ['203.0.113.1'], 'both.example.com': ['203.0.113.1', '2001:db8::1'] }, 0);
  const dns = new DnsWatcher([server.address], () => undefined, { shortestMs: 50 });
  t.teardown(() => dns.stop());
  server.withoutIpv6.add('api.example.com');
  dns.watch(['api.example.com', 'both.example.com']);
  await dns.settled(5000);
  t.deepEqual(dns.answers.get('api.example.com'), { addresses: ['203.0.113.1'] });
  t.deepEqual(dns.answers.get('both.example.com'), { addresses: ['2001:db8::1', '203.0.113.1'] });
  server.withoutIpv6.add('both.example.com');
  for (const name of ['api.example.com', 'both.example.com']) server.names.set(name, ['203.0.113.2']);
  const addresses = (name: string): string => JSON.stringify(dns.answers.get(name));
  await eventually('the moved address of the family that answers', () => addresses('api.example.com') === '{"addresses":["203.0.113.2"]}');
  await eventually('the same beside the other family', () => addresses('both.example.com') === '{"addresses":["2001:db8::1","203.0.113.2"]}');
});
