// Events against an API server: each Problem on its object, once, at a pace.
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { setTimeout as pause } from 'node:timers/promises';
import { EventWriter } from '../../controller/kube/events.ts';
import type { Problem } from '../../controller/model/problem.ts';
import { Cluster, clusterKinds } from '../support/kube/cluster.ts';
import { ingress, ingressClass, namespace } from '../support/kube/objects.ts';
import { follow } from '../support/kube/source.ts';
import { until } from '../support/kube/until.ts';

const quiet = (): void => undefined;
const problem = (name: string, message = 'there is no Service "web"'): Problem => ({
  severity: 'error', reason: 'BackendNotFound', origin: { kind: 'Ingress', namespace: 'shop', name, field: 'spec.rules[0].http.paths[0].backend' }, message, hint: 'Create it', effect: 'RouteDenied',
});

async function writer(t: ExecutionContext, cluster: Cluster, { leader = (): boolean => true, paceMs = 1, warn = quiet as (fields: object) => void } = {}): Promise<EventWriter> {
  const { client, source, started } = await follow(t, cluster);
  await started;
  const events = new EventWriter({ client, log: { info: quiet, warn, error: quiet }, identity: 'fairlead-0', own: { namespace: 'fairlead', name: 'fairlead-0', uid: 'uid-of-the-pod' }, isLeader: leader, uidOf: (origin) => source.uidOf(origin), paceMs });
  t.teardown(() => events.stop());
  return events;
}

const eventsOn = async (cluster: Cluster, name: string) => (await cluster.admin.list('v1', 'Event', 'shop')).filter(({ involvedObject }) => (involvedObject as { name?: string }).name === name);

for (const kind of clusterKinds()) {
  let cluster: Cluster;
  test.before(`${kind}: start`, async () => {
    cluster = await Cluster.start(kind);
    await cluster.admin.apply(ingressClass());
  });
  test.after.always(`${kind}: stop`, () => cluster.stop());

  test(`${kind}: an Event says on the object what is wrong, where, and what to do`, async (t) => {
    const { metadata } = await cluster.admin.apply(ingress('told', 'told.example', 'web'));
    const events = await writer(t, cluster);
    events.update([problem('told')]);
    await until('it is there', async () => (await eventsOn(cluster, 'told')).length === 1);
    const [event] = await eventsOn(cluster, 'told');
    t.like(event, { type: 'Warning', reason: 'BackendNotFound', count: 1, message: 'spec.rules[0].http.paths[0].backend: there is no Service "web". Create it' });
    t.like(event, { involvedObject: { uid: metadata.uid } });
    events.update([problem('told')]);
    events.update([problem('told'), problem('nobody')]);
    await pause(300);
    t.is((await eventsOn(cluster, 'told')).length, 1);
    t.is(events.written, 1);
  });

  test(`${kind}: what the API itself does wrong is told on Fairlead's own pod`, async (t) => {
    const events = await writer(t, cluster);
    events.update([{ severity: 'error', reason: 'Forbidden', origin: { kind: 'API', namespace: '', name: 'secrets' }, message: 'secrets cannot be read', effect: 'None' }]);
    await until('it is there', async () => (await cluster.admin.list('v1', 'Event', 'fairlead')).length === 1);
    const [event] = await cluster.admin.list('v1', 'Event', 'fairlead');
    t.like(event, { reason: 'Forbidden', involvedObject: { kind: 'Pod', namespace: 'fairlead', name: 'fairlead-0', uid: 'uid-of-the-pod' } });
  });

  test(`${kind}: after a restart, and from another replica, the same Problem counts up the same Event`, async (t) => {
    await cluster.admin.apply(ingress('again', 'again.example', 'web'));
    for (let count = 1; count <= 3; count++) {
      (await writer(t, cluster)).update([problem('again')]);
      await until(`it counts ${count}`, async () => (await eventsOn(cluster, 'again'))[0]?.count === count);
    }
    t.is((await eventsOn(cluster, 'again')).length, 1);
  });

  test(`${kind}: whoever does not lead keeps quiet, and tells what still is so when it does`, async (t) => {
    for (const name of ['led', 'led-past']) await cluster.admin.apply(ingress(name, `${name}.example`, 'web'));
    let leads = false;
    const events = await writer(t, cluster, { leader: () => leads });
    events.update([problem('led'), problem('led-past')]);
    events.update([problem('led')]);
    await pause(300);
    t.deepEqual(await eventsOn(cluster, 'led'), []);
    leads = true;
    events.check();
    await until('it is told', async () => (await eventsOn(cluster, 'led')).length === 1);
    t.deepEqual(await eventsOn(cluster, 'led-past'), []);
  });

  test(`${kind}: a message with anything in it is told as it is, and cut if it is too long`, async (t) => {
    await cluster.admin.apply(ingress('odd', 'odd.example', 'web'));
    const events = await writer(t, cluster);
    events.update([problem('odd', `found "${'\u0001<script>${x}{{y}}\r\n'.repeat(200)}"`), { ...problem('odd'), hint: 'x'.repeat(2000) }]);
    await until('both are there', async () => (await eventsOn(cluster, 'odd')).length === 2);
    t.true((await eventsOn(cluster, 'odd')).every(({ message }) => (message as string).length <= 1000));
  });
}

