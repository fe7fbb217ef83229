// Header fields of responses: removed, set, added.
import test from 'ava';
import filter from '../../../proxy/filters/response-headers.ts';
import type { ResponseHeadersConfig } from '../../../proxy/filters/response-headers.ts';
import type { RawHeaders } from '../../../proxy/http/exchange.ts';
import { exchange } from './exchange.ts';

function responded(config: ResponseHeadersConfig, headers: RawHeaders, scheme: 'http' | 'https' = 'https'): RawHeaders {
  const x = exchange({ scheme });
  x.responseHeaders = headers;
  filter.create(config).onResponse?.(x);
  return x.responseHeaders;
}

test('fields are removed, then set, then added', (t) => {
  const config: ResponseHeadersConfig = { remove: ['Server'], set: [{ name: 'X-A', value: 'new' }], add: [{ name: 'Vary', value: 'Origin' }] };
  t.deepEqual(responded(config, ['server', 'x', 'x-a', '1', 'Vary', 'Accept', 'X-A', '2']), ['x-a', 'new', 'Vary', 'Accept', 'Vary', 'Origin']);
});

test('a response without fields gets them too', (t) => {
  const x = exchange();
  filter.create({ set: [{ name: 'X-A', value: '1' }] }).onResponse?.(x);
  t.deepEqual(x.responseHeaders, ['x-a', '1']);
});

test('with a scheme given, other responses are left alone', (t) => {
  const config: ResponseHeadersConfig = { scheme: 'https', set: [{ name: 'Strict-Transport-Security', value: 'max-age=31536000; includeSubDomains' }] };
  t.deepEqual(responded(config, [], 'http'), []);
  t.deepEqual(responded(config, [], 'https'), ['strict-transport-security', 'max-age=31536000; includeSubDomains']);
});

test('wrong configurations are told, and framing cannot be touched', (t) => {
  t.is(filter.check({ remove: ['Server'], set: [{ name: 'a', value: '' }], add: [], scheme: 'http' }), undefined);
  const wrongs = [
    null, { remove: 'Server' }, { remove: [1] }, { remove: ['a b'] }, { remove: ['Content-Length'] }, { set: [{ name: 'a' }] }, { set: [{ name: 'a', value: 'b\r\nc: d' }] }, { set: ['a'] },
    { add: [{ name: 'Transfer-Encoding', value: 'chunked' }] }, { scheme: 'ftp' }, { sett: [] },
  ];
  for (const wrong of wrongs) t.is(typeof filter.check(wrong), 'string', JSON.stringify(wrong));
});
