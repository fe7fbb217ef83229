// What HTTP/2 adds (RFC 9113 §8): header blocks that no client library would send, as raw frames. Every one is refused, reset, or
// forwarded as exactly one well-formed HTTP/1.1 request that says what the client said.
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { endpoint, simpleTable, startDataPlane } from '../support/data-plane.ts';
import type { DataPlane } from '../support/data-plane.ts';
import { FLAG, FRAME, RawHttp2Client, frame, headerBlock, requestFields, rst } from '../support/raw-http2.ts';
import { field } from '../support/strict-http1.ts';
import type { ParsedMessage } from '../support/strict-http1.ts';
import { startWitness } from './support/witness.ts';
import type { Witness } from './support/witness.ts';

type Fields = readonly (readonly [string, string])[];

let witness: Witness;
let proxy: DataPlane;
test.before(async () => {
  witness = await startWitness();
  proxy = await startDataPlane(simpleTable([endpoint(witness.port)]));
});
test.after.always(async (t) => {
  await proxy.close();
  t.deepEqual(await witness.close(), []);
});

interface Outcome {
  /** Status of the answer, or how the stream or connection ended. */
  readonly answer: number | 'reset' | 'closed';
  readonly forwarded: readonly ParsedMessage[];
}

/** The status at the beginning of a header block that nothing has preceded (RFC 7541 §A: 8 to 14; else a literal). */
function statusIn(block: Buffer): number {
  const indexed: Record<number, number> = { 0x88: 200, 0x89: 204, 0x8a: 206, 0x8b: 304, 0x8c: 400, 0x8d: 404, 0x8e: 500 };
  return indexed[block[0] as number] ?? Number(block.toString('latin1', 2, 5));
}

/** Sends frames on stream 1 of a new connection and waits for its end. */
async function send(...frames: Buffer[]): Promise<Outcome> {
  const client = await RawHttp2Client.connect(proxy.port);
  client.write(...frames);
  const isEnd = ({ type, stream, flags }: { type: number; stream: number; flags: number }): boolean =>
    type === FRAME.GOAWAY || (stream === 1 && (type === FRAME.RST_STREAM || ((type === FRAME.HEADERS || type === FRAME.DATA) && (flags & FLAG.END_STREAM) !== 0)));
  await client.until(isEnd).catch((error: unknown) => {
    if (!client.closed) throw error;
  });
  const head = client.frames.find(({ type, stream }) => type === FRAME.HEADERS && stream === 1);
  const reset = client.frames.some(({ type, stream }) => type === FRAME.RST_STREAM && stream === 1);
  client.destroy();
  const answer = head !== undefined ? statusIn(head.payload) : reset ? 'reset' : 'closed';
  return { answer, forwarded: witness.take('127.0.0.1').map(({ request }) => request) };
}

const request = (fields: Fields, end = true): Buffer => frame(FRAME.HEADERS, FLAG.END_HEADERS | (end ? FLAG.END_STREAM : 0), 1, headerBlock(fields));
const get = (more: Fields = [], path = '/x', authority = 'a.test', method = 'GET'): Buffer => request(requestFields(method, path, authority, more));

/** Served as one request; gives it. */
async function serves(t: ExecutionContext, ...frames: Buffer[]): Promise<ParsedMessage> {
  const { answer, forwarded } = await send(...frames);
  t.is(answer, 200);
  t.is(forwarded.length, 1);
  t.deepEqual(witness.violations, []);
  return forwarded[0] as ParsedMessage;
}

/** Nothing is forwarded, and the answer is one of these. */
async function refuses(t: ExecutionContext, answers: readonly Outcome['answer'][], what: string, ...frames: Buffer[]): Promise<void> {
  const { answer, forwarded } = await send(...frames);
  t.true(answers.includes(answer), `${what}: ${answer}`);
  t.deepEqual(forwarded.map(({ startLine }) => startLine), [], what);
}