test('an object that was made anew under the same name has an Event of its own, though the Problem is the same', async (t) => {
  const cluster = await Cluster.start('test server');
  t.teardown(() => cluster.stop());
  await cluster.admin.apply(ingress('anew', 'anew.example', 'web'));
  const events = await writer(t, cluster);
  events.update([problem('anew')]);
  await until('it is told', () => events.written === 1);
  await cluster.admin.remove(ingress('anew', '', ''));
  const { metadata } = await cluster.admin.apply(ingress('anew', 'anew.example', 'web'));
  const uids = async (): Promise<unknown[]> => (await eventsOn(cluster, 'anew')).map(({ involvedObject }) => (involvedObject as { uid?: unknown }).uid);
  await until('the new one is told', async () => {
    events.update([problem('anew')]);
    return (await uids()).includes(metadata.uid);
  });
  t.is((await uids()).length, 2);
});

test('where Events may not be written, that is logged once and holds up no other namespace', async (t) => {
  const cluster = await Cluster.start('test server', { rights: 'none' });
  t.teardown(() => cluster.stop());
  await cluster.admin.apply(namespace('other'));
  const rbac = 'rbac.authorization.k8s.io';
  const subjects = [{ kind: 'ServiceAccount', name: 'fairlead', namespace: 'fairlead' }];
  await cluster.admin.apply({ apiVersion: `${rbac}/v1`, kind: 'ClusterRole', metadata: { name: 'reads' }, rules: [{ apiGroups: ['*'], resources: ['*'], verbs: ['list', 'watch'] }] });
  await cluster.admin.apply({ apiVersion: `${rbac}/v1`, kind: 'ClusterRoleBinding', metadata: { name: 'reads' }, subjects, roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: 'reads' } });
  await cluster.admin.apply({ apiVersion: `${rbac}/v1`, kind: 'Role', metadata: { name: 'events', namespace: 'other' }, rules: [{ apiGroups: [''], resources: ['events'], verbs: ['create'] }] });
  await cluster.admin.apply({ apiVersion: `${rbac}/v1`, kind: 'RoleBinding', metadata: { name: 'events', namespace: 'other' }, subjects, roleRef: { apiGroup: rbac, kind: 'Role', name: 'events' } });
  for (const name of ['a', 'b']) await cluster.admin.apply(ingress(name, `${name}.example`, 'web'));
  await cluster.admin.apply(ingress('c', 'c.example', 'web', { namespace: 'other' }));
  const warnings: object[] = [];
  const events = await writer(t, cluster, { warn: (fields) => void warnings.push(fields) });
  const elsewhere = problem('c');
  events.update([problem('a'), problem('b'), { ...elsewhere, origin: { ...elsewhere.origin, namespace: 'other' } }]);
  await until('the one that may be written is', () => events.written === 1, 4_000);
  await pause(300);
  events.check();
  await pause(300);
  t.is(cluster.server.requests.filter(({ verb, resource, namespace: of }) => verb === 'create' && resource === 'events' && of === 'shop').length, 1);
  t.is(events.waiting, 2);
  t.is(warnings.length, 1);
});

test('Events are written ten a second at most, and the first of a thousand objects does not have to wait for the last', async (t) => {
  const cluster = await Cluster.start('test server');
  t.teardown(() => cluster.stop());
  const names = Array.from({ length: 100 }, (_, index) => `bad-${index}`);
  for (const name of names) cluster.server.write(ingress(name, `${name}.example`, 'web'));
  const events = await writer(t, cluster, { paceMs: 100 });
  const startedAt = performance.now();
  events.update(names.map((name) => problem(name)));
  await until('twenty are written', () => events.written >= 20);
  t.true(performance.now() - startedAt >= 1_900, `${performance.now() - startedAt} ms`);
});

test('an Event that cannot be written now is written later, and one that is refused is not tried for ever', async (t) => {
  const cluster = await Cluster.start('test server');
  t.teardown(() => cluster.stop());
  for (const name of ['a', 'b']) await cluster.admin.apply(ingress(name, `${name}.example`, 'web'));
  const refused = cluster.server.faults.add({ verb: 'create', resource: 'events', times: 1, action: { type: 'status', code: 422 } });
  const events = await writer(t, cluster);
  events.update([problem('a'), problem('b')]);
  await until('the other is written', () => events.written === 1);
  t.is(refused.hits, 1);
  t.is(events.waiting, 0);
});
