// Endpoints that misbehave: what is malformed is 502 or a visible cut, its connection carries nothing more, and no other
// client ever gets a byte of it. Over clear text and over TLS, which are two clients with two parsers.
import type net from 'node:net';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { selfSigned } from '../../certs/self-signed.ts';
import { simpleTable, startDataPlane } from '../support/data-plane.ts';
import type { DataPlane } from '../support/data-plane.ts';
import { rawEndpoint } from '../support/endpoint-raw.ts';
import type { RawEndpoint } from '../support/endpoint-raw.ts';
import { RawClient, statusOf } from '../support/raw-client.ts';
import { StrictHttpError, parseResponses } from '../support/strict-http1.ts';
import { ANSWERS } from './corpus/answers.ts';
import type { AnswerPayload } from './corpus/answers.ts';

interface Bench {
  readonly proxy: DataPlane;
  readonly backend: RawEndpoint;
  /** The connection that the last answer of each case went out on, and that of each plain request. */
  readonly used: Map<string, number>;
}

const titleOf = ({ family, name }: AnswerPayload): string => `${family}: ${name}`;

async function startBench(secure: boolean): Promise<Bench> {
  const own = selfSigned({ hostnames: ['endpoint.test'] });
  const used = new Map<string, number>();
  const backend = await rawEndpoint((request, socket, connection) => {
    used.set(request.target, connection);
    const index = /^\/case\/(\d+)$/.exec(request.target)?.[1];
    if (index === undefined) {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${request.target.length}\r\n\r\n${request.target}`, 'latin1');
      return;
    }
    const { bytes, closes } = ANSWERS[Number(index)] as AnswerPayload;
    if (closes) socket.end(bytes, 'latin1');
    else socket.write(bytes, 'latin1');
  }, secure ? { tls: { key: own.keyPem, cert: own.chainPem } } : {});
  const proxy = await startDataPlane(simpleTable([backend.endpoint], {}, secure ? { tls: { verify: false } } : {}));
  return { proxy, backend, used };
}

/** The status of a complete answer, `cut`, or what is wrong with the bytes. */
async function outcomeOf(client: RawClient, method: string): Promise<string> {
  try {
    await client.until(() => (client.closed || parseResponses(client.received, [method], false).responses.length > 0 ? true : undefined));
    const { responses } = parseResponses(client.received, [method], client.closed);
    return responses[0] === undefined ? 'cut' : String(statusOf(responses[0]));
  } catch (error) {
    if (error instanceof StrictHttpError) return `malformed: ${error.message}`;
    return String(error).slice(0, 300);
  }
}

/** Asks for a target of its own on a connection of its own. */
async function plain(port: number, target: string): Promise<string> {
  const client = await RawClient.connect(port);
  client.write(`GET ${target} HTTP/1.1\r\nHost: other.test\r\n\r\n`);
  const [answer] = await client.responses(1);
  client.destroy();
  return answer?.body.toString('latin1') ?? '';
}

async function wrongWith({ proxy, used }: Bench, index: number, payload: AnswerPayload, secure: boolean): Promise<string[]> {
  const wrong: string[] = [];
  const expected = { outcome: payload.outcome, again: payload.again, ...(secure ? payload.tls : {}) };
  const client = await RawClient.connect(proxy.port);
  client.write(`${payload.method} /case/${index} HTTP/1.1\r\nHost: a.test\r\n\r\n`);
  const outcome = await outcomeOf(client, payload.method);
  if (outcome !== String(expected.outcome)) wrong.push(`${outcome} instead of ${expected.outcome}`);
  client.destroy();
  for (const when of ['at once', 'later']) {
    const target = `/plain/${index}/${when.length}`;
    const body = await plain(proxy.port, target);
    if (body !== target) wrong.push(`the next client got ${JSON.stringify(body.slice(0, 100))}`);
    if (!expected.again && used.get(target) === used.get(`/case/${index}`)) wrong.push(`the connection was used again ${when}`);
  }
  return wrong;
}

async function run(t: ExecutionContext, secure: boolean): Promise<void> {
  const bench = await startBench(secure);
  const wrong: string[] = [];
  for (const [index, payload] of ANSWERS.entries()) {
    for (const what of await wrongWith(bench, index, payload, secure)) wrong.push(`${titleOf(payload)}: ${what}`);
  }
  await bench.proxy.close();
  await bench.backend.close();
  t.deepEqual(wrong, []);
}

test('the corpus of answers has titles of its own', (t) => {
  t.is(new Set(ANSWERS.map(titleOf)).size, ANSWERS.length);
  t.log(`${ANSWERS.length} answers`);
});

test.serial('a clear-text endpoint that misbehaves is 502 or a cut, is not asked again on that connection, and poisons nobody', (t) => run(t, false));

test.serial('a TLS endpoint that misbehaves is 502 or a cut, is not asked again on that connection, and poisons nobody', (t) => run(t, true));

for (const [what, head, late] of [
  ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 42\r\n\r\n', 'HEAD'],
  ['304', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 42\r\n\r\n', 'GET'],
  ['204', 'HTTP/1.1 204 No Content\r\nContent-Length: 42\r\n\r\n', 'GET'],
] as const) {
  for (const secure of [false, true]) {
    test(`a body that comes late behind ${what}, which has none, is nobody's answer (${secure ? 'TLS' : 'clear text'})`, async (t) => {
      const own = selfSigned({ hostnames: ['endpoint.test'] });
      const sockets = new Map<net.Socket, boolean>();
      const backend = await rawEndpoint((request, socket) => {
        if (request.target === '/poison') {
          sockets.set(socket, true);
          socket.write(head);
        } else if (sockets.has(socket)) {
          // The late body is what comes first to whoever is next on this connection.
          socket.write('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nPOISON');
        } else {
          socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood');
        }
      }, secure ? { tls: { key: own.keyPem, cert: own.chainPem } } : {});
      const proxy = await startDataPlane(simpleTable([backend.endpoint], {}, secure ? { tls: { verify: false } } : {}));
      const client = await RawClient.connect(proxy.port);
      client.write(`${late} /poison HTTP/1.1\r\nHost: a\r\n\r\n`);
      await client.responses(1, [late]);
      t.is(await plain(proxy.port, '/next'), 'good');
      client.destroy();
      await proxy.close();
      await backend.close();
    });
  }
}