test.serial('a Host that differs from :authority is refused; one that is the same, and a Host alone, are served', async (t) => {
  await refuses(t, [400], 'other host', get([['host', 'evil.test']]));
  await refuses(t, [400, 'reset'], 'two of them', get([['host', 'a.test'], ['host', 'a.test']]));
  t.is(field(await serves(t, get([['host', 'A.test']])), 'host'), 'a.test');
  t.is(field(await serves(t, request([[':method', 'GET'], [':scheme', 'http'], [':path', '/x'], ['host', 'b.test']])), 'host'), 'b.test');
});

test.serial('an expectation that is not 100-continue is 417', async (t) => {
  for (const value of ['junk', '100-continue, junk', '100-continue; x']) await refuses(t, [417], value, get([['expect', value]]));
  t.deepEqual(proxy.log.slice(-3).map(({ status, reason }) => [status, reason]), Array.from({ length: 3 }, () => [417, 'ExpectationFailed']));
});

test.serial('cookie crumbs are one field again', async (t) => {
  const { fields } = await serves(t, get([['cookie', 'a=1'], ['x', '1'], ['cookie', 'b=2'], ['cookie', 'c=3']]));
  t.deepEqual(fields.filter(([name]) => name === 'cookie').map(([, value]) => value), ['a=1; b=2; c=3']);
});

test.serial('a :path that no request line may hold is refused', async (t) => {
  for (const path of ['/a#b', '/caf\x80', '/a b', '/a\tb', '/a\r\nX: 1', '/a\0', '', 'x', 'http://a.test/x', '*', '/a%00', '/../a', '/a\\b', '/\x7f']) await refuses(t, [400, 'reset', 'closed'], JSON.stringify(path), get([], path));
});

test.serial('a :path is as long as in HTTP/1.1, and a longer one is 414', async (t) => {
  const longest = `/${'a'.repeat(8 * 1024 - 14)}`;
  t.is((await serves(t, get([], longest))).startLine, `GET ${longest} HTTP/1.1`);
  await refuses(t, [414], 'too long', get([], `${longest}a`));
});

test.serial('OPTIONS * is answered here', async (t) => {
  const { answer, forwarded } = await send(get([], '*', 'a.test', 'OPTIONS'));
  t.is(answer, 200);
  t.deepEqual(forwarded, []);
});

test.serial('a :scheme is http or https, in any case; with another one it is no message', async (t) => {
  const schemed = (scheme: string): Buffer => request([[':method', 'GET'], [':scheme', scheme], [':path', '/x'], [':authority', 'a.test']]);
  for (const scheme of ['http', 'https', 'HTTPS', 'Http']) await serves(t, schemed(scheme));
  for (const scheme of ['ftp', 'httpss', 'xhttp', 'http:', 'http://evil', 'ws', 'coap', 'http\n', 'http/1.1', '1']) await refuses(t, ['reset', 'closed'], JSON.stringify(scheme), schemed(scheme));
});

test.serial('a malformed :authority is refused', async (t) => {
  for (const authority of ['', 'u@a', 'a, b', 'a/b', 'a b', 'a:80x', 'a%2eb', 'a\r\nb', '[::1', 'caf\xe9']) await refuses(t, [400, 'reset', 'closed'], authority, get([], '/x', authority));
});

test.serial('any token is a method, in its own case; CONNECT and TRACE are 405, and what is no token is refused', async (t) => {
  t.is((await serves(t, get([], '/x', 'a.test', 'get'))).startLine, 'get /x HTTP/1.1');
  t.is((await serves(t, get([], '/x', 'a.test', 'FOO'))).startLine, 'FOO /x HTTP/1.1');
  await refuses(t, [405], 'TRACE', get([], '/x', 'a.test', 'TRACE'));
  await refuses(t, [405], 'CONNECT', request([[':method', 'CONNECT'], [':authority', 'a.test:80']]));
  await refuses(t, [400, 405, 'reset', 'closed'], 'extended CONNECT', request([[':method', 'CONNECT'], [':protocol', 'websocket'], [':scheme', 'http'], [':path', '/x'], [':authority', 'a.test']]));
  for (const method of ['', 'PRI', 'G ET', 'GET\r\n', 'GET /smuggled HTTP/1.1\r\n', 'G\0', 'G:']) await refuses(t, [400, 'reset', 'closed'], JSON.stringify(method), get([], '/x', 'a.test', method));
});

