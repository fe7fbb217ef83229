// Pods that come and go under mixed load through two workers, as a Deployment's do: at once or told of first, heard of late,
// the last of its Service, and a hundred at a time. Only requests are counted here: a WebSocket ends with its pod. Each case in
// detail, with one worker, is in test/proxy/server. Numbers are those of the list in test/soak/README.md.
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { eventually, get } from '../support/fairlead-http.ts';
import { documents, ingress, service } from '../support/fairlead-manifests.ts';
import { FULL, startLoadSite } from '../support/load-site.ts';
import type { LoadSite } from '../support/load-site.ts';
import { MixedLoad } from '../support/mixed-load.ts';
import type { Kind } from '../support/mixed-load.ts';

const HOST = 'roll.example.com';
const MIX: readonly Kind[] = ['h1', 'h2', 'h1', 'fresh', 'h2', 'h1'];
const RATE = FULL ? 500 : 150;

interface Pod {
  readonly port: number;
  served: number;
  /** Ends it as the system ends a process: listening socket and connections at once. */
  exit(): void;
}

interface Listed {
  readonly pod: Pod;
  readonly terminating?: boolean;
}

async function startPod(t: ExecutionContext): Promise<Pod> {
  const server = http.createServer((request, response) => {
    pod.served++;
    request.resume();
    request.on('end', () => setTimeout(() => response.end('done'), Math.random() * 6));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const pod: Pod = {
    port: (server.address() as AddressInfo).port,
    served: 0,
    exit: () => {
      server.close();
      server.closeAllConnections();
    },
  };
  t.teardown(pod.exit);
  return pod;
}

/** What the EndpointSlices of the Service say: a slice for each pod, because each has a port of its own. */
function slices(listed: readonly Listed[]): string {
  const items = listed.map(({ pod, terminating = false }) => ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `roll-${pod.port}`, namespace: 'shop', labels: { 'kubernetes.io/service-name': 'roll' } },
    addressType: 'IPv4',
    ports: [{ port: pod.port }],
    endpoints: [{ addresses: ['127.0.0.1'], conditions: { ready: !terminating, serving: true, terminating } }],
  }));
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
}

async function startDeployment(t: ExecutionContext, size: number): Promise<{ site: LoadSite; pods: Pod[]; list: (listed: readonly Listed[]) => void }> {
  const pods = await Promise.all(Array.from({ length: size }, () => startPod(t)));
  const site = await startLoadSite(t, { files: { 'route.yaml': documents(ingress('roll', { host: HOST, paths: { '/': 'roll' } }), service('roll')), 'pods.yaml': slices(pods.map((pod) => ({ pod }))) } });
  return { site, pods, list: (listed) => site.fairlead.write('pods.yaml', slices(listed)) };
}

interface Rollout {
  readonly number: 4 | 5;
  readonly what: string;
  readonly rounds: readonly [full: number, scaled: number];
  /** Milliseconds between a pod's being told to go and its end. */
  readonly preStopMs: number;
  /** Until the table hears of either. */
  delayMs(): number;
}

const ROLLOUTS: readonly Rollout[] = [
  { number: 4, what: 'exit at once, which is heard at once', rounds: [10, 2], preStopMs: 0, delayMs: () => 0 },
  { number: 4, what: 'exit at once, which is heard 100 ms later', rounds: [10, 1], preStopMs: 0, delayMs: () => 100 },
  { number: 4, what: 'exit at once, which is heard a second later', rounds: [10, 0], preStopMs: 0, delayMs: () => 1_000 },
  { number: 5, what: 'exit a second after they were told, which is heard up to half a second later', rounds: [10, 1], preStopMs: FULL ? 1_000 : 600, delayMs: () => Math.random() * 500 },
];

