// The faults of the Kubernetes side under traffic: a process of Fairlead, an API server that misbehaves, and a steady load that
// must not notice. Numbers are those of the list of faults that the project set out with; times are a tenth and less.
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
  const fairlead = await startFairlead(t, { source: ['--kubeconfig', cluster.writeKubeconfig()], args: ['--access-log', 'off', '--publish-status-address', '192.0.2.1', '--election-ttl', '3s', ...args] });
  const load = startLoad(t, fairlead.http, HOSTS);
  await until('requests are answered', () => load.requests > 20);
  return { cluster, pods, fairlead, load };
}

async function metric(fairlead: FairleadRun, name: string): Promise<number> {
  const { body } = await get(fairlead.admin, '/metrics');
  return Number(body.split('\n').find((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))?.split(' ').at(-1));
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
    await pause(4_000);
    t.true(await isReady(fairlead));
    t.true(await metric(fairlead, 'fairlead_stale_seconds') >= 3.9);
    await cluster.link.open();
    const took = await until('the new pod is served', async () => (await get(fairlead.http, '/', { host: HOSTS[0]! })).body.startsWith('moved'), 15_000);
    t.log(`${load.requests} requests; caught up after ${Math.round(took)} ms`);
    t.deepEqual(await load.stop(), []);
    t.true(took < 5_000, `${took} ms`);
  });

  test.serial(`33 ${kind}: the API accepts and says nothing: no request fails`, async (t) => {
    const { cluster, fairlead, load } = await stage(t, kind);
    cluster.link.freeze();
    await pause(4_000);
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

for (const [number, what, breakIt] of [
  ['34', 'says 429 and 500', (cluster: Cluster) => {
    cluster.server.faults.add({ verb: 'list', action: { type: 'status', code: 429, retryAfterSeconds: 1 } });
    cluster.server.faults.add({ verb: 'watch', action: { type: 'status', code: 500 } });
  }],
  ['35', 'says 410 to every watch', (cluster: Cluster) => cluster.server.faults.add({ verb: 'watch', action: { type: 'status', code: 410 } })],
  ['36', 'gives one empty list', (cluster: Cluster) => {
    for (const resource of ['ingresses', 'services', 'endpointslices']) {
      cluster.server.faults.add({ verb: 'watch', resource, times: 1, action: { type: 'goneEvent' } });
      // The first list after a reset is the probe.
      cluster.server.faults.add({ verb: 'list', resource, times: 2, action: { type: 'shortList', keep: 0 } });
    }
  }],
  ['38', 'tells events twice and in reverse order', (cluster: Cluster) => cluster.server.faults.add({ verb: 'watch', action: { type: 'reverse', size: 4 } })],
] as const) {
  test.serial(`${number}: the API ${what}: no request fails, and afterwards all is as it should be`, async (t) => {
    const { cluster, fairlead, load } = await stage(t, 'test server');
    breakIt(cluster);
    cluster.link.reset();
    for (let round = 0; round < 20; round++) {
      await cluster.admin.apply(ingress(`late-${round}`, `late-${round}.example`, `web-${round % 5}`)).catch(() => undefined);
      await pause(100);
    }
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
  for (let round = 1; round <= 4; round++) {
    cluster.server.access.addToken(`rotated-${round}`, { name: 'system:serviceaccount:fairlead:fairlead', groups: [] });
    cluster.writeKubeconfig(`rotated-${round}`);
    cluster.server.access.removeToken(round === 1 ? CONTROLLER_TOKENS[0] : `rotated-${round - 1}`);
    await cluster.admin.apply(ingress(`round-${round}`, `round-${round}.example`, 'web-0'));
    await until('it is served', async () => (await get(fairlead.http, '/', { host: `round-${round}.example` })).status === 200, 10_000);
    await pause(500);
  }
  t.is(await metric(fairlead, 'fairlead_kube_failures_total{kind="Ingress"}'), before);
  t.deepEqual(await load.stop(), []);
});
