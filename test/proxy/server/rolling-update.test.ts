// Pods come and go under load, as in a rolling update: what is told late, in time, or when nobody else is left. With SOAK=1
// (npm run soak) in full length.
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import type { Endpoint } from '../../../proxy/table/cluster.ts';
import { endpoint, simpleTable, startDataPlane } from '../../support/data-plane.ts';
import type { DataPlane } from '../../support/data-plane.ts';
import { crowd } from '../../support/forward-plane.ts';
import { exchangeRaw, statusOf } from '../../support/raw-client.ts';

const FULL = process.env['SOAK'] === '1';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const POST = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi';
const WEBSOCKET = 'GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';

interface Pod {
  readonly port: number;
  /** Ends it as the system ends a process: listening socket and connections at once. */
  exit(): void;
}

async function startPod(t: ExecutionContext): Promise<Pod> {
  const server = http.createServer((request, response) => {
    request.resume();
    request.on('end', () => setTimeout(() => response.end(`from ${port}`), Math.random() * 6));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const exit = (): void => {
    server.close();
    server.closeAllConnections();
  };
  t.teardown(exit);
  return { port, exit };
}

class Deployment {
  readonly #t: ExecutionContext;
  readonly plane: DataPlane;
  #pods: readonly Pod[];
  #listed: readonly Endpoint[];

  constructor(t: ExecutionContext, plane: DataPlane, pods: readonly Pod[]) {
    this.#t = t;
    this.plane = plane;
    this.#pods = pods;
    this.#listed = pods.map(({ port }) => endpoint(port));
  }

  static async start(t: ExecutionContext, size: number): Promise<Deployment> {
    const pods = await Promise.all(Array.from({ length: size }, () => startPod(t)));
    const plane = await startDataPlane(simpleTable(pods.map(({ port }) => endpoint(port))), { forwarding: { requestBuffering: true } });
    t.teardown(() => plane.close());
    return new Deployment(t, plane, pods);
  }

  /** Ends every pod; the EndpointSlice does not know it. */
  exit(): void {
    for (const pod of this.#pods) pod.exit();
  }

  /** The EndpointSlice says so from now on. */
  async list(endpoints: readonly Endpoint[]): Promise<void> {
    this.#listed = endpoints;
    await this.plane.swap({ endpoints: { 'test/web:80': endpoints } });
  }

  /** Replaces every pod, one after the other. `leave` is given the old pod and what the EndpointSlice is to say of it. */
  async roll(leave: (pod: Pod, say: (change: Partial<Endpoint> | 'gone') => Promise<void>) => Promise<void>): Promise<void> {
    for (const old of this.#pods) {
      const next = await startPod(this.#t);
      await this.list([...this.#listed, endpoint(next.port)]);
      await leave(old, (change) => this.list(this.#listed.flatMap((each) => (each.port !== old.port ? [each] : change === 'gone' ? [] : [{ ...each, ...change }]))));
      this.#pods = [...this.#pods.filter((pod) => pod !== old), next];
    }
  }
}

for (const { delayMs, rounds } of [{ delayMs: 0, rounds: FULL ? 10 : 3 }, { delayMs: 100, rounds: FULL ? 10 : 2 }, { delayMs: 1_000, rounds: FULL ? 10 : 1 }]) {
  test.serial(`${rounds} rolling updates of three pods that exit at once, which is told ${delayMs} ms later, lose no GET`, async (t) => {
    t.timeout(120_000);
    const deployment = await Deployment.start(t, 3);
    const { port } = deployment.plane;
    const seconds = rounds * 3 * (0.15 + delayMs / 1000);
    const gets = crowd(port, { count: Math.ceil(seconds * 400), clients: 24, rate: 400 });
    const posts = crowd(port, { count: Math.ceil(seconds * 80), clients: 6, rate: 80, method: 'POST', body: 'hello' });
    for (let round = 0; round < rounds; round++) {
      await deployment.roll(async (pod, say) => {
        pod.exit();
        await pause(delayMs);
        await say('gone');
        await pause(120);
      });
    }
    const outcomes = await gets;
    t.deepEqual([...outcomes.keys()], ['200'], JSON.stringify([...outcomes]));
    const posted = await posts;
    // A POST that an endpoint has begun to read when it dies cannot be sent again.
    const lost = [...posted].filter(([what]) => what !== '200');
    t.true(lost.every(([what]) => what === '502'), JSON.stringify(lost));
    const unexplained = deployment.plane.log.filter(({ exchange, status }) => status === 502 && exchange.attempts.at(-1)?.error !== 'UpstreamConnectionTermination');
    t.deepEqual(unexplained.map(({ exchange }) => exchange.attempts), []);
    t.log(`GET ${JSON.stringify([...outcomes])}, POST ${JSON.stringify([...posted])}`);
  });
}

const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS'] as const;
const WITH_BODY: readonly string[] = ['POST', 'PUT', 'PATCH'];

test.serial('pods that are told of first, which is heard late, and exit after their preStop lose nothing, whatever the method', async (t) => {
  t.timeout(300_000);
  const rounds = FULL ? 33 : 2;
  const [preStopMs, heardLateMs] = FULL ? [1_000, 500] : [300, 150];
  const rate = FULL ? 170 : 90;
  const deployment = await Deployment.start(t, 3);
  const { port } = deployment.plane;
  const count = Math.ceil(rounds * 3 * (preStopMs / 1000) * rate) + 1;
  const crowds = METHODS.map((method) => crowd(port, { count, clients: 8, rate, method, ...(WITH_BODY.includes(method) ? { body: 'hello' } : {}) }));
  for (let round = 0; round < rounds; round++) {
    await deployment.roll(async (pod, say) => {
      const late = Math.random() * heardLateMs;
      await pause(late);
      await say({ ready: false, terminating: true });
      await pause(preStopMs - late);
      pod.exit();
      await say('gone');
    });
  }
  for (const outcomes of await Promise.all(crowds)) t.deepEqual([...outcomes], [['200', count]]);
  if (FULL) t.true(deployment.plane.log.length >= 100_000, `${deployment.plane.log.length} requests`);
  t.log(`${deployment.plane.log.length} requests of ${METHODS.length} methods while ${rounds * 3} pods were replaced, F = 0`);
});

test.serial('the only pod is still asked while it terminates and serves; when it is gone the answer is 503 at once', async (t) => {
  const seconds = FULL ? 20 : 1.5;
  const deployment = await Deployment.start(t, 1);
  const { port, log } = deployment.plane;
  const [only] = deployment.plane.server.snapshot.endpoints['test/web:80']!;
  await deployment.list([{ ...only!, ready: false, terminating: true }]);
  const outcomes = await crowd(port, { count: Math.ceil(seconds * 300), clients: 16, rate: 300 });
  t.deepEqual([...outcomes.keys()], ['200']);
  const refused = async (when: string): Promise<void> => {
    const startedAt = performance.now();
    for (const request of [GET, POST, WEBSOCKET]) {
      const { message, client } = await exchangeRaw(port, request);
      client.destroy();
      t.is(statusOf(message), 503, `${request.slice(0, 5)} ${when}`);
      t.is(log.at(-1)!.reason, 'NoHealthyUpstream', when);
    }
    t.true(performance.now() - startedAt < 1_000, when);
  };
  deployment.exit();
  await refused('while the table still has it, with its listener closed');
  await deployment.list([]);
  await refused('out of the table');
});

test.serial('a pod that refuses although it is ready leaves its requests to one that terminates and serves', async (t) => {
  const leaving = await startPod(t);
  const dead = await startPod(t);
  dead.exit();
  const plane = await startDataPlane(simpleTable([endpoint(dead.port), endpoint(leaving.port, { ready: false, terminating: true })]), { forwarding: { requestBuffering: true } });
  t.teardown(() => plane.close());
  for (const request of [GET, POST]) {
    const { message, client } = await exchangeRaw(plane.port, request);
    client.destroy();
    t.is(statusOf(message), 200);
    t.is(message.body.toString(), `from ${leaving.port}`);
    t.deepEqual(plane.log.at(-1)!.exchange.attempts.map(({ error }) => error), ['UpstreamConnectionFailure', undefined]);
  }
  leaving.exit();
  const { message, client } = await exchangeRaw(plane.port, GET);
  client.destroy();
  t.is(statusOf(message), 502, 'one that is ready refuses: that is a fault');
});
