// Who the client is and what the endpoint is told: everything that is forwarded is believed from trusted peers alone.
import test from 'ava';
import type { Client, RawHeaders } from '../../../proxy/http/exchange.ts';
import { getAllFields, getField } from '../../../proxy/http/fields.ts';
import { clientOf, clientOfConnection, requestId, requestedAuthority, setForwarded } from '../../../proxy/http/forwarded.ts';
import { TrustedProxies, parseCidr } from '../../../proxy/http/trust.ts';

const NOBODY = new TrustedProxies([]);
const PRIVATE = new TrustedProxies(['10.0.0.0/8', 'fd00::/8']);

function connected(peerAddress: string, trust: TrustedProxies, encrypted = false): Client {
  return clientOfConnection({ peerAddress, peerPort: 5000, localPort: encrypted ? 8443 : 8080, encrypted }, trust);
}

function told(client: Client, headers: RawHeaders, id = 'id-1'): Map<string, string> {
  setForwarded(headers, client, { authority: 'shop.example.com:8080', headers }, id);
  const names = headers.filter((_, at) => at % 2 === 0).map((name) => name.toLowerCase());
  return new Map(names.map((name) => [name, getAllFields(headers, name).join(' | ')]));
}

test('an untrusted client is its socket address, whatever it claims', (t) => {
  const client = connected('192.0.2.7', PRIVATE);
  t.deepEqual(client, { address: '192.0.2.7', port: 5000, peerAddress: '192.0.2.7', trusted: false, scheme: 'http', localPort: 8080, tls: undefined });
  t.is(clientOf(client, ['X-Forwarded-For', '1.1.1.1', 'X-Forwarded-Proto', 'https'], PRIVATE), client);
});

test('the chain is walked from the right over trusted hops only', (t) => {
  const walk = (chain: string, trust = PRIVATE): string => clientOf(connected('10.0.0.1', trust), ['x-forwarded-for', chain], trust).address;
  t.is(walk('203.0.113.5'), '203.0.113.5');
  t.is(walk('6.6.6.6, 203.0.113.5, 10.0.0.2'), '203.0.113.5');
  t.is(walk('203.0.113.5,10.0.0.3 , 10.0.0.2'), '203.0.113.5');
  t.is(walk('10.0.0.9, 10.0.0.8'), '10.0.0.9', 'all of them trusted: the first');
  t.is(walk('203.0.113.5:4711'), '203.0.113.5');
  t.is(walk('[2001:DB8::1]:443'), '2001:db8::1');
  t.is(walk('2001:db8::1, fd00::7'), '2001:db8::1');
  t.is(walk('::ffff:203.0.113.5'), '203.0.113.5');
  t.is(walk('203.0.113.5, unknown, 10.0.0.2'), '10.0.0.2', 'what is no address ends the walk');
  t.is(walk('203.0.113.5, \u00a0203.0.113.6, 10.0.0.2'), '10.0.0.2', 'nor is what has other octets than blanks beside it');
  t.is(walk(''), '10.0.0.1');
  t.is(walk('fe80::1%eth0'), '10.0.0.1');
});

test('several X-Forwarded-For fields are one chain', (t) => {
  const headers = ['X-Forwarded-For', '203.0.113.5', 'x-forwarded-for', '10.0.0.2'];
  t.is(clientOf(connected('10.0.0.1', PRIVATE), headers, PRIVATE).address, '203.0.113.5');
});

test('a number of hops counts entries instead of asking who they are', (t) => {
  const walk = (chain: string, hops: number, cidrs: string[] = []): string => {
    const trust = new TrustedProxies(cidrs, hops);
    return clientOf(connected('192.0.2.1', trust), ['x-forwarded-for', chain], trust).address;
  };
  t.is(walk('1.1.1.1, 2.2.2.2, 3.3.3.3', 1), '3.3.3.3');
  t.is(walk('1.1.1.1, 2.2.2.2, 3.3.3.3', 2), '2.2.2.2');
  t.is(walk('3.3.3.3', 2), '192.0.2.1', 'it did not come through both');
  t.is(walk('1.1.1.1, unknown', 1), '192.0.2.1');
  t.is(walk('1.1.1.1, unknown, 3.3.3.3', 2), '192.0.2.1');
  t.is(walk('3.3.3.3', 0), '192.0.2.1', 'no hops, no trust');
  t.is(walk('3.3.3.3', 1, ['10.0.0.0/8']), '192.0.2.1', 'with addresses given, the peer must be one of them');
});

