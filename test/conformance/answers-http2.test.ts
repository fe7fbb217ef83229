// What endpoints answer over HTTP/1.1, as a client of HTTP/2 gets it: what is 502 for one is 502 for the other, what was cut is
// reset, and no field that an endpoint may send is more than the worker's HTTP/2 can take.
import http2 from 'node:http2';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { simpleTable, startDataPlane } from '../support/data-plane.ts';
import { rawEndpoint } from '../support/endpoint-raw.ts';
import { ANSWERS } from './corpus/answers.ts';

interface Got {
  /** Status of an answer that ended as it should, `cut` of one that did not, `none` where there was no head. */
  readonly outcome: number | 'cut' | 'none';
  /** Names and values as they came. */
  readonly fields: readonly string[];
}

function ask(session: http2.ClientHttp2Session, method: string, path: string): Promise<Got> {
  return new Promise((resolve) => {
    let status: number | undefined;
    let fields: readonly string[] = [];
    let ended = false;
    const stream = session.request({ ':method': method, ':path': path, te: 'trailers' });
    stream.on('response', (headers, _flags, raw: readonly string[]) => {
      status = headers[':status'];
      fields = raw;
    });
    stream.on('error', () => undefined);
    stream.on('end', () => (ended = !stream.aborted && stream.rstCode === 0)).resume();
    stream.on('close', () => resolve({ outcome: status === undefined ? 'none' : ended && stream.rstCode === 0 ? status : 'cut', fields }));
  });
}

/** Every answer once; gives what clients got, in order. */
async function all(t: ExecutionContext, answers: readonly { readonly bytes: string; readonly closes: boolean; readonly method: string }[]): Promise<Got[]> {
  const backend = await rawEndpoint((request, socket) => {
    const answer = answers[Number(request.target.slice(1))];
    if (answer === undefined) return;
    if (answer.closes) socket.end(answer.bytes, 'latin1');
    else socket.write(answer.bytes, 'latin1');
  });
  const proxy = await startDataPlane(simpleTable([backend.endpoint]));
  const session = http2.connect(`http://127.0.0.1:${proxy.port}`);
  session.on('error', (error) => t.fail(String(error)));
  const got: Got[] = [];
  for (const [index, { method }] of answers.entries()) got.push(await ask(session, method, `/${index}`));
  session.destroy();
  await proxy.close();
  await backend.close();
  return got;
}

test('answers that are malformed or cut are that over HTTP/2 too', async (t) => {
  const got = await all(t, ANSWERS);
  const wrong = ANSWERS.flatMap(({ family, name, outcome }, index) => {
    const seen = got[index]?.outcome;
    // A head that nothing followed may be reset with the rest.
    return seen === outcome || (outcome === 'cut' && seen === 'none') ? [] : [`${family}: ${name}: ${seen} instead of ${outcome}`];
  });
  t.deepEqual(wrong, []);
});

test('fields that are doubled, empty or of another protocol go on or go away, in heads, interim answers and trailers', async (t) => {
  const names = ['ETag', 'Date', 'Content-Type', 'Location', 'Server', 'Age', 'Access-Control-Allow-Origin', 'Access-Control-Allow-Credentials', 'Retry-After', 'From', 'DNT', 'X-Own', '__proto__'];
  const doubled = names.map((name) => ({ lower: name.toLowerCase(), text: `${name}: 1\r\n${name}: 2\r\n` }));
  const gone = ['Connection', 'Keep-Alive', 'Proxy-Connection', 'TE', 'Upgrade', 'HTTP2-Settings'].map((name) => `${name}: x\r\n`).join('');
  const chunked = 'Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n';
  const bodies = doubled.flatMap(({ text }) => [`${text}${gone}Content-Length: 2\r\n\r\nok`, `${text}${chunked}${text}X-Empty:\r\n\r\n`]);
  const interim = doubled.map(({ text }) => `HTTP/1.1 103 Early Hints\r\n${text}${gone}\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok`);
  const got = await all(t, [...bodies.map((body) => `HTTP/1.1 200 OK\r\n${body}`), ...interim].map((bytes) => ({ bytes, closes: false, method: 'GET' })));
  t.deepEqual([...new Set(got.map(({ outcome }) => outcome))], [200]);
  doubled.forEach(({ lower }, index) => {
    const { fields } = got[index * 2] as Got;
    t.deepEqual(fields.filter((_, at) => fields[at - 1] === lower && at % 2 === 1), ['1', '2'], lower);
    t.false(fields.some((field, at) => at % 2 === 0 && gone.toLowerCase().includes(`${field}: `)));
  });
});

test('every status that an endpoint may say, and a head as large as may be, are no more than HTTP/2 can take', async (t) => {
  const statuses = ['099', '100', '101', '199', '200', '299', '599', '600', '999', '000'];
  const large = [100, 1_000, 4_000, 8_000, 16_000, 31_000].map((length) => `HTTP/1.1 200 OK\r\nX: ${'y'.repeat(length)}\r\nContent-Length: 2\r\n\r\nok`);
  const many = [100, 120].map((count) => `HTTP/1.1 200 OK\r\n${'X: y\r\n'.repeat(count)}Content-Length: 2\r\n\r\nok`);
  const got = await all(t, [...statuses.map((status) => `HTTP/1.1 ${status} Said\r\nContent-Length: 2\r\n\r\nok`), ...large, ...many].map((bytes) => ({ bytes, closes: true, method: 'GET' })));
  t.deepEqual(got.slice(0, statuses.length).map(({ outcome }, index) => `${statuses[index]}: ${outcome}`), ['099: 502', '100: 502', '101: 502', '199: 502', '200: 200', '299: 299', '599: 599', '600: 502', '999: 502', '000: 502']);
  t.deepEqual(got.slice(statuses.length).map(({ outcome }) => outcome), [...large, ...many].map(() => 200));
});
