// Cookie affinity: the key formula of ingress-nginx, and cookies as clients send them back.
import { createHash } from 'node:crypto';
import test from 'ava';
import { cookieKey, cookieValue, endpointByKey, endpointKey, randomKey } from '../../../proxy/balance/affinity.ts';
import { cluster, endpoint } from './helpers.ts';

const md5 = (text: string): string => createHash('md5').update(text).digest('hex');
const U = 'shop-web-80';

test('a persistent key is the MD5 of upstream name and address, as sessions of ingress-nginx have it', (t) => {
  t.is(U, 'shop-web-80');
  t.is(endpointKey(U, { ...endpoint(1), address: '10.0.0.7', port: 8080 }), md5('shop-web-8010.0.0.7:8080'));
  t.is(endpointKey(U, { ...endpoint(1), address: 'fd00::7', port: 8080 }), md5('shop-web-80[fd00::7]:8080'));
  t.is(cookieValue(U, 'abc'), `abc|${md5(md5('shop-web-80') + 'shop-web-80')}`);
});

test('a key names its endpoint as long as that is there', (t) => {
  const list = cluster(50);
  for (const one of list) t.is(endpointByKey(U, list, endpointKey(U, one)), one);
  t.is(endpointByKey(U, list, endpointKey(U, endpoint(51))), undefined);
  t.is(endpointByKey('shop-web-http', list, endpointKey(U, endpoint(1))), undefined, 'a port by name is another upstream');
  t.is(endpointByKey(U, list.slice(1), endpointKey(U, endpoint(1))), undefined);
  t.is(endpointByKey(U, [], 'x'), undefined);
});

test('a cookie is read back plain, quoted and percent-encoded, and only by its own upstream', (t) => {
  const key = endpointKey(U, endpoint(1));
  const value = cookieValue(U, key);
  for (const sent of [value, `"${value}"`, value.replace('|', '%7C'), value.replace('|', '%7c'), `"${value.replace('|', '%7C')}"`]) t.is(cookieKey(U, sent), key, sent);
  for (const sent of ['', '|', key, `${key}|`, `${key}|x`, `|${value.split('|')[1]}`, '__proto__', cookieValue('shop-canary-80', key)]) t.is(cookieKey(U, sent), undefined, sent);
});

test('random keys differ and hold nothing that a cookie cannot', (t) => {
  const keys = new Set(Array.from({ length: 1_000 }, randomKey));
  t.is(keys.size, 1_000);
  for (const key of keys) t.regex(key, /^[0-9a-f]{32}$/);
});