test('of a request that did not come through all counted proxies nothing is believed', (t) => {
  const trust = new TrustedProxies([], 2);
  for (const [chain, believed] of [['6.6.6.6', false], ['', false], ['3.3.3.3, 4.4.4.4', true]] as const) {
    const headers = ['X-Forwarded-For', chain, 'X-Forwarded-Proto', 'https', 'X-Forwarded-Port', '8443', 'X-Forwarded-Host', 'evil', 'X-Request-ID', 'mine', 'X-Forwarded-User', 'admin'];
    const connection = connected('192.0.2.1', trust);
    const client = clientOf(connection, headers, trust);
    t.is(client.trusted, believed);
    const id = requestId(headers, client);
    t.is(id === 'mine', believed);
    const seen = told(client, headers, id);
    t.is(seen.get('x-forwarded-proto'), believed ? 'https' : 'http');
    t.is(seen.get('x-forwarded-port'), believed ? '8443' : '8080');
    t.is(seen.get('x-forwarded-host'), believed ? 'evil' : 'shop.example.com:8080');
    t.is(seen.get('x-real-ip'), believed ? '3.3.3.3' : '192.0.2.1');
    t.is(seen.has('x-forwarded-user'), believed);
    t.is(requestedAuthority(client, { authority: 'a.example', headers: ['X-Forwarded-Host', 'evil'] }), believed ? 'evil' : 'a.example');
  }
});

test('scheme and port of a trusted peer are believed if they make sense', (t) => {
  const seen = (headers: RawHeaders): readonly [string, number] => {
    const client = clientOf(connected('10.0.0.1', PRIVATE), headers, PRIVATE);
    return [client.scheme, client.localPort];
  };
  t.deepEqual(seen(['X-Forwarded-Proto', 'HTTPS']), ['https', 443]);
  t.deepEqual(seen(['X-Forwarded-Proto', 'https, http', 'X-Forwarded-Port', '8443']), ['https', 8443]);
  t.deepEqual(seen(['X-Forwarded-Proto', 'wss']), ['https', 443]);
  t.deepEqual(seen(['X-Forwarded-Proto', 'gopher', 'X-Forwarded-Port', '70000']), ['http', 8080]);
  t.deepEqual(seen(['X-Forwarded-Port', '0']), ['http', 8080]);
});

test('where proxies append, scheme, port and host are those that the same proxy wrote as the address, and not what the client claimed before it', (t) => {
  const seen = (chain: string, list: readonly [proto: string, port: string, host: string], trust = PRIVATE): string => {
    const [proto, port, host] = list;
    const headers = ['X-Forwarded-For', chain, 'X-Forwarded-Proto', proto, 'X-Forwarded-Port', port, 'X-Forwarded-Host', host];
    const client = clientOf(connected('10.0.0.1', trust), headers, trust);
    return `${client.address} ${client.scheme} ${client.localPort} ${requestedAuthority(client, { authority: 'own', headers })}`;
  };
  t.is(seen('203.0.113.5', ['https, http', '443, 80', 'evil, shop']), '203.0.113.5 http 80 shop', 'the client had put something there');
  t.is(seen('203.0.113.5, 10.0.0.2', ['https, http', '443, 80', 'shop, inner']), '203.0.113.5 https 443 shop', 'two proxies, one item each');
  t.is(seen('6.6.6.6, 203.0.113.5, 10.0.0.2', ['http, https, http', '1, 443, 80', 'evil, shop, inner']), '203.0.113.5 https 443 shop');
  t.is(seen('203.0.113.5, 10.0.0.2', ['https', '443', 'shop']), '203.0.113.5 https 443 shop', 'one of them only passes on');
  t.is(seen('203.0.113.5, 10.0.0.3, 10.0.0.2', ['https, http', '443, 80', 'shop, inner']), '203.0.113.5 https 443 shop', 'and some append');
  t.is(seen('203.0.113.5, 203.0.113.6', ['https, http', '443, 80', 'shop, inner']), '203.0.113.6 http 80 inner', 'the one before is nobody\'s friend, in this as in the address');
  const counted = new TrustedProxies([], 2);
  t.is(seen('6.6.6.6, 203.0.113.5, 203.0.113.6', ['http, https, http', '1, 443, 80', 'evil, shop, inner'], counted), '203.0.113.5 https 443 shop', 'by count as well');
});

