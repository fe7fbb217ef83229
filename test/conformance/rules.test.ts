// The rules that proxies break most often (RFC 9110, RFC 9112), row by row: what the client is answered, what the endpoint
// gets, and for every row the same check: the forwarded bytes, read by a strict parser, hold as many requests as were served.
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { field } from '../support/strict-http1.ts';
import type { ParsedMessage } from '../support/strict-http1.ts';
import { startStage } from './support/stage.ts';
import type { Stage } from './support/stage.ts';
import { streamOf } from './support/stream.ts';

let stage: Stage;
test.before(async () => {
  stage = await startStage();
});
test.after.always(() => stage.close());

let lanes = 0;

/** Sends bytes as a client of its own, with a plain request behind them that is answered only where the connection goes on. */
async function say(t: ExecutionContext, bytes: string, statuses: readonly number[], goesOn: boolean): Promise<{ answers: readonly ParsedMessage[]; forwarded: readonly ParsedMessage[] }> {
  const lane = lanes++;
  const target = `/behind/${lane}`;
  const { statuses: seen, answers, forwarded, wrong } = await stage.perform(lane, streamOf(`${bytes}GET ${target} HTTP/1.1\r\nHost: behind.test\r\n\r\n`), `GET ${target} HTTP/1.1`);
  t.deepEqual(wrong, []);
  t.deepEqual(seen, goesOn ? [...statuses, 200] : statuses);
  if (!goesOn) t.is(answers.at(-1) && field(answers.at(-1) as ParsedMessage, 'connection'), 'close');
  await stage.honest();
  return { answers, forwarded };
}

/** Refused with this status, the connection closed, and nothing forwarded. */
async function refuses(t: ExecutionContext, status: number, ...payloads: readonly string[]): Promise<void> {
  for (const bytes of payloads) {
    const { forwarded } = await say(t, bytes, [status], false);
    t.deepEqual(forwarded, []);
  }
}

/** Served by the endpoint; gives what it got. */
async function serves(t: ExecutionContext, bytes: string): Promise<ParsedMessage> {
  const { forwarded } = await say(t, bytes, [200], true);
  return forwarded[0] as ParsedMessage;
}

