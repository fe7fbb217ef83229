// Values of flags: what is understood, and what is refused with a word on what is allowed.
import { InvalidArgumentError } from 'commander';
import test from 'ava';
import * as values from '../../controller/cli/values.ts';
import { frozen } from '../../controller/settings.ts';

const refused = (read: (text: string) => unknown, text: string): boolean => {
  try {
    read(text);
    return false;
  } catch (error) {
    return error instanceof InvalidArgumentError && error.message.startsWith('Allowed: ');
  }
};

const GOOD: readonly (readonly [(text: string) => unknown, string, unknown])[] = [
  [values.readPort, '0', 0],
  [values.readPort, '65535', 65535],
  [values.readWorkers, '3', 3],
  [values.readDuration, '0', 0],
  [values.readDuration, '250ms', 250],
  [values.readDuration, '1.5s', 1500],
  [values.readDuration, '30', 30_000],
  [values.readDuration, '2m', 120_000],
  [values.readDuration, '1h', 3_600_000],
  [values.readSize, '0', 0],
  [values.readSize, '100', 100],
  [values.readSize, '16k', 16_384],
  [values.readSize, '1M', 1_048_576],
  [values.readSize, '1g', 1_073_741_824],
  [values.readMemory, '0', 0],
  [values.readMemory, '64m', 67_108_864],
  [values.readAddress, '::', '::'],
  [values.readAddress, '127.0.0.1', '127.0.0.1'],
  [values.readCidr, '10.0.0.0/8', '10.0.0.0/8'],
  [values.readCidr, '10.0.0.1', '10.0.0.1/32'],
  [values.readCidr, 'fd00::1', 'fd00::1/128'],
  [values.readDnsServer, '10.96.0.10', '10.96.0.10'],
  [values.readDnsServer, '127.0.0.1:5353', '127.0.0.1:5353'],
  [values.readDnsServer, '[::1]:53', '[::1]:53'],
  [values.readDnsServer, 'fd00::53', 'fd00::53'],
  [values.readObjectName, 'shop/web', 'shop/web'],
  [values.readObjectName, 'shop/tls.example', 'shop/tls.example'],
  [values.readName, 'fairlead.dev/ingress-controller', 'fairlead.dev/ingress-controller'],
  [values.readBoolean, 'false', false],
  [values.readMethod, 'PATCH', 'PATCH'],
  [values.readUrl, 'HTTPS://Shop.example.com/a b', 'HTTPS://Shop.example.com/a b'],
  [values.readUrl, 'shop.example.com:8080/cart', 'shop.example.com:8080/cart'],
];
for (const [read, text, wanted] of GOOD) {
  test(`${read.name} understands ${text}`, (t) => t.is(read(text), wanted));
}

const BAD: readonly (readonly [(text: string) => unknown, readonly string[]])[] = [
  [values.readPort, ['', '-1', '65536', '80a', '8e1', ' 80', '0x50', '1.5', '__proto__']],
  [values.readWorkers, ['0', '257', 'many', '1.5', '']],
  [values.readDuration, ['', '5 s', '-1s', '1d', 'Infinity', '1e3', '25000h']],
  [values.readTimeout, ['0', '0ms', 'x']],
  [values.readSize, ['', '-1', '1t', '1.5m', '9999999999999']],
  [values.readHeadSize, ['0', '100', '2m']],
  [values.readMemory, ['1', '512', '63m', '512Mi', '']],
  [values.readHops, ['-1', '100', '1.5', '']],
  [values.readCount, ['0', '-1', '1.5', '']],
  [values.readAddress, ['localhost', '1.2.3', '1.2.3.4/8', '']],
  [values.readCidr, ['10.0.0.0/33', '10.0.0.0/', 'fd00::/129', '10.0.0.0/8/8', 'example.com', '']],
  [values.readDnsServer, ['dns.example.com', '1.2.3.4:', '1.2.3.4:99999', '[1.2.3.4', '']],
  [values.readObjectName, ['web', 'a/b/c', 'Shop/web', 'shop/', '/web', '../x/y', 'shop/we b', `${'a'.repeat(64)}/b`]],
  [values.readName, ['', 'a b', '-a', 'a\n']],
  [values.readBoolean, ['yes', 'TRUE', '']],
  [values.readUrl, ['ftp://a/', 'wss://a/', 'FILE:///a']],
  [values.readMethod, ['', 'GET /', 'a b', 'A\r\n']],
];
for (const [read, texts] of BAD) {
  test(`${read.name} refuses ${texts.map((text) => JSON.stringify(text)).join(' ')}`, (t) => {
    t.deepEqual(texts.filter((text) => !refused(read, text)), []);
  });
}

test('a list may be repeated and may hold commas', (t) => {
  const read = values.listOf(values.readCidr);
  t.deepEqual(read('fd00::/8', read('10.0.0.0/8, 127.0.0.1', undefined)), ['10.0.0.0/8', '127.0.0.1/32', 'fd00::/8']);
});

test('header fields keep their order and repeats, and cannot hold a line break', (t) => {
  t.deepEqual(values.readHeader('X-A:  2 ', values.readHeader('X-A: 1', undefined)), ['X-A', '1', 'X-A', '2']);
  for (const text of ['x', ': 1', 'a b: 1', 'x: a\r\ny: b', 'x: \0']) t.true(refused((value) => values.readHeader(value, undefined), text), JSON.stringify(text));
});

test('settings cannot be changed, nor anything inside them', (t) => {
  const settings = frozen({ list: ['a'], inner: { value: 1 } });
  t.throws(() => settings.list.push('b'), { instanceOf: TypeError });
  t.throws(() => (settings.inner.value = 2), { instanceOf: TypeError });
});