test('several fields of one name are one list', (t) => {
  const headers = ['X-Forwarded-Proto', 'https', 'X-Forwarded-For', '203.0.113.5', 'x-forwarded-proto', 'http'];
  t.is(clientOf(connected('10.0.0.1', PRIVATE), headers, PRIVATE).scheme, 'http');
});

test('behind a PROXY header the peer is who it names', (t) => {
  const facts = { peerAddress: '10.0.0.1', peerPort: 1, localPort: 8080, encrypted: false };
  const client = clientOfConnection({ ...facts, proxied: { address: '::ffff:203.0.113.9', port: 999, localPort: 443 } }, PRIVATE);
  t.deepEqual(client, { address: '203.0.113.9', port: 999, peerAddress: '203.0.113.9', trusted: false, scheme: 'https', localPort: 443, tls: undefined });
  t.is(clientOf(client, ['x-forwarded-for', '1.1.1.1'], PRIVATE).address, '203.0.113.9', 'the balancer did not write this field');
});

test('an untrusted client cannot say anything about itself', (t) => {
  const headers = [
    'X-Forwarded-For', '6.6.6.6', 'x-forwarded-for', '7.7.7.7', 'X-Forwarded-Host', 'evil', 'X-Forwarded-Proto', 'https', 'X-Forwarded-Port', '443', 'X-Real-IP', '6.6.6.6', 'X-Scheme', 'https',
    'Forwarded', 'for=6.6.6.6', 'X-Forwarded-User', 'admin', 'ssl-client-verify', 'SUCCESS', 'X_Forwarded_Host', 'evil', 'SSL_Client_Verify', 'SUCCESS', 'Accept', 'a', 'X-Other', 'b', 'From', 'c', 'Set', 'd',
  ];
  const client = connected('192.0.2.7', PRIVATE, true);
  const seen = told(client, headers);
  t.deepEqual([...seen].sort(), Object.entries({
    accept: 'a', 'x-other': 'b', from: 'c', set: 'd', 'x-request-id': 'id-1', 'x-real-ip': '192.0.2.7', 'x-forwarded-for': '192.0.2.7', 'x-forwarded-host': 'shop.example.com:8080', 'x-forwarded-port': '443',
    'x-forwarded-proto': 'https', 'x-forwarded-scheme': 'https', 'x-scheme': 'https', 'x-original-forwarded-for': '6.6.6.6, 7.7.7.7', 'x-original-forwarded-host': 'evil',
  }).sort());
});

test('a trusted peer is added to the chain, and what else it says is kept', (t) => {
  const headers = ['X-Forwarded-For', '203.0.113.5, 10.0.0.2', 'X-Forwarded-Host', 'www.example.com, inner', 'X-Forwarded-User', 'ann', 'Forwarded', 'for=203.0.113.5', 'X-Forwarded-Proto', 'https'];
  const client = clientOf(connected('10.0.0.1', PRIVATE), headers, PRIVATE);
  const seen = told(client, headers);
  t.is(seen.get('x-forwarded-for'), '203.0.113.5, 10.0.0.2, 10.0.0.1');
  t.is(seen.get('x-real-ip'), '203.0.113.5');
  t.is(seen.get('x-forwarded-host'), 'www.example.com');
  t.is(seen.get('x-forwarded-port'), '443');
  t.is(seen.get('x-forwarded-proto'), 'https');
  t.is(seen.get('x-forwarded-user'), 'ann');
  t.is(seen.get('forwarded'), 'for=203.0.113.5');
});

