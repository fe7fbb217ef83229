// host[:port] as RFC 9110 §7.2 has it, and everything that two parsers could read differently.
import test from 'ava';
import { parseAuthority } from '../../../proxy/http/authority.ts';

const ACCEPTED: readonly (readonly [string, string, number | undefined])[] = [
  ['shop.example.com', 'shop.example.com', undefined],
  ['Shop.EXAMPLE.com', 'shop.example.com', undefined],
  ['shop.example.com.', 'shop.example.com', undefined],
  ['shop.example.com.:8080', 'shop.example.com', 8080],
  ['a', 'a', undefined],
  ['a:0', 'a', 0],
  ['a:65535', 'a', 65_535],
  ['a:', 'a', undefined],
  ['my_app.local', 'my_app.local', undefined],
  ['10.0.0.1:80', '10.0.0.1', 80],
  ['[::1]', '[::1]', undefined],
  ['[2001:DB8::1]:443', '[2001:db8::1]', 443],
  ['[::ffff:10.0.0.1]', '[::ffff:10.0.0.1]', undefined],
  ['__proto__', '__proto__', undefined],
];

for (const [text, hostname, port] of ACCEPTED) {
  test(`${text} is host ${hostname} and port ${String(port)}`, (t) => t.deepEqual(parseAuthority(text), { hostname, port }));
}

const REFUSED = [
  '', '.', '..', 'a..b', '.a', 'a..', 'a, b', 'a/b', 'a b', ' a', 'a ', 'u@a', 'u:p@a', 'a:80x', 'a:-1', 'a:65536', 'a:999999', 'a:80:80', ':80', '[::1', '::1', '[::1]x', '[::1]80',
  '[fe80::1%25eth0]', '[fe80::1%eth0]', '[a]', '[]', 'a%2eb', 'a?b', 'a#b', 'a\\b', 'caf\u00e9', 'a\u0000', 'a\r\nb', '*', '*.example.com', `${'a'.repeat(64)}.`.repeat(4),
];

for (const text of REFUSED) test(`${JSON.stringify(text)} is refused`, (t) => t.is(parseAuthority(text), undefined));
