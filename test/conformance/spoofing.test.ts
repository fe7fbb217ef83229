// Nobody but this proxy tells an endpoint who the client is: every field that it writes, in every spelling that some server takes
// for the same name, on every way in. The endpoint gets the proxy's own value, once, and nothing of the client's.
import { once } from 'node:events';
import http2 from 'node:http2';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { HTTP_LISTENER, simpleTable, startDataPlane } from '../support/data-plane.ts';
import { rawEndpoint } from '../support/endpoint-raw.ts';
import type { ReceivedRequest } from '../support/endpoint-parser.ts';
import { RawClient } from '../support/raw-client.ts';

/** Written for every request. */
const WRITTEN = ['X-Request-ID', 'X-Real-IP', 'X-Forwarded-For', 'X-Forwarded-Host', 'X-Forwarded-Port', 'X-Forwarded-Proto', 'X-Forwarded-Scheme', 'X-Scheme'];
/** Repeat what was replaced, or come from a handshake, or are for proxies alone. */
const OTHERS = ['X-Original-Forwarded-For', 'X-Original-Forwarded-Host', 'Forwarded', 'X-Forwarded-Server', 'X-Forwarded-Prefix', 'X-Forwarded-User', 'ssl-client-verify', 'ssl-client-cert', 'ssl-client-subject-dn', 'ssl-client-issuer-dn'];
const EVIL = '6.6.6.6';

/** Spellings of a name, each with whether HTTP/2 can carry it. */
const SPELLINGS: readonly (readonly [string, (name: string) => readonly (readonly [string, string])[], boolean])[] = [
  ['as it is', (name) => [[name, EVIL]], true],
  ['lower case', (name) => [[name.toLowerCase(), EVIL]], true],
  ['upper case', (name) => [[name.toUpperCase(), EVIL]], false],
  ['underscores', (name) => [[name.replaceAll('-', '_'), EVIL]], true],
  ['one underscore', (name) => [[name.replace('-', '_'), EVIL]], true],
  ['dots', (name) => [[name.replaceAll('-', '.'), EVIL]], true],
  ['one dot', (name) => [[name.replace('-', '.'), EVIL]], true],
  ['a dot and an underscore', (name) => [[name.replace('-', '.').replaceAll('-', '_'), EVIL]], true],
  ['twice', (name) => [[name, EVIL], [name, `${EVIL}, ${EVIL}`]], true],
  ['twice, spelt otherwise', (name) => [[name.replaceAll('-', '_'), EVIL], [name, EVIL], [name.replaceAll('-', '.'), EVIL]], true],
  ['nominated by Connection', (name) => [['Connection', name], [name, EVIL]], false],
  ['nominated only', (name) => [['Connection', `${name}, ${name.replaceAll('-', '_')}`]], false],
  ['an empty value', (name) => [[name, '']], true],
];

/** What a server makes of a name that it keeps in the way of CGI. */
const canonical = (name: string): string => name.toLowerCase().replaceAll(/[_.]/g, '-');

function wrongIn(request: ReceivedRequest | undefined, name: string): string[] {
  if (request === undefined) return ['nothing was forwarded'];
  const wrong = request.headers.filter(([seen, value]) => value.includes(EVIL) && !/^x-original-forwarded-(for|host)$/i.test(seen)).map(([seen, value]) => `${seen}: ${value}`);
  for (const own of WRITTEN) {
    const values = request.headers.filter(([seen]) => canonical(seen) === own.toLowerCase());
    if (values.length !== 1 || values[0]?.[1] === '') wrong.push(`${values.length} of ${own}`);
  }
  if (!WRITTEN.includes(name) && !name.startsWith('X-Original-') && request.headers.some(([seen]) => canonical(seen) === name.toLowerCase())) wrong.push(`${name} is there`);
  return wrong;
}

/** `ask` sends the fields and resolves when they are answered; `way` is for the report. */
async function matrix(t: ExecutionContext, way: string, start: (port: number) => Promise<{ ask: (fields: readonly (readonly [string, string])[]) => Promise<void>; end: () => void }>): Promise<void> {
  const backend = await rawEndpoint((request, socket) => {
    if (request.values('upgrade').length > 0) socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
    else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
  });
  const proxy = await startDataPlane(simpleTable([backend.endpoint]));
  const wrong: string[] = [];
  const { ask, end } = await start(proxy.port);
  for (const name of [...WRITTEN, ...OTHERS]) {
    for (const [spelling, fields, overHttp2] of SPELLINGS) {
      if (way === 'HTTP/2' && !overHttp2) continue;
      const before = backend.requests.length;
      await ask(fields(name));
      wrong.push(...wrongIn(backend.requests[before], name).map((what) => `${way}, ${name}, ${spelling}: ${what}`));
    }
  }
  end();
  await proxy.close();
  await backend.close();
  t.deepEqual(wrong, []);
  t.deepEqual(backend.errors, []);
}

const lines = (fields: readonly (readonly [string, string])[]): string => fields.map(([name, value]) => `${name}: ${value}\r\n`).join('');

test('over HTTP/1.1', (t) =>
  matrix(t, 'HTTP/1.1', async (port) => {
    const client = await RawClient.connect(port);
    return {
      ask: async (fields) => {
        client.received = Buffer.alloc(0);
        client.write(`GET / HTTP/1.1\r\nHost: a.test\r\n${lines(fields)}\r\n`);
        await client.responses(1);
      },
      end: () => client.destroy(),
    };
  }));

test('with a request for a WebSocket', (t) =>
  matrix(t, 'an upgrade', (port) =>
    Promise.resolve({
      ask: async (fields) => {
        const client = await RawClient.connect(port);
        client.write(`GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n${lines(fields)}\r\n`);
        await client.responses(1);
        client.destroy();
      },
      end: () => undefined,
    })));

test('over HTTP/2', (t) =>
  matrix(t, 'HTTP/2', (port) => {
    const session = http2.connect(`http://127.0.0.1:${port}`);
    return Promise.resolve({
      ask: async (fields) => {
        // As a flat list, which may hold a name twice.
        const stream = session.request([':method', 'GET', ':path', '/', ':scheme', 'http', ':authority', 'a.test', ...fields.flatMap(([name, value]) => [name.toLowerCase(), value])]);
        stream.resume();
        await once(stream, 'close');
      },
      end: () => session.destroy(),
    });
  }));

test('a trusted proxy says who the client is, and not under other spellings', async (t) => {
  const backend = await rawEndpoint((_request, socket) => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'));
  const proxy = await startDataPlane({ ...simpleTable([backend.endpoint]), listeners: { 'listener/http': { ...HTTP_LISTENER, trustedProxies: ['127.0.0.0/8'] } } });
  const client = await RawClient.connect(proxy.port);
  client.write(`GET / HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-For: 192.0.2.1\r\nX_Forwarded_For: ${EVIL}\r\nX.Forwarded.For: ${EVIL}\r\nX.Real.IP: ${EVIL}\r\nssl.client.verify: SUCCESS\r\nSSL-Client-Verify: SUCCESS\r\n\r\n`);
  await client.responses(1);
  const { headers } = backend.requests[0] as ReceivedRequest;
  const values = (name: string): readonly string[] => headers.filter(([seen]) => canonical(seen) === name).map(([, value]) => value);
  t.deepEqual(values('x-real-ip'), ['192.0.2.1']);
  t.deepEqual(values('x-forwarded-for'), ['192.0.2.1, 127.0.0.1']);
  t.deepEqual(values('ssl-client-verify'), []);
  client.destroy();
  await proxy.close();
  await backend.close();
});
