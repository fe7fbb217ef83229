// Beginnings of a request that a server must wait on, and short messages whose answer is clear: the cases of the public
// h1spec list, in our own words, with the rest of each beginning sent and answered too.
import test from 'ava';
import { completeLimits } from '../../proxy/server/limits.ts';
import { endpoint, simpleTable, startDataPlane } from '../support/data-plane.ts';
import type { DataPlane } from '../support/data-plane.ts';
import { RawClient, statusOf } from '../support/raw-client.ts';
import { parseResponses } from '../support/strict-http1.ts';
import { DEFAULT_TEST_OPTIONS } from '../support/worker-options.ts';
import { startWitness } from './support/witness.ts';
import type { Witness } from './support/witness.ts';

let witness: Witness;
let proxy: DataPlane;
test.before(async () => {
  witness = await startWitness();
  proxy = await startDataPlane(simpleTable([endpoint(witness.port)]));
});
test.after.always(async () => {
  await proxy.close();
  await witness.close();
});

const REQUEST = 'GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n';
const BEGINNINGS = [
  ['half a method', 'G'],
  ['a method and its blank', 'GET '],
  ['no blank behind the target', 'GET /hello'],
  ['a blank behind the target', 'GET /hello '],
  ['half a version', 'GET /hello HTTP'],
  ['a request line without its end', 'GET /hello HTTP/1.1'],
  ['the CR of the request line', 'GET /hello HTTP/1.1\r'],
  ['the whole request line', 'GET /hello HTTP/1.1\r\n'],
  ['half a field name', 'GET /hello HTTP/1.1\r\nHos'],
  ['a field name and its colon', 'GET /hello HTTP/1.1\r\nHost:'],
  ['a blank before the value', 'GET /hello HTTP/1.1\r\nHost: '],
  ['a value without its end', 'GET /hello HTTP/1.1\r\nHost: localhost'],
  ['the CR of a field line', 'GET /hello HTTP/1.1\r\nHost: localhost\r'],
  ['a whole field line', 'GET /hello HTTP/1.1\r\nHost: localhost\r\n'],
  ['the CR of the empty line', 'GET /hello HTTP/1.1\r\nHost: localhost\r\n\r'],
] as const;

for (const [what, beginning] of BEGINNINGS) {
  test(`${what} is waited on, and with the rest it is a request`, async (t) => {
    const client = await RawClient.connect(proxy.port);
    client.write(beginning);
    await new Promise((resolve) => setTimeout(resolve, 100));
    t.is(client.received.length, 0);
    t.false(client.closed);
    client.write(REQUEST.slice(beginning.length));
    const [answer] = await client.responses(1);
    t.is(answer && statusOf(answer), 200);
    client.destroy();
  });
}

const LIMITS = completeLimits(DEFAULT_TEST_OPTIONS.limits);
const lineOf = (octets: number): string => `GET /${'a'.repeat(octets - 'GET / HTTP/1.1'.length)} HTTP/1.1`;
const headOf = (octets: number): string => `GET / HTTP/1.1\r\nHost: a\r\nX: ${'b'.repeat(octets - 'GET / HTTP/1.1\r\nHost: a\r\nX: '.length)}`;
const LONGEST: readonly (readonly [string, string, number])[] = [
  ['the longest request line', `${lineOf(LIMITS.requestLineBytes)}\r\nHost: a`, 200],
  ['a longer one', `${lineOf(LIMITS.requestLineBytes + 1)}\r\nHost: a`, 414],
  ['the longest head', headOf(LIMITS.headBytes), 200],
  ['a longer one', headOf(LIMITS.headBytes + 1), 431],
];

for (const [what, head, status] of LONGEST) {
  test(`${what} is ${status}, in one piece or cut anywhere near its end`, async (t) => {
    const request = `${head}\r\n\r\n`;
    const lineEnd = request.indexOf('\r\n');
    const cuts = [0, ...[-1, 0, 1, 2].map((more) => lineEnd + more), ...[-1, 0, 1, 2, 3].map((more) => head.length + more)];
    const statuses = await Promise.all(cuts.map(async (at) => {
      const client = await RawClient.connect(proxy.port);
      t.teardown(() => client.destroy());
      client.write(request.slice(0, at));
      if (at > 0) await new Promise((resolve) => setTimeout(resolve, 100));
      client.write(request.slice(at));
      const [answer] = await client.responses(1);
      return answer && statusOf(answer);
    }));
    t.deepEqual(statuses, cuts.map(() => status));
  });
}

const HOST = 'Host: example.com\r\n';
const WHOLE: readonly (readonly [string, string, number])[] = [
  ['a request line without version', 'GET / \r\n\r\n', 400],
  ['an expectation of 100', `GET / HTTP/1.1\r\n${HOST}Expect: 100-continue\r\n\r\n`, 200],
  ['a plain GET', `GET / HTTP/1.1\r\n${HOST}\r\n`, 200],
  ['odd case, a tab before the value, and an empty value', 'GET / HTTP/1.1\r\nhoSt:\texample.com\r\nempty:\r\n\r\n', 200],
  ['brackets in a field name', `GET / HTTP/1.1\r\n${HOST}X-Invalid[]: test\r\n\r\n`, 400],
  ['no Host', 'GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\n', 400],
  ['two Host', `GET / HTTP/1.1\r\n${HOST}Host: example.org\r\n\r\n`, 400],
  ['a negative length of many digits', `GET / HTTP/1.1\r\n${HOST}Content-Length: -123456789123456789123456789\r\n\r\n`, 400],
  ['a negative length', `GET / HTTP/1.1\r\n${HOST}Content-Length: -1234\r\n\r\n`, 400],
  ['a length that is a word', `GET / HTTP/1.1\r\n${HOST}Content-Length: abc\r\n\r\n`, 400],
  ['a blank value', `GET / HTTP/1.1\r\n${HOST}X-Empty-Header: \r\n\r\n`, 200],
  ['a control character in a value', `GET / HTTP/1.1\r\n${HOST}X-Bad-Control-Char: test\x07\r\n\r\n`, 400],
  ['version 9.9', `GET / HTTP/9.9\r\n${HOST}\r\n`, 505],
  ['words before the method', `Extra lineGET / HTTP/1.1\r\n${HOST}\r\n`, 400],
  ['a CR before a field line', `GET / HTTP/1.1\r\n${HOST}\rSome-Header: Test\r\n\r\n`, 400],
  ['a POST with a body', `POST / HTTP/1.1\r\n${HOST}Content-Length: 5\r\n\r\nhello`, 200],
  ['a POST with chunks', `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`, 200],
  ['chunks and a length', `GET / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n`, 400],
];

for (const [what, bytes, status] of WHOLE) {
  test(`${what} is answered with ${status}`, async (t) => {
    const client = await RawClient.connect(proxy.port);
    client.write(bytes);
    const [answer] = await client.responses(1);
    t.is(answer && statusOf(answer), status);
    if (status !== 200) t.is(parseResponses(await client.end(), [], true).responses.length, 1);
    client.destroy();
  });
}