test.serial('names with underscores and claims about the client do not pass', async (t) => {
  const { fields } = await serves(t, get([['x_forwarded_for', '6.6.6.6'], ['x-forwarded-for', '6.6.6.6'], ['x-real-ip', '6.6.6.6'], ['forwarded', 'for=6.6.6.6'], ['x_own', '1']]));
  t.deepEqual(fields.filter(([name]) => name.includes('_') || name === 'forwarded'), []);
  t.deepEqual(fields.filter(([name]) => name === 'x-forwarded-for' || name === 'x-real-ip').map(([, value]) => value), ['127.0.0.1', '127.0.0.1']);
});

test.serial('the names of object prototypes are fields like any other', async (t) => {
  const { fields } = await serves(t, get([['constructor', '1'], ['tostring', '2'], ['hasownproperty', '3']]));
  t.deepEqual(fields.filter(([name]) => ['constructor', 'tostring', 'hasownproperty'].includes(name)).map(([, value]) => value), ['1', '2', '3']);
  // With its underscores it is dropped, and harms nobody on the way.
  t.is(field(await serves(t, get([['__proto__', '1']])), '__proto__'), undefined);
});

test.serial('fields of a connection have no place in HTTP/2', async (t) => {
  for (const [name, value] of [['connection', 'close'], ['connection', 'x-drop'], ['keep-alive', '1'], ['proxy-connection', 'close'], ['transfer-encoding', 'chunked'], ['upgrade', 'websocket'], ['te', 'gzip']] as const) {
    await refuses(t, [400, 'reset', 'closed'], `${name}: ${value}`, get([[name, value]]));
  }
  const { fields } = await serves(t, get([['te', 'trailers'], ['http2-settings', 'AAA'], ['proxy', 'evil']]));
  t.deepEqual(fields.filter(([name]) => ['te', 'http2-settings', 'proxy'].includes(name)), []);
});

test.serial('pseudo-header fields that are missing, doubled, unknown, late or for answers are refused', async (t) => {
  const [method, scheme, path, authority] = requestFields('GET', '/x') as [readonly [string, string], readonly [string, string], readonly [string, string], readonly [string, string]];
  for (const fields of [
    [scheme, path, authority], [method, path, authority], [method, scheme, authority], [method, scheme, path, authority, path], [method, method, scheme, path, authority], [method, scheme, path, authority, authority],
    [method, scheme, path, authority, ['x', '1'], [':path', '/y']], [['x', '1'], method, scheme, path, authority], [method, scheme, path, authority, [':status', '200']], [method, scheme, path, authority, [':unknown', '1']],
  ] as Fields[]) await refuses(t, [400, 'reset', 'closed'], JSON.stringify(fields), request(fields));
});

test.serial('names and values that HTTP/1.1 cannot carry never reach it', async (t) => {
  for (const [name, value] of [['X-Upper', '1'], ['x a', '1'], ['x:a', '1'], ['x\r\nevil', '1'], ['x\0', '1'], ['', '1'], ['x\x80', '1'], ['x', 'a\r\nevil: 1'], ['x', 'a\nevil: 1'], ['x', 'a\0b'], ['x', 'a\rb'], ['x\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n', '1']] as const) {
    const { answer, forwarded } = await send(get([[name, value], ['x-mark', '1']]));
    t.true(forwarded.length === (answer === 200 ? 1 : 0), `${JSON.stringify(name)}: ${answer}`);
    for (const { fields } of forwarded) t.deepEqual(fields.filter(([seen]) => seen === 'evil' || seen === 'x-upper' || (seen === 'x' && value !== '1')), []);
    t.deepEqual(witness.violations, []);
  }
});

