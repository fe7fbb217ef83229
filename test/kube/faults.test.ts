// The faults of the Kubernetes side under traffic: a process of Fairlead, an API server that misbehaves, and a steady load that
// must not notice. Numbers are those of test/soak/README.md. Times are a tenth and less, or with SOAK=1 (npm run soak:kube)
// as long as they are said to be there.
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { setTimeout as pause } from 'node:timers/promises';
import { get } from '../support/fairlead-http.ts';
import { startFairlead } from '../support/fairlead-run.ts';
import type { FairleadRun } from '../support/fairlead-run.ts';
import type { Manifest } from '../support/kube/admin.ts';
import { CONTROLLER_TOKENS, Cluster, clusterKinds } from '../support/kube/cluster.ts';
import { startLoad } from '../support/kube/load.ts';
import type { Load } from '../support/kube/load.ts';
import { endpointSlice, ingress, ingressClass, service } from '../support/kube/objects.ts';
import { startPod } from '../support/kube/pod.ts';
import type { Pod } from '../support/kube/pod.ts';
import { until } from '../support/kube/until.ts';

const KINDS = clusterKinds();
const FULL = process.env.SOAK !== undefined;
const MINUTE_MS = 60_000;
/** How long something lasts here, and in full length. */
const lasting = (shortMs: number, fullMs: number): number => (FULL ? fullMs : shortMs);
const OWN_POD = { POD_NAMESPACE: 'fairlead', POD_NAME: 'fairlead-0', POD_UID: 'uid-of-the-pod' };
const HOSTS = Array.from({ length: 5 }, (_, index) => `web-${index}.example`);

interface Stage {
  readonly cluster: Cluster;
  readonly pods: readonly Pod[];
  readonly fairlead: FairleadRun;
  readonly load: Load;
}

/** Five hosts on two pods, and load on all of them. */
async function stage(t: ExecutionContext, kind: (typeof KINDS)[number], args: readonly string[] = []): Promise<Stage> {
  const cluster = await Cluster.start(kind);
  t.teardown(() => cluster.stop());
  const pods = [await startPod(t, 'one'), await startPod(t, 'two')];
  await cluster.admin.apply(ingressClass());
  for (const [index, host] of HOSTS.entries()) {
    await cluster.admin.apply(service(`web-${index}`));
    for (const [at, pod] of pods.entries()) await cluster.admin.apply(endpointSlice(`web-${index}`, pod.port, [pod], { suffix: `${at}` }));
    await cluster.admin.apply(ingress(`web-${index}`, host, `web-${index}`));
  }
  const fairlead = await startFairlead(t, { source: ['--kubeconfig', cluster.writeKubeconfig()], args: ['--access-log', 'off', '--publish-status-address', '192.0.2.1', '--election-ttl', '3s', ...args], env: OWN_POD });
  const load = startLoad(t, fairlead.http, HOSTS);
  await until('requests are answered', () => load.requests > 20);
  return { cluster, pods, fairlead, load };
}

