import test from 'ava';
import { parseAddress } from '../../../controller/model/address.ts';

const RANGES: readonly (readonly [string, string, string])[] = [
  ['10.1.2.3', '10.1.2.3', 'public'],
  ['192.0.2.255', '192.0.2.255', 'public'],
  ['127.0.0.1', '127.0.0.1', 'loopback'],
  ['127.255.255.254', '127.255.255.254', 'loopback'],
  ['169.254.169.254', '169.254.169.254', 'link-local'],
  ['169.253.0.1', '169.253.0.1', 'public'],
  ['0.0.0.0', '0.0.0.0', 'unspecified'],
  ['0.1.2.3', '0.1.2.3', 'unspecified'],
  ['224.0.0.1', '224.0.0.1', 'multicast'],
  ['255.255.255.255', '255.255.255.255', 'multicast'],
  ['2001:DB8:0:0::1', '2001:db8::1', 'public'],
  ['fd00::1', 'fd00::1', 'public'],
  ['::1', '::1', 'loopback'],
  ['0:0:0:0:0:0:0:1', '::1', 'loopback'],
  ['::', '::', 'unspecified'],
  ['fe80::1', 'fe80::1', 'link-local'],
  ['febf::1', 'febf::1', 'link-local'],
  ['fec0::1', 'fec0::1', 'public'],
  ['fd00:ec2::254', 'fd00:ec2::254', 'link-local'],
  ['fd00:0EC2:0::23', 'fd00:ec2::23', 'link-local'],
  ['fd20:ce::254', 'fd20:ce::254', 'link-local'],
  ['fd00:c1::a9fe:a9fe', 'fd00:c1::a9fe:a9fe', 'link-local'],
  ['fd00:a9fe:a9fe::1', 'fd00:a9fe:a9fe::1', 'link-local'],
  ['fd00:42::42', 'fd00:42::42', 'link-local'],
  ['fd00:42::43', 'fd00:42::43', 'public'],
  ['fd00:ec2:0:1::254', 'fd00:ec2:0:1::254', 'public'],
  ['ff02::1', 'ff02::1', 'multicast'],
  ['::ffff:127.0.0.1', '127.0.0.1', 'loopback'],
  ['::ffff:7f00:1', '127.0.0.1', 'loopback'],
  ['::FFFF:169.254.169.254', '169.254.169.254', 'link-local'],
  ['::ffff:10.0.0.1', '10.0.0.1', 'public'],
  ['::127.0.0.1', '::7f00:1', 'unspecified'],
  ['64:ff9b::7f00:1', '64:ff9b::7f00:1', 'loopback'],
  ['64:ff9b::8.8.8.8', '64:ff9b::808:808', 'public'],
];

for (const [text, canonical, range] of RANGES) {
  test(`${text} is ${canonical}, a ${range} address`, (t) => {
    const address = parseAddress(text);
    t.is(address?.text, canonical);
    t.is(address?.range as string, range);
    t.is(address?.family, canonical.includes(':') ? 6 : 4);
  });
}

for (const text of ['', 'localhost', '1.2.3', '010.0.0.1', '1.2.3.4.5', '256.1.1.1', '1.2.3.4/8', 'fe80::1%eth0', '[::1]', ':::1', '1.2.3.4 ']) {
  test(`"${text}" is no address`, (t) => {
    t.is(parseAddress(text), undefined);
  });
}