const line = (text: string): string => `${text}\r\nHost: a\r\n\r\n`;
const get = (fields: string): string => `GET /x HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;
const post = (fields: string, body: string): string => `POST /x HTTP/1.1\r\nHost: a\r\n${fields}\r\n${body}`;
const LAST = '0\r\n\r\n';
const names = (request: ParsedMessage): string[] => request.fields.map(([name]) => name);

test('Content-Length and Transfer-Encoding together: 400, closed', (t) =>
  refuses(t, 400, post('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', LAST), post('Transfer-Encoding: chunked\r\nContent-Length: 5\r\n', LAST)));

test('a Transfer-Encoding that is not exactly chunked: 501', (t) =>
  refuses(t, 501, ...[',chunked', 'gzip, chunked', 'chunked, chunked', 'chunked, identity', 'identity', 'xchunked', '"chunked"'].map((value) => post(`Transfer-Encoding: ${value}\r\n`, LAST))));

test('a Transfer-Encoding in HTTP/1.0: 400, closed', (t) => refuses(t, 400, `POST /x HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${LAST}`, `POST /x HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n${LAST}`));

test('Content-Length twice or as a list, also of the same value: 400', (t) =>
  refuses(t, 400, post('Content-Length: 1\r\nContent-Length: 1\r\n', 'a'), post('Content-Length: 1, 1\r\n', 'a'), post('Content-Length: 1\r\nContent-Length: 2\r\n', 'ab')));

test('Content-Length 010 is ten, and goes on as 10', async (t) => {
  const request = await serves(t, post('Content-Length: 010\r\n', '0123456789'));
  t.is(field(request, 'content-length'), '10');
  t.is(request.body.toString(), '0123456789');
});

test('bare LF, in the head and in chunks: 400', (t) =>
  refuses(t, 400, 'GET /x HTTP/1.1\nHost: a\n\n', 'GET /x HTTP/1.1\r\nHost: a\nX: 1\r\n\r\n', post('Transfer-Encoding: chunked\r\n', '1\na\n0\n\n'), post('Transfer-Encoding: chunked\r\n', '1\r\na\n0\r\n\r\n'), post('Transfer-Encoding: chunked\r\n', '1;x\na\r\n0\r\n\r\n')));

test('a line without version, ended by LF or CR LF (HTTP/0.9): 400', (t) => refuses(t, 400, 'GET /x\n', 'GET /x\r\n\r\n', 'GET /x \r\n\r\n', 'GET /x\r\nHost: a\r\n\r\n'));

test('a folded field line: 400', (t) => refuses(t, 400, get('X: a\r\n b\r\n'), get('X: a\r\n\tb\r\n'), get('X: a\r\n \r\n')));

test('NUL or CR in a value: 400', (t) => refuses(t, 400, get('X: a\0b\r\n'), get('X: a\rb\r\n'), get('X: \0\r\n')));

test('two Host fields: 400', (t) => refuses(t, 400, get('Host: a\r\n'), get('Host: b\r\n')));

test('a Host that is a list, has a path or a blank: 400', (t) => refuses(t, 400, ...['a, b', 'a/b', 'a b'].map((host) => `GET /x HTTP/1.1\r\nHost: ${host}\r\n\r\n`)));

test('a Host with userinfo or a port that is no number: 400', (t) => refuses(t, 400, ...['u@a', 'u:p@a', 'a:80x', 'a:-1', 'a:'.padEnd(10, '9')].map((host) => `GET /x HTTP/1.1\r\nHost: ${host}\r\n\r\n`)));

test('an absolute-form target decides about the host and goes on in origin-form; the Host beside it is dropped, if it is well-formed', async (t) => {
  const request = await serves(t, line('GET http://b.test:81/y?z HTTP/1.1'));
  t.is(request.startLine, 'GET /y?z HTTP/1.1');
  t.is(field(request, 'host'), 'b.test:81');
  await refuses(t, 400, 'GET http://b.test/ HTTP/1.1\r\nHost: a/b\r\n\r\n', 'GET http://b.test/ HTTP/1.1\r\n\r\n', line('GET http://u@b.test/ HTTP/1.1'));
});

test('OPTIONS * is answered here, GET * is 400', async (t) => {
  const { answers, forwarded } = await say(t, line('OPTIONS * HTTP/1.1'), [200], true);
  t.regex(field(answers[0] as ParsedMessage, 'allow') ?? '', /GET, HEAD, POST/);
  t.is(forwarded.length, 1, 'only the request behind it');
  await refuses(t, 400, line('GET * HTTP/1.1'), line('OPTIONS ** HTTP/1.1'));
});

test('CONNECT: 405, and no tunnel', (t) => refuses(t, 405, 'CONNECT b.test:80 HTTP/1.1\r\nHost: b.test:80\r\n\r\n', line('CONNECT /x HTTP/1.1')));

test('TRACE: 405', (t) => refuses(t, 405, line('TRACE /x HTTP/1.1')));

test('fields that Connection nominates are dropped, but not those that no client may take away', async (t) => {
  const request = await serves(t, get('Connection: X-Drop, Host, X-Forwarded-For, X-Real-IP, Content-Length, Cookie, Authorization\r\nX-Drop: 1\r\nX-Forwarded-For: 6.6.6.6\r\nCookie: a=b\r\nAuthorization: Basic x\r\n'));
  t.false(names(request).includes('x-drop'));
  t.false(names(request).includes('connection'));
  t.is(field(request, 'host'), 'a');
  t.is(field(request, 'cookie'), 'a=b');
  t.is(field(request, 'authorization'), 'Basic x');
  t.regex(field(request, 'x-forwarded-for') ?? '', /^127\.77\.\d+\.\d+$/);
  t.is(field(request, 'x-real-ip'), field(request, 'x-forwarded-for'));
});

test('a name with an underscore is dropped', async (t) => {
  const request = await serves(t, get('X_Own: 1\r\nX_Forwarded_For: 6.6.6.6\r\nX-Own: 2\r\n'));
  t.deepEqual(names(request).filter((name) => name.includes('_')), []);
  t.is(field(request, 'x-own'), '2');
});

test('Upgrade: h2c goes no further, nor do its Connection and HTTP2-Settings', async (t) => {
  const request = await serves(t, get('Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n'));
  t.deepEqual(names(request).filter((name) => ['connection', 'upgrade', 'http2-settings'].includes(name)), []);
});

test('Proxy (httpoxy) is dropped', async (t) => t.false(names(await serves(t, get('Proxy: http://evil.test\r\n'))).includes('proxy')));

test('HTTP/2.0 on an HTTP/1.1 connection: 505, and so is every version but 1.0 and 1.1', (t) => refuses(t, 505, ...['2.0', '1.2', '0.9', '3.0', '9.9'].map((version) => line(`GET /x HTTP/${version}`))));

test('paths are canonical: %00, a way above the root and a backslash are 400, dot segments are resolved, slashes are one', async (t) => {
  await refuses(t, 400, ...['/a%00', '/../a', '/a/../../b', '/a\\b', '/a/..%2f..', '/a%0d%0ab', '/%c0%ae/a', '/a%zz'].map((path) => line(`GET ${path} HTTP/1.1`)));
  t.is((await serves(t, line('GET /a/../b/./c?d=/../e HTTP/1.1'))).startLine, 'GET /b/c?d=/../e HTTP/1.1');
  t.is((await serves(t, line('GET //a//b HTTP/1.1'))).startLine, 'GET //a//b HTTP/1.1');
});

test('# in the target: 400', (t) => refuses(t, 400, line('GET /a#b HTTP/1.1'), line('GET /a?b#c HTTP/1.1'), line('GET http://b.test/#c HTTP/1.1')));

test('an unknown method goes on as it is; any token is one', async (t) => {
  t.is((await serves(t, line('FOO /x HTTP/1.1'))).startLine, 'FOO /x HTTP/1.1');
  await refuses(t, 400, line('F(O /x HTTP/1.1'), line('F\x80O /x HTTP/1.1'));
});

test('trailers of a request are dropped, and those that speak of framing or routing refuse it', async (t) => {
  const request = await serves(t, post('Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n', '3\r\nabc\r\n0\r\nX-Sum: 1\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n'));
  t.deepEqual(request.trailers, []);
  t.is(request.body.toString(), 'abc');
  await refuses(t, 400, post('Transfer-Encoding: chunked\r\n', '0\r\nContent-Length: 5\r\n\r\n'), post('Transfer-Encoding: chunked\r\n', '0\r\nTransfer-Encoding: chunked\r\n\r\n'), post('Transfer-Encoding: chunked\r\n', '0\r\nHost: b\r\n\r\n'));
});

test('Expect that is not 100-continue: 417', (t) => refuses(t, 417, get('Expect: junk\r\n'), get('Expect: 100-continue, junk\r\n')));

test('2,100 header fields: 431', (t) => refuses(t, 431, get('X: y\r\n'.repeat(2_100))));

test('a POST without a body says so to the endpoint', async (t) => {
  t.is(field(await serves(t, post('', '')), 'content-length'), '0');
  t.is(field(await serves(t, post('Content-Length: 0\r\n', '')), 'content-length'), '0');
  t.is(field(await serves(t, get('')), 'content-length'), undefined);
});

test('HTTP/1.0 without Host is served, and the endpoint gets its own address as Host', async (t) => {
  const { forwarded } = await say(t, 'GET /x HTTP/1.0\r\n\r\n', [200], false);
  t.regex(field(forwarded[0] as ParsedMessage, 'host') ?? '', /^127\.0\.0\.1:\d+$/);
});

test('an upgrade with a body: 400', (t) =>
  refuses(t, 400, post('Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n', 'a'), post('Connection: upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n', LAST), post('Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 1\r\n', 'a')));