/** All series of a metric. */
async function metrics(fairlead: FairleadRun, name: string): Promise<readonly number[]> {
  const { body } = await get(fairlead.admin, '/metrics');
  return body.split('\n').filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`)).map((line) => Number(line.split(' ').at(-1)));
}

async function metric(fairlead: FairleadRun, name: string): Promise<number> {
  return (await metrics(fairlead, name))[0] ?? Number.NaN;
}

const isReady = async (fairlead: FairleadRun): Promise<boolean> => (await get(fairlead.admin, '/readyz')).status === 200;

for (const kind of KINDS) {
  test.serial(`32 ${kind}: the API is away while pods come and go: no request fails, readiness stays, and the new pods serve soon after`, async (t) => {
    const { cluster, pods, fairlead, load } = await stage(t, kind);
    await cluster.link.refuse();
    // The first pod moves; the second one stays alive all the time, and a request that meets the dead one goes on to it.
    const moved = await startPod(t, 'moved');
    for (const index of HOSTS.keys()) await cluster.admin.apply(endpointSlice(`web-${index}`, moved.port, [moved], { suffix: '0' }));
    pods[0]!.kill();
    const away = lasting(4_000, 10 * MINUTE_MS);
    for (const end = performance.now() + away; performance.now() < end; await pause(1_000)) {
      t.true(await isReady(fairlead));
      await cluster.admin.apply(endpointSlice('busy', 80, [{ address: `10.1.0.${Math.round(performance.now() / 1_000) % 250}` }]));
    }
    t.true(await metric(fairlead, 'fairlead_stale_seconds') >= away / 1_000 - 0.1);
    await cluster.link.open();
    const took = await until('the new pod is served', async () => (await get(fairlead.http, '/', { host: HOSTS[0]! })).body.startsWith('moved'), 15_000);
    t.log(`${load.requests} requests; caught up after ${Math.round(took)} ms`);
    t.deepEqual(await load.stop(), []);
    t.true(took < 5_000, `${took} ms`);
  });

  test.serial(`33 ${kind}: the API accepts and says nothing: no request fails`, async (t) => {
    const { cluster, fairlead, load } = await stage(t, kind);
    const failures = async (): Promise<number> => (await metrics(fairlead, 'fairlead_kube_failures_total')).reduce((sum, count) => sum + count, 0);
    const before = await failures();
    cluster.link.freeze();
    if (FULL) t.log(`noticed after ${Math.round(await until('it is noticed', async () => (await failures()) > before, MINUTE_MS))} ms`);
    else await pause(4_000);
    t.true(await isReady(fairlead));
    await cluster.link.open();
    await cluster.admin.apply(ingress('after', 'after.example', 'web-0'));
    await until('what is new is served', async () => (await get(fairlead.http, '/', { host: 'after.example' })).status === 200, 70_000);
    t.deepEqual(await load.stop(), []);
  });

  test.serial(`43 ${kind}: the Lease is stolen and deleted: no request fails, and one replica writes the status`, async (t) => {
    const { cluster, load } = await stage(t, kind);
    const lease: Manifest = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: 'fairlead-fairlead', namespace: 'fairlead' } };
    const shows = async (): Promise<boolean> => JSON.stringify((await cluster.admin.read(ingress('web-0', '', '')))?.status).includes('192.0.2.1');
    await until('the status is written', shows, 10_000);
    for (let round = 0; round < 2; round++) {
      await cluster.admin.patch(lease, { spec: { holderIdentity: 'thief' } });
      await pause(1_500);
      t.true(await shows(), 'the status became empty');
    }
    await cluster.admin.remove(lease);
    await cluster.admin.apply(ingress('later', 'later.example', 'web-0'));
    await until('the status of a new Ingress is written', async () => JSON.stringify((await cluster.admin.read(ingress('later', '', '')))?.status).includes('192.0.2.1'), 15_000);
    t.deepEqual(await load.stop(), []);
  });

  test.serial(`44 ${kind}: two installs of one class serve both, whatever they think of each other's status`, async (t) => {
    const { cluster, fairlead, load } = await stage(t, kind);
    const other = await startFairlead(t, { source: ['--kubeconfig', cluster.writeKubeconfig()], args: ['--access-log', 'off', '--publish-status-address', '192.0.2.2', '--election-id', 'another'] });
    const otherLoad = startLoad(t, other.http, HOSTS);
    await pause(3_000);
    const before = await metric(fairlead, 'fairlead_status_writes_total');
    await pause(3_000);
    const writes = (await metric(fairlead, 'fairlead_status_writes_total')) - before;
    t.true(writes <= 4 * HOSTS.length, `${writes} writes of ${HOSTS.length} statuses in three seconds`);
    t.deepEqual([...(await load.stop()), ...(await otherLoad.stop())], []);
    t.true(otherLoad.requests > 100);
  });
}

/** Seconds that a server asks to be left alone for. */
const RETRY_AFTER_S = FULL ? 120 : 1;

interface Breakage {
  readonly number: string;
  readonly what: string;
  readonly lastsMs: number;
  breakIt(cluster: Cluster): void;
  /** What must be so when it has lasted `seconds`. */
  check?(t: ExecutionContext, stage: Stage, seconds: number): Promise<void>;
}

