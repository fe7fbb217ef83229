// The status of Ingresses against an API server: written by one, only where it differs, and never made empty.
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { setTimeout as pause } from 'node:timers/promises';
import { pointsOfService } from '../../controller/kube/addresses.ts';
import type { IngressPoint } from '../../controller/kube/arrived.ts';
import { OwnPods } from '../../controller/kube/own-pods.ts';
import { StatusWriter } from '../../controller/kube/status.ts';
import { Cluster, clusterKinds } from '../support/kube/cluster.ts';
import type { Manifest } from '../support/kube/admin.ts';
import { ingress, ingressClass, service } from '../support/kube/objects.ts';
import { follow } from '../support/kube/source.ts';
import type { Followed } from '../support/kube/source.ts';
import { until } from '../support/kube/until.ts';

const quiet = (): void => undefined;

interface Setup extends Followed {
  readonly writer: StatusWriter;
  leader: boolean;
  points: readonly IngressPoint[] | undefined;
}

/** A writer for all Ingresses whose name begins with `prefix`, that looks whenever something changes. */
async function setup(t: ExecutionContext, cluster: Cluster, prefix: string): Promise<Setup> {
  const followed = await follow(t, cluster);
  await followed.started;
  const state = { ...followed, leader: true, points: undefined as readonly IngressPoint[] | undefined };
  const writer = new StatusWriter({
    client: followed.client,
    log: { info: quiet, warn: quiet, error: quiet },
    own: () => followed.names('Ingress').filter((name) => name.startsWith(`shop/${prefix}`)),
    current: (key) => followed.source.ingressStatus(key),
    desired: () => state.points,
    isLeader: () => state.leader,
  });
  const timer = setInterval(() => writer.check(), 200);
  t.teardown(async () => {
    clearInterval(timer);
    await writer.stop();
  });
  return Object.assign(state, { writer });
}

const pointsOf = async (cluster: Cluster, name: string): Promise<unknown> => ((await cluster.admin.read(ingress(name, '', '')))?.status as { loadBalancer?: { ingress?: unknown } } | undefined)?.loadBalancer?.ingress;
const shows = async (cluster: Cluster, name: string, points: readonly IngressPoint[]): Promise<boolean> => JSON.stringify(await pointsOf(cluster, name)) === JSON.stringify(points);

for (const kind of clusterKinds()) {
  let cluster: Cluster;
  test.before(`${kind}: start`, async () => {
    cluster = await Cluster.start(kind);
    await cluster.admin.apply(ingressClass());
  });
  test.after.always(`${kind}: stop`, () => cluster.stop());

  test.serial(`${kind}: the leader alone writes, within five seconds, once, and nobody makes it empty`, async (t) => {
    for (let index = 0; index < 20; index++) await cluster.admin.apply(ingress(`one-${index}`, `one-${index}.example`, 'web'));
    const state = await setup(t, cluster, 'one-');
    state.leader = false;
    state.points = [{ ip: '192.0.2.1' }];
    await pause(600);
    t.is(await pointsOf(cluster, 'one-0'), undefined);
    state.leader = true;
    const all = async (points: readonly IngressPoint[]): Promise<boolean> => (await Promise.all(Array.from({ length: 20 }, (_, index) => shows(cluster, `one-${index}`, points)))).every(Boolean);
    const took = await until('all show the address', () => all([{ ip: '192.0.2.1' }]), 5_000);
    t.log(`20 statuses after ${Math.round(took)} ms`);
    await pause(1_000);
    t.is(state.writer.writes, 20, 'each was written once');

    state.points = [{ ip: '192.0.2.2' }, { hostname: 'edge.example' }];
    await until('all show the new ones', () => all([{ ip: '192.0.2.2' }, { hostname: 'edge.example' }]), 5_000);
    state.points = undefined;
    state.leader = false;
    await pause(600);
    t.true(await all([{ ip: '192.0.2.2' }, { hostname: 'edge.example' }]), 'the loss of leadership and of knowledge changed it');
    state.leader = true;
    await state.writer.clear(5_000);
    await until('it is made empty when that was asked for', async () => (await Promise.all(Array.from({ length: 20 }, (_, index) => pointsOf(cluster, `one-${index}`)))).every((points) => points === undefined));
  });

  test.serial(`${kind}: what somebody else writes is put right, and other Ingresses are left alone`, async (t) => {
    for (const name of ['two-own', 'foreign']) await cluster.admin.apply(ingress(name, `${name}.example`, 'web'));
    const state = await setup(t, cluster, 'two-');
    state.points = [{ ip: '192.0.2.1' }];
    await until('it is written', () => shows(cluster, 'two-own', state.points!), 5_000);
    await cluster.admin.patch(ingress('two-own', '', ''), { status: { loadBalancer: { ingress: [{ ip: '203.0.113.9' }] } } }, '/status');
    await until('it is put right', () => shows(cluster, 'two-own', state.points!), 5_000);
    t.is(await pointsOf(cluster, 'foreign'), undefined);
  });

  test.serial(`${kind}: a Service of type LoadBalancer that gets its address shows in the status within five seconds`, async (t) => {
    await cluster.admin.apply(ingress('three-own', 'three.example', 'web'));
    const publish = service('fairlead', 'fairlead', { type: 'LoadBalancer' });
    await cluster.admin.apply(publish);
    const state = await setup(t, cluster, 'three-');
    const timer = setInterval(() => (state.points = pointsOfService(state.source.state.objects.Service.get('fairlead/fairlead'))), 50);
    t.teardown(() => clearInterval(timer));
    await pause(500);
    t.is(await pointsOf(cluster, 'three-own'), undefined, 'there is no address yet');
    await cluster.admin.patch(publish, { status: { loadBalancer: { ingress: [{ ip: '198.51.100.7' }] } } }, '/status');
    const took = await until('it shows', () => shows(cluster, 'three-own', [{ ip: '198.51.100.7' }]), 5_000);
    t.log(`after ${Math.round(took)} ms`);
  });

  test.serial(`${kind}: without a Service the nodes of the ready replicas show`, async (t) => {
    const { client } = await follow(t, cluster);
    const node = (name: string, addresses: object[]): [Manifest, object] => [{ apiVersion: 'v1', kind: 'Node', metadata: { name } }, { status: { addresses } }];
    for (const [manifest, patch] of [node('n1', [{ type: 'InternalIP', address: '10.0.0.1' }, { type: 'ExternalIP', address: '192.0.2.11' }]), node('n2', [{ type: 'InternalIP', address: '10.0.0.2' }]), node('n3', [{ type: 'InternalIP', address: '10.0.0.3' }])]) {
      await cluster.admin.apply(manifest);
      await cluster.admin.patch(manifest, patch, '/status');
    }
    for (const [name, nodeName, ready, app] of [['f-1', 'n1', 'True', 'fairlead'], ['f-2', 'n2', 'True', 'fairlead'], ['f-3', 'n3', 'False', 'fairlead'], ['x-1', 'n3', 'True', 'other']] as const) {
      const pod: Manifest = { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'fairlead', labels: { app, 'pod-template-hash': name } }, spec: { nodeName, serviceAccountName: 'default', containers: [{ name: 'c', image: 'i' }] } };
      await cluster.admin.apply(pod);
      await cluster.admin.patch(pod, { status: { conditions: [{ type: 'Ready', status: ready }] } }, '/status');
    }
    const pods = new OwnPods(client, { namespace: 'fairlead', name: 'f-1', uid: '' }, false);
    t.deepEqual(await pods.nodeAddresses(AbortSignal.timeout(5_000)), ['10.0.0.2', '192.0.2.11']);
    t.false(await pods.isLast(AbortSignal.timeout(5_000)));
    await cluster.admin.patch({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'f-2', namespace: 'fairlead' } }, { status: { conditions: [{ type: 'Ready', status: 'False' }] } }, '/status');
    t.true(await pods.isLast(AbortSignal.timeout(5_000)));
  });
}