test.serial('a content-length that is none, is doubled or is not that of the body makes no message', async (t) => {
  const upload = (fields: Fields, ...data: [string, boolean][]): Buffer[] => [request(requestFields('POST', '/x', 'a.test', fields), false), ...data.map(([text, end]) => frame(FRAME.DATA, end ? FLAG.END_STREAM : 0, 1, text))];
  const bad: readonly Outcome['answer'][] = [400, 'reset', 'closed'];
  await refuses(t, bad, 'too short', ...upload([['content-length', '5']], ['abc', true]));
  await refuses(t, bad, 'too long', ...upload([['content-length', '2']], ['abc', true]));
  await refuses(t, bad, 'doubled', ...upload([['content-length', '3'], ['content-length', '3']], ['abc', true]));
  for (const value of ['-3', '+3', '0x3', '3, 3', '', ' 3', '3a', '99999999999999999999']) await refuses(t, bad, value, ...upload([['content-length', value]], ['abc', true]));
  await refuses(t, bad, 'without body', get([['content-length', '3']], '/x', 'a.test', 'POST'));
  t.is((await serves(t, ...upload([['content-length', '3']], ['ab', false], ['c', true]))).body.toString(), 'abc');
  t.is((await serves(t, ...upload([], ['ab', false], ['', false], ['c', true]))).body.toString(), 'abc');
});

test.serial('an upload that is reset, whenever it is, makes no message', async (t) => {
  for (const code of [0, 1, 7, 8]) {
    const client = await RawHttp2Client.connect(proxy.port);
    client.write(request(requestFields('POST', '/x', 'a.test', [['content-length', '6']]), false), frame(FRAME.DATA, 0, 1, 'abc'), rst(1, code), frame(FRAME.PING, 0, 0, 'the last'));
    // All that is before it has been read then.
    await client.until(({ type, payload }) => type === FRAME.PING && payload.toString() === 'the last');
    client.destroy();
    // It is told of one request, its own.
    t.is((await serves(t, get([], `/behind/${code}`))).startLine, `GET /behind/${code} HTTP/1.1`);
  }
});

for (const requestBuffering of [true, false]) {
  test.serial(`an upload that is ended and reset in one go, as libraries do when their caller gives up, makes no message (bodies ${requestBuffering ? 'held' : 'streaming'})`, async (t) => {
    const plane = await startDataPlane(simpleTable([endpoint(witness.port)], { requestBuffering }));
    t.teardown(() => plane.close());
    for (const part of ['abc', '']) {
      const client = await RawHttp2Client.connect(plane.port);
      // Leaves a connection to the endpoint on which the next request could go at once.
      client.write(get());
      await client.until(({ type, flags }) => type === FRAME.DATA && (flags & FLAG.END_STREAM) !== 0);
      t.is(witness.take('127.0.0.1').length, 1);
      const upload = frame(FRAME.HEADERS, FLAG.END_HEADERS, 3, headerBlock(requestFields('POST', '/cut')));
      client.write(upload, frame(FRAME.DATA, 0, 3, part));
      await new Promise((resolve) => setTimeout(resolve, 20));
      client.write(frame(FRAME.DATA, FLAG.END_STREAM, 3), rst(3, 8), frame(FRAME.PING, 0, 0, 'the last'));
      await client.until(({ type, payload }) => type === FRAME.PING && payload.toString() === 'the last');
      client.destroy();
      t.is((await serves(t, get([], '/behind'))).startLine, 'GET /behind HTTP/1.1');
    }
  });
}

test.serial('trailers of a request with pseudo-header fields make no message, plain ones are dropped', async (t) => {
  const trailers = (fields: Fields): Buffer => frame(FRAME.HEADERS, FLAG.END_HEADERS | FLAG.END_STREAM, 1, headerBlock(fields));
  await refuses(t, [400, 'reset', 'closed'], 'pseudo', request(requestFields('POST', '/x'), false), frame(FRAME.DATA, 0, 1, 'abc'), trailers([[':path', '/y']]));
  const request1 = await serves(t, request(requestFields('POST', '/x'), false), frame(FRAME.DATA, 0, 1, 'abc'), trailers([['x-sum', '1']]));
  t.deepEqual(request1.trailers, []);
  t.is(request1.body.toString(), 'abc');
});