const BREAKAGES: readonly Breakage[] = [
  { number: '34', what: 'says 429 and 500', lastsMs: lasting(2_000, 2 * MINUTE_MS), breakIt: (cluster) => {
    cluster.server.faults.add({ verb: 'list', action: { type: 'status', code: 429, retryAfterSeconds: RETRY_AFTER_S } });
    cluster.server.faults.add({ verb: 'watch', action: { type: 'status', code: 500, retryAfterSeconds: RETRY_AFTER_S } });
  }, check: async (t, { cluster, fairlead }, seconds) => {
    const kinds = (await metrics(fairlead, 'fairlead_kube_lists_total')).length;
    const hits = cluster.server.faults.hits;
    t.log(`${hits} requests of ${kinds} kinds in ${Math.round(seconds)} s`);
    t.true(hits <= kinds * (1 + seconds / RETRY_AFTER_S), `${hits} requests`);
    if (FULL) t.true(hits <= seconds);
  } },
  { number: '35', what: 'says 410 to every watch', lastsMs: lasting(2_000, MINUTE_MS), breakIt: (cluster) => void cluster.server.faults.add({ verb: 'watch', action: { type: 'status', code: 410 } }), check: async (t, { fairlead }, seconds) => {
    const lists = await metrics(fairlead, 'fairlead_kube_lists_total');
    t.log(`${lists.join(', ')} lists in ${Math.round(seconds)} s`);
    // The first one is that of the start.
    t.true(Math.max(...lists) <= 2 + seconds / 5);
  } },
  { number: '36', what: 'gives one empty list', lastsMs: 2_000, breakIt: (cluster) => {
    for (const resource of ['ingresses', 'services', 'endpointslices']) {
      cluster.server.faults.add({ verb: 'watch', resource, times: 1, action: { type: 'goneEvent' } });
      // The first list after a reset is the probe.
      cluster.server.faults.add({ verb: 'list', resource, times: 2, action: { type: 'shortList', keep: 0 } });
    }
  }, check: async (t, { cluster, fairlead }) => {
    await until('it is doubted', async () => (await metrics(fairlead, 'fairlead_kube_lists_doubted_total')).some((count) => count > 0), 10_000);
    await until('an Event says so', async () => (await cluster.admin.list('v1', 'Event', 'fairlead')).some(({ reason, involvedObject }) => reason === 'ListDoubted' && (involvedObject as { name?: string }).name === OWN_POD.POD_NAME), 10_000);
    t.pass();
  } },
  { number: '38', what: 'tells events in reverse order', lastsMs: 2_000, breakIt: (cluster) => void cluster.server.faults.add({ verb: 'watch', action: { type: 'reverse', size: 4 } }) },
];

for (const { number, what, lastsMs, breakIt, check } of BREAKAGES) {
  test.serial(`${number}: the API ${what}: no request fails, and afterwards all is as it should be`, async (t) => {
    const set = await stage(t, 'test server');
    const { cluster, fairlead, load } = set;
    breakIt(cluster);
    cluster.link.reset();
    const since = performance.now();
    for (let round = 0; performance.now() - since < lastsMs; round++) {
      await cluster.admin.apply(ingress(`late-${round % 20}`, `late-${round % 20}.example`, `web-${round % 5}`)).catch(() => undefined);
      await pause(100);
    }
    await check?.(t, set, (performance.now() - since) / 1_000);
    cluster.server.faults.clear();
    for (let round = 0; round < 20; round++) await cluster.admin.apply(ingress(`late-${round}`, `late-${round}.example`, `web-${round % 5}`));
    for (let round = 0; round < 20; round++) await until(`late-${round} is served`, async () => (await get(fairlead.http, '/', { host: `late-${round}.example` })).status === 200, 60_000);
    t.log(`${load.requests} requests`);
    t.deepEqual(await load.stop(), []);
  });
}

test.serial('37: etcd is restored from a backup: no request to what is in both fails, and what came after the backup is gone', async (t) => {
  const { cluster, fairlead, load } = await stage(t, 'test server');
  const restore = cluster.server.store.backup();
  // So that what is written after the backup was restored does not overtake at once what was written before.
  for (let index = 0; index < 50; index++) await cluster.admin.apply(service(`later-${index}`));
  await cluster.admin.apply(ingress('lost', 'lost.example', 'web-0'));
  await until('it is served', async () => (await get(fairlead.http, '/', { host: 'lost.example' })).status === 200);
  await cluster.link.refuse();
  restore();
  await cluster.link.open();
  await until('it is served no longer', async () => (await get(fairlead.http, '/', { host: 'lost.example' })).status === 404, 30_000);
  t.deepEqual(await load.stop(), []);
});