/** Fifty Ingresses whose status is to be written, and a server that asks whoever does for some seconds. */
async function refusing(t: ExecutionContext, retryAfterSeconds: number) {
  const cluster = await Cluster.start('test server');
  t.teardown(() => cluster.stop());
  for (let index = 0; index < 50; index++) await cluster.admin.apply(ingress(`web-${index}`, `web-${index}.example`, 'web'));
  const fault = cluster.server.faults.add({ verb: 'patch', resource: 'ingresses', action: { type: 'status', code: 429, retryAfterSeconds } });
  const state = await setup(t, cluster, 'web-');
  state.points = [{ ip: '192.0.2.1' }];
  return { cluster, fault, state };
}

test('a server that refuses writes is asked again, and not all the time', async (t) => {
  const { cluster, fault, state } = await refusing(t, 1);
  await pause(2_500);
  t.true(fault.hits > 0 && fault.hits <= 32, `${fault.hits} writes in two and a half seconds`);
  fault.remove();
  await until('all are written', async () => (await Promise.all(Array.from({ length: 50 }, (_, index) => shows(cluster, `web-${index}`, state.points!)))).every(Boolean), 15_000);
});

test('a server that asks writers for five seconds is left alone by all that wait', async (t) => {
  const { fault } = await refusing(t, 5);
  await until('it was asked', () => fault.hits > 0);
  await pause(2_500);
  t.true(fault.hits <= 8, `${fault.hits} writes`);
});

test('an Ingress whose status may not be written is tried less and less often, whatever happens meanwhile, and holds up no other', async (t) => {
  const cluster = await Cluster.start('test server', { rights: 'none' });
  t.teardown(() => cluster.stop());
  const rbac = 'rbac.authorization.k8s.io';
  const rules = [{ apiGroups: ['*'], resources: ['*'], verbs: ['list', 'watch'] }, { apiGroups: ['networking.k8s.io'], resources: ['ingresses/status'], verbs: ['patch'], resourceNames: ['web-good'] }];
  await cluster.admin.apply({ apiVersion: `${rbac}/v1`, kind: 'ClusterRole', metadata: { name: 'one-status' }, rules });
  await cluster.admin.apply({ apiVersion: `${rbac}/v1`, kind: 'ClusterRoleBinding', metadata: { name: 'one-status' }, subjects: [{ kind: 'ServiceAccount', name: 'fairlead', namespace: 'fairlead' }], roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: 'one-status' } });
  for (const name of ['web-bad', 'web-good']) await cluster.admin.apply(ingress(name, `${name}.example`, 'web'));
  const state = await setup(t, cluster, 'web-');
  const tries = (): number => cluster.server.requests.filter(({ verb, name, user }) => verb === 'patch' && name === 'web-bad' && user !== 'admin').length;
  for (let round = 1; round <= 6; round++) {
    state.points = [{ ip: `192.0.2.${round}` }];
    await until('the good one is written', () => shows(cluster, 'web-good', state.points!), 5_000);
    await pause(1_000);
  }
  // After one second, two, four, and so on.
  t.true(tries() >= 2 && tries() <= 4, `${tries()} tries in six seconds`);
});