test('what a client certificate would say is taken from nobody, and what TLS told stays', (t) => {
  const tls = { serverName: 'a.example.com', policy: 'sha256/1', verify: 'NONE', certificate: undefined };
  const connection = clientOfConnection({ peerAddress: '10.0.0.1', peerPort: 1, localPort: 8443, encrypted: true, tls }, PRIVATE);
  const headers = ['ssl-client-verify', 'SUCCESS', 'SSL-Client-Subject-DN', 'CN=admin', 'ssl_client_cert', 'x', 'X-Forwarded-For', '203.0.113.5', 'X-Forwarded-Proto', 'http'];
  const client = clientOf(connection, headers, PRIVATE);
  t.is(client.tls, tls);
  t.true(client.trusted);
  t.deepEqual([...told(client, headers).keys()].filter((name) => name.startsWith('ssl')), []);
});

test('a malformed X-Forwarded-Host of a trusted peer is passed over', (t) => {
  const client = connected('10.0.0.1', PRIVATE);
  t.is(requestedAuthority(client, { authority: 'a', headers: ['x-forwarded-host', 'b/c'] }), 'a');
  t.is(requestedAuthority(client, { authority: 'a', headers: ['x-forwarded-host', 'b:1, c'] }), 'b:1');
});

test('a request without host has no X-Forwarded-Host', (t) => {
  const headers: RawHeaders = [];
  setForwarded(headers, connected('192.0.2.7', NOBODY), { authority: '', headers }, 'x');
  t.is(getField(headers, 'x-forwarded-host'), undefined);
});

test('a request id of a trusted peer is kept if it is short and visible; anybody else gets a new one', (t) => {
  const stranger = { trusted: false };
  const friend = { trusted: true };
  const made = /^[0-9a-f]{32}$/;
  t.regex(requestId(['X-Request-ID', 'abc-123'], stranger), made);
  t.is(requestId(['X-Request-ID', 'abc-123'], friend), 'abc-123');
  t.is(requestId(['X-Request-ID', 'a'.repeat(128)], friend), 'a'.repeat(128));
  for (const sent of ['a'.repeat(129), '', 'a b', 'a\u00e9']) t.regex(requestId(['X-Request-ID', sent], friend), made, JSON.stringify(sent));
  t.regex(requestId(['X-Request-ID', 'a', 'x-request-id', 'b'], friend), made, 'two fields');
  t.not(requestId([], friend), requestId([], friend));
});

test('a CIDR is an address with or without a prefix length, and what is none trusts nobody', (t) => {
  t.deepEqual(parseCidr('10.0.0.0/8'), { address: '10.0.0.0', prefix: 8, family: 'ipv4' });
  t.deepEqual(parseCidr('::1'), { address: '::1', prefix: 128, family: 'ipv6' });
  t.deepEqual(parseCidr('0.0.0.0/0')?.prefix, 0);
  for (const bad of ['', '10.0.0.0/33', '::/129', '10.0.0.0/', '10.0.0/8', 'a', '10.0.0.0/8/8', '10.0.0.0/-1', 'fe80::1%eth0']) t.is(parseCidr(bad), undefined, bad);
  t.false(new TrustedProxies(['garbage']).believes('10.0.0.1'));
  t.true(PRIVATE.includes('::ffff:10.1.2.3'));
  t.false(PRIVATE.includes('11.0.0.1'));
  t.true(new TrustedProxies(['0.0.0.0/0', '::/0']).includes('2001:db8::1'));
});