test.serial('41: 1,000 malformed objects: every valid route is live, the process lives, and each is told once, ten a second', async (t) => {
  const { cluster, fairlead, load } = await stage(t, 'test server');
  const bad = (index: number): object => [
    { rules: null },
    { rules: [{ host: `bad-${index}.example`, http: null }] },
    { rules: [{ host: 'a\r\nb', http: { paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'web-0', port: { number: 80 } } } }] } }] },
    { rules: [{ host: `bad-${index}.example`, http: { paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'web-0', port: { number: 'http\n' } } } }] } }] },
    { rules: [{ host: `bad-${index}.example`, http: { paths: [{ path: '(a+)+$', pathType: 'Exact', backend: { service: { name: 'web-0', port: { number: 80 } } } }] } }] },
    'nonsense',
  ][index % 6] as object;
  for (let index = 0; index < 1000; index++) {
    const annotations: Record<string, string> = index % 100 === 0 ? { big: 'x'.repeat(1024 * 1024) } : {};
    cluster.server.write({ apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', metadata: { name: `bad-${index}`, namespace: 'shop', annotations }, spec: { ingressClassName: 'fairlead', ...(typeof bad(index) === 'string' ? { rules: 'nonsense' } : bad(index)) } });
  }
  await cluster.admin.apply(ingress('good', 'good.example', 'web-0'));
  const took = await until('a good one after them is served', async () => (await get(fairlead.http, '/', { host: 'good.example' })).status === 200, 10_000);
  t.log(`after ${Math.round(took)} ms`);
  const problems = JSON.parse((await get(fairlead.admin, '/problems?output=json')).body) as { object: string }[];
  t.is(new Set(problems.filter(({ object }) => object.includes('shop/bad-')).map(({ object }) => object)).size, 1000);
  const before = cluster.server.all('Event').length;
  await pause(3_000);
  const written = cluster.server.all('Event').length - before;
  t.true(written > 5 && written <= 33, `${written} Events in three seconds`);
  t.deepEqual(await load.stop(), []);
});

test.serial('42: a path that looks like a catastrophic regular expression costs nothing', async (t) => {
  const { cluster, fairlead, load } = await stage(t, 'test server');
  for (const [index, pathType] of ['ImplementationSpecific', 'Prefix', 'Exact'].entries()) {
    const evil = ingress(`evil-${index}`, `evil-${index}.example`, 'web-0', { annotations: { 'nginx.ingress.kubernetes.io/use-regex': 'true' } });
    cluster.server.write({ ...evil, spec: { ingressClassName: 'fairlead', rules: [{ host: `evil-${index}.example`, http: { paths: [{ path: '/(a+)+$', pathType, backend: { service: { name: 'web-0', port: { number: 80 } } } }] } }] } } as Parameters<typeof cluster.server.write>[0]);
  }
  await cluster.admin.apply(ingress('after-evil', 'after-evil.example', 'web-0'));
  await until('they are all read', async () => (await get(fairlead.http, '/', { host: 'after-evil.example' })).status === 200);
  for (const index of [0, 1, 2]) {
    const startedAt = performance.now();
    await get(fairlead.http, `/${'a'.repeat(30_000)}!`, { host: `evil-${index}.example` });
    const took = performance.now() - startedAt;
    t.true(took < 200, `${took} ms`);
  }
  t.deepEqual(await load.stop(), []);
});

test.serial('45: tokens are exchanged again and again under load: no watch and no request fails', async (t) => {
  const { cluster, fairlead, load } = await stage(t, 'test server');
  const before = await metric(fairlead, 'fairlead_kube_failures_total{kind="Ingress"}');
  for (let round = 1; round <= (FULL ? 6 : 4); round++) {
    cluster.server.access.addToken(`rotated-${round}`, { name: 'system:serviceaccount:fairlead:fairlead', groups: [] });
    cluster.writeKubeconfig(`rotated-${round}`);
    cluster.server.access.removeToken(round === 1 ? CONTROLLER_TOKENS[0] : `rotated-${round - 1}`);
    await cluster.admin.apply(ingress(`round-${round}`, `round-${round}.example`, 'web-0'));
    await until('it is served', async () => (await get(fairlead.http, '/', { host: `round-${round}.example` })).status === 200, 10_000);
    await pause(lasting(500, 10 * MINUTE_MS));
  }
  t.is(await metric(fairlead, 'fairlead_kube_failures_total{kind="Ingress"}'), before);
  t.deepEqual(await load.stop(), []);
});