for (const { number, what, rounds: [full, scaled], preStopMs, delayMs } of ROLLOUTS) {
  const rounds = FULL ? full : scaled;
  if (rounds === 0) continue;
  test.serial(`${number}: ${rounds} rolling updates of three pods that ${what}: no request fails`, async (t) => {
    t.timeout(180_000);
    const { site, pods, list } = await startDeployment(t, 3);
    const load = await MixedLoad.start(t, { port: site.fairlead.http, rate: RATE, mix: MIX, host: HOST });
    let live = [...pods];
    for (let nth = 0; nth < rounds * 3; nth++) {
      const old = live.shift()!;
      const next = await startPod(t);
      live = [...live, next];
      list([...live, old].map((pod) => ({ pod })));
      await eventually('the new pod is asked', () => next.served > 0);
      const delay = delayMs();
      if (preStopMs > 0) {
        await pause(delay);
        list([...live.map((pod) => ({ pod })), { pod: old, terminating: true }]);
        await pause(preStopMs - delay);
      }
      old.exit();
      await pause(delay);
      list(live.map((pod) => ({ pod })));
      await pause(120);
    }
    const { failures, sent } = await load.stop();
    t.deepEqual(failures, []);
    t.log(`${sent} requests over kept and new HTTP/1.1 and HTTP/2 connections, F = 0`);
  });
}

test.serial('6: the only pod terminates and serves: no request fails; once it does not listen, and before anybody is told, the answer is 503', async (t) => {
  t.timeout(120_000);
  const { site, pods: [only], list } = await startDeployment(t, 1);
  const load = await MixedLoad.start(t, { port: site.fairlead.http, rate: RATE, mix: MIX, host: HOST });
  list([{ pod: only!, terminating: true }]);
  await pause(FULL ? 20_000 : 1_000);
  const serving = load.lap();
  t.deepEqual(serving.failures, []);
  const exitedAt = performance.now();
  only!.exit();
  await pause(FULL ? 2_000 : 500);
  const gone = load.lap();
  // What had begun at the pod when it ended is lost with it.
  const begun = gone.failures.filter(({ startedAt }) => startedAt < exitedAt);
  t.true(begun.length < RATE / 10, JSON.stringify(begun));
  const late = gone.failures.filter(({ startedAt, what }) => startedAt >= exitedAt && what !== '503');
  t.deepEqual(late, []);
  t.true(gone.failures.length > begun.length);
  list([]);
  await eventually('the table has heard', async () => (await get(site.fairlead.http, '/', { host: HOST })).body.includes('no endpoint'));
  const askedAt = performance.now();
  t.is((await get(site.fairlead.http, '/', { host: HOST })).status, 503);
  t.true(performance.now() - askedAt < 1_000);
  await load.stop();
  t.log(`${serving.sent} requests, F = 0, while it served; ${begun.length} were under way when it ended, ${gone.failures.length - begun.length} got 503`);
});

test.serial('7: 1 → 100 → 1 pods in five seconds: no request fails, and each gets its share', async (t) => {
  t.timeout(120_000);
  const { site, pods, list } = await startDeployment(t, 100);
  list([{ pod: pods[0]! }]);
  await eventually('one alone is asked', async () => {
    const before = pods.map(({ served }) => served);
    for (let nth = 0; nth < 10; nth++) await get(site.fairlead.http, '/', { host: HOST });
    return pods.every(({ served }, nth) => nth === 0 || served === before[nth]);
  });
  const load = await MixedLoad.start(t, { port: site.fairlead.http, rate: FULL ? 500 : 300, mix: MIX, host: HOST });
  const stepMs = 5_000 / (2 * 5);
  for (const size of [20, 40, 60, 80, 100]) {
    list(pods.slice(0, size).map((pod) => ({ pod })));
    await pause(stepMs);
  }
  await pause(2_000);
  const before = pods.map(({ served }) => served);
  await pause(FULL ? 20_000 : 0);
  const spread = pods.map(({ served }, nth) => served - before[nth]!);
  for (const size of [80, 60, 40, 20, 1]) {
    list(pods.slice(0, size).map((pod) => ({ pod })));
    await pause(stepMs);
  }
  const { failures, sent } = await load.stop();
  t.deepEqual(failures, []);
  const fair = spread.reduce((sum, count) => sum + count, 0) / pods.length;
  const [least, most] = [Math.min(...spread), Math.max(...spread)];
  // Scaled, there is no time for shares (proxy/server/places has them).
  if (FULL) t.true(least >= fair * 0.85 && most <= fair * 1.15, `${least} to ${most}, fair is ${fair}`);
  t.log(`${sent} requests, F = 0${FULL ? `; each pod got ${least} to ${most}, fair is ${fair.toFixed(1)}` : ''}`);
});
