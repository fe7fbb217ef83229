// Header lists: order, case and repeats are kept, and what concerns one connection stays on it.
import test from 'ava';
import type { RawHeaders } from '../../../proxy/http/exchange.ts';
import { getAllFields, getField, getJoinedField, hasField, hasToken, listTokens, removeField, requestFields, responseFields, sameName, setField } from '../../../proxy/http/fields.ts';
import { isFieldValue, isToken } from '../../../proxy/http/syntax.ts';

const LIST = (): RawHeaders => ['Accept', 'a', 'X-One', '1', 'accept', 'b', 'x-two', '2', 'ACCEPT', 'c'];

test('names are compared without case, and only letters have case', (t) => {
  t.true(sameName('X-Forwarded-For', 'x-forwarded-for'));
  t.false(sameName('x-forwarded-fo', 'x-forwarded-for'));
  t.false(sameName('x-forwarded_for', 'x-forwarded-for'));
  t.false(sameName('@', '`'));
  t.false(sameName('X\r', 'x-'));
  t.false(sameName('\u212a', 'k'), 'the Kelvin sign is no k');
});

test('fields are found by name, first, all, or as one list', (t) => {
  t.is(getField(LIST(), 'accept'), 'a');
  t.deepEqual(getAllFields(LIST(), 'accept'), ['a', 'b', 'c']);
  t.is(getJoinedField(LIST(), 'accept'), 'a, b, c');
  t.is(getJoinedField(LIST(), 'x-one'), '1');
  t.is(getJoinedField(LIST(), 'x'), undefined);
  t.true(hasField(['x-empty', ''], 'x-empty'));
  t.is(getField(LIST(), '1'), undefined, 'a value is no name');
  t.is(getField(LIST(), '__proto__'), undefined);
});

test('removing takes every field of the name and keeps the order of the rest', (t) => {
  const list = LIST();
  t.true(removeField(list, 'accept'));
  t.deepEqual(list, ['X-One', '1', 'x-two', '2']);
  t.false(removeField(list, 'accept'));
});

test('setting leaves one field, where the first one stood', (t) => {
  const list = LIST();
  setField(list, 'accept', 'z');
  t.deepEqual(list, ['Accept', 'z', 'X-One', '1', 'x-two', '2']);
  setField(list, 'new', 'n');
  t.deepEqual(list.slice(-2), ['new', 'n']);
});

test('a list of tokens has no blanks, no empty elements and no upper case', (t) => {
  t.deepEqual(listTokens(' Close ,, keep-alive,\tX-Y,a b,"q"'), ['close', 'keep-alive', 'x-y']);
  t.deepEqual(listTokens('\u00a0close, keep-alive\u00a0'), [], 'an octet that is no blank in HTTP');
  t.true(hasToken(['Connection', 'keep-alive', 'connection', 'foo, Upgrade'], 'connection', 'upgrade'));
  t.false(hasToken(['Connection', 'upgraded'], 'connection', 'upgrade'));
});

test('hop-by-hop fields, Host, Proxy, and names with underscores do not go on with a request', (t) => {
  const sent: RawHeaders = [
    'Host', 'a', 'Connection', 'keep-alive', 'Keep-Alive', 'timeout=5', 'Proxy-Connection', 'x', 'TE', 'trailers', 'Transfer-Encoding', 'chunked', 'Upgrade', 'h2c',
    'HTTP2-Settings', 'AAA', 'Proxy', 'http://evil', 'X_Forwarded_For', '1.2.3.4', 'Trailer', 'x-sum', 'Accept', '*/*', 'Proxy-Authorization', 'kept',
  ];
  t.deepEqual(requestFields(sent), ['Trailer', 'x-sum', 'Accept', '*/*', 'Proxy-Authorization', 'kept']);
  t.deepEqual(requestFields(['a_b', '1', 'c', '2'], true), ['a_b', '1', 'c', '2']);
  t.is(sent.length, 26, 'the list of the client is not changed');
});

test('what Connection nominates goes with it, except what endpoints rely on', (t) => {
  const protectedNames = ['Content-Length', 'Authorization', 'Cookie', 'X-Forwarded-For', 'X-Forwarded-Proto', 'Forwarded', 'X-Real-IP', 'X-Request-ID', 'ssl-client-verify'];
  const sent = ['Connection', `close, X-Drop, ${protectedNames.join(', ')}`, 'x-drop', '1', ...protectedNames.flatMap((name) => [name, 'v'])];
  t.deepEqual(requestFields(sent), protectedNames.flatMap((name) => [name, 'v']));
  t.deepEqual(requestFields(['A', '1', 'B', '2', 'connection', 'a', 'Connection', 'b']), []);
});

test('a response loses its hop-by-hop and nominated fields and keeps every cookie', (t) => {
  const sent = ['Set-Cookie', 'a=1', 'Connection', 'X-Hop', 'x-hop', '1', 'Set-Cookie', 'b=2', 'Transfer-Encoding', 'chunked', 'x_y', 'kept'];
  t.deepEqual(responseFields(sent), ['Set-Cookie', 'a=1', 'Set-Cookie', 'b=2', 'x_y', 'kept']);
});

test('a token has no blanks or separators, and a field value no control characters', (t) => {
  t.true(isToken('X-Abc_1!'));
  for (const text of ['', 'a b', 'a:b', 'a\r', '\u00e9', 'a"']) t.false(isToken(text), JSON.stringify(text));
  for (const text of ['', 'a b\tc', '\u00ff']) t.true(isFieldValue(text), JSON.stringify(text));
  for (const text of ['a\rb', 'a\nb', '\u0000', '\u007f', '\u0141']) t.false(isFieldValue(text), JSON.stringify(text));
});
