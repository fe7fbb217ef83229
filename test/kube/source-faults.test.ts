// What an API server can do to its clients, and that the source of objects stands it: the numbers are those of the list of
// faults that the project set out with (32 to 38, 44, 45), times are a tenth and less. State must never shrink by mistake.
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { CONTROLLER_TOKENS, Cluster, clusterKinds } from '../support/kube/cluster.ts';
import { kubeconfig } from '../support/api-server/kubeconfig.ts';
import { FAST } from '../support/kube/fast.ts';
import { endpointSlice, ingress, ingressClass } from '../support/kube/objects.ts';
import { follow } from '../support/kube/source.ts';
import type { Followed } from '../support/kube/source.ts';
import { until } from '../support/kube/until.ts';

/** A cluster with ten Ingresses, that is stopped when the test ends. */
async function tenIngresses(t: ExecutionContext, options: Parameters<typeof Cluster.start>[1] = {}, kind: (typeof KINDS)[number] = 'test server'): Promise<Cluster> {
  const cluster = await Cluster.start(kind, options);
  t.teardown(() => cluster.stop());
  await cluster.admin.apply(ingressClass());
  for (let index = 0; index < 10; index++) await cluster.admin.apply(ingress(`web-${index}`, `web-${index}.example`, 'web'));
  return cluster;
}
const KINDS = clusterKinds();

/** The smallest number of Ingresses that there was at any change since this was called. */
function watchForLoss(followed: Followed): () => number {
  let fewest = followed.names('Ingress').length;
  const timer = setInterval(() => (fewest = Math.min(fewest, followed.source.state.objects.Ingress.size)), 1);
  return () => {
    clearInterval(timer);
    return fewest;
  };
}

const ingressStats = ({ source }: Followed) => source.stats().find(({ kind }) => kind === 'Ingress')!;

for (const kind of KINDS) {
  test(`32 ${kind}: while the API refuses connections all that is known stays, and afterwards the source catches up within five seconds`, async (t) => {
    const cluster = await tenIngresses(t, {}, kind);
    const followed = await follow(t, cluster);
    await followed.started;
    const fewest = watchForLoss(followed);
    await cluster.link.refuse();
    for (let index = 0; index < 20; index++) await cluster.admin.apply(endpointSlice('web', 8080, [{ address: `10.1.0.${index + 1}` }]));
    await cluster.admin.remove(ingress('web-0', '', ''));
    await cluster.admin.apply(ingress('web-new', 'new.example', 'web'));
    await pause(3_000);
    t.deepEqual(followed.changes, []);
    t.true((ingressStats(followed).ageMs ?? 0) >= 2_900, 'the age of the view grows');
    await cluster.link.open();
    const took = await until('all that happened meanwhile is known', () =>
      followed.names('Ingress').includes('shop/web-new') && !followed.names('Ingress').includes('shop/web-0')
      && followed.source.state.objects.EndpointSlice.get('shop/web-1')?.endpoints[0]?.addresses[0] === '10.1.0.20', 5_000, () => followed.log);
    t.true(fewest() >= 9, 'one Ingress was removed, and nothing else ever');
    t.is(followed.names('Ingress').length, 10);
    t.log(`caught up after ${Math.round(took)} ms`);
  });

  test(`33 ${kind}: an API that accepts and says nothing is noticed, and what it says later is believed`, async (t) => {
    const cluster = await tenIngresses(t, {}, kind);
    const followed = await follow(t, cluster);
    await followed.started;
    await until('watches are open', () => followed.source.stats().every(({ watches }) => watches > 0));
    cluster.link.freeze();
    const failures = ingressStats(followed).failures;
    const noticed = await until('it is noticed', () => ingressStats(followed).failures > failures, 6_000);
    t.true(noticed <= FAST.watchMs[1] + FAST.silenceMs + 1_000, `${noticed} ms`);
    await cluster.admin.apply(ingress('web-new', 'new.example', 'web'));
    await cluster.link.open();
    await until('it is known', () => followed.names('Ingress').includes('shop/web-new'), 5_000);
    t.is(followed.names('Ingress').length, 11);
  });

  // Alone: two dozen clusters that start beside it in this process take more of the second than the source does.
  test.serial(`a watch that is reset is resumed within a second and misses nothing (${kind})`, async (t) => {
    const cluster = await tenIngresses(t, {}, kind);
    const followed = await follow(t, cluster);
    await followed.started;
    for (let round = 0; round < 5; round++) {
      await until('watches are open', () => ingressStats(followed).watches > round);
      cluster.link.reset();
      const name = `after-reset-${round}`;
      await cluster.admin.apply(ingress(name, `${name}.example`, 'web'));
      const took = await until('the new one is known', () => followed.names('Ingress').includes(`shop/${name}`), 5_000);
      t.true(took < 1_000, `${took} ms`);
    }
    t.is(followed.names('Ingress').length, 15);
    });
}

test('34: a server that asks for two seconds is left alone by all kinds, and never gets more than a request a second', async (t) => {
  for (const code of [429, 500]) {
    const cluster = await tenIngresses(t);
    const followed = await follow(t, cluster);
    await followed.started;
    const fault = cluster.server.faults.add({ action: { type: 'status', code, retryAfterSeconds: 2 } });
    cluster.link.reset();
    await until('the first is turned away', () => fault.hits > 0);
    await pause(500);
    const first = fault.hits;
    t.true(first <= 5, `${first} kinds asked`);
    await pause(1_200);
    t.is(fault.hits, first, 'somebody asked again too early');
    await cluster.admin.apply(ingress('web-new', 'new.example', 'web')).catch(() => undefined);
    fault.remove();
    await cluster.admin.apply(ingress('web-new', 'new.example', 'web'));
    await until('it is known', () => followed.names('Ingress').includes('shop/web-new'), 5_000);
  }
});

test('34: errors without a word about time are met with pauses that grow', async (t) => {
  const cluster = await tenIngresses(t);
  const followed = await follow(t, cluster, { timings: { ...FAST, maxBackoffMs: 30_000 } });
  await followed.started;
  const fault = cluster.server.faults.add({ resource: 'ingresses', action: { type: 'status', code: 500 } });
  cluster.link.reset();
  await pause(3_000);
  // 12 to 25 ms at first, twice as long every time: after three seconds that is about eight.
  t.true(fault.hits >= 5 && fault.hits <= 10, `${fault.hits} requests`);
  t.is(followed.names('Ingress').length, 10);
});

for (const [how, action] of [['as status', { type: 'status', code: 410 }], ['as event', { type: 'goneEvent' }]] as const) {
  test(`35: 410 on every watch (${how}) leads to lists at a steady pace, and the state never shrinks`, async (t) => {
    const cluster = await tenIngresses(t);
    const followed = await follow(t, cluster);
    await followed.started;
    const fewest = watchForLoss(followed);
    const before = ingressStats(followed).lists;
    const fault = cluster.server.faults.add({ verb: 'watch', action });
    cluster.link.reset();
    await pause(3_000);
    const lists = ingressStats(followed).lists - before;
    t.true(lists >= 3 && lists <= 3_000 / FAST.relistGapMs + 1, `${lists} lists in three seconds, one per ${FAST.relistGapMs} ms is allowed`);
    fault.remove();
    await cluster.admin.apply(ingress('web-new', 'new.example', 'web'));
    await until('it is known', () => followed.names('Ingress').includes('shop/web-new'), 5_000);
    t.is(fewest(), 10);
  });
}

for (const keep of [0, 3]) {
  test(`36: one list that is cut to ${keep} of 10 with status 200 changes nothing`, async (t) => {
    const cluster = await tenIngresses(t);
    const followed = await follow(t, cluster);
    await followed.started;
    const fewest = watchForLoss(followed);
    cluster.server.faults.add({ verb: 'list', resource: 'ingresses', times: 1, action: { type: 'shortList', keep } });
    // The probe is a list as well: it must not be what the fault hits.
    cluster.server.faults.add({ verb: 'watch', resource: 'ingresses', times: 1, action: { type: 'badLine', after: 0 } });
    cluster.server.faults.add({ verb: 'watch', resource: 'ingresses', times: 1, action: { type: 'goneEvent' } });
    await until('the watch ends, and the next is expired', () => ingressStats(followed).lists >= 3, 10_000, () => followed.log);
    t.true(followed.log.some((line) => line.includes('more than half')), followed.log.join('\n'));
    t.is(fewest(), 10);
    t.deepEqual(followed.changes, []);
  });
}

test('36: what really is gone is believed when a second list says so', async (t) => {
  const cluster = await tenIngresses(t);
  const followed = await follow(t, cluster);
  await followed.started;
  await cluster.link.refuse();
  for (let index = 0; index < 9; index++) await cluster.admin.remove(ingress(`web-${index}`, '', ''));
  cluster.server.compact();
  await cluster.link.open();
  await until('only one is left', () => followed.names('Ingress').length === 1, 8_000);
  t.deepEqual(followed.names('Ingress'), ['shop/web-9']);
});

test('36: a list that breaks off in the middle is no list', async (t) => {
  const cluster = await tenIngresses(t);
  const followed = await follow(t, cluster);
  await followed.started;
  const fewest = watchForLoss(followed);
  const fault = cluster.server.faults.add({ verb: 'list', resource: 'ingresses', times: 3, action: { type: 'cutList' } });
  cluster.server.compact();
  cluster.link.reset();
  await until('it was tried several times', () => fault.hits === 3, 10_000);
  await cluster.admin.apply(ingress('web-new', 'new.example', 'web'));
  await until('the whole list is known', () => followed.names('Ingress').length === 11, 8_000);
  t.is(fewest(), 10);
});

test('37: when etcd is restored from a backup, the source goes back with it and does not wait for old versions to come again', async (t) => {
  const cluster = await tenIngresses(t);
  const restore = cluster.server.store.backup();
  for (let index = 10; index < 14; index++) await cluster.admin.apply(ingress(`web-${index}`, `web-${index}.example`, 'web'));
  const followed = await follow(t, cluster);
  await followed.started;
  t.is(followed.names('Ingress').length, 14);
  await cluster.link.refuse();
  restore();
  await cluster.admin.apply(ingress('after-restore', 'after.example', 'web'));
  await cluster.link.open();
  await until('the past is forgotten', () => followed.names('Ingress').includes('shop/after-restore') && followed.names('Ingress').length === 11, 8_000, () => followed.log);
  await cluster.admin.apply(ingress('later', 'later.example', 'web'));
  await until('the watch goes on', () => followed.names('Ingress').includes('shop/later'), 8_000);
});

test('37: a restored etcd whose versions have overtaken the old ones is found out, too', async (t) => {
  const cluster = await tenIngresses(t);
  const restore = cluster.server.store.backup();
  await cluster.admin.apply(ingress('lost', 'lost.example', 'web'));
  const followed = await follow(t, cluster);
  await followed.started;
  await cluster.link.refuse();
  restore();
  for (let index = 0; index < 10; index++) await cluster.admin.apply(ingress(`new-${index}`, `new-${index}.example`, 'web'));
  await cluster.link.open();
  await until('the past is forgotten, and all that is new is known', () => followed.names('Ingress').length === 20 && !followed.names('Ingress').includes('shop/lost'), 10_000, () => followed.names('Ingress'));
  t.pass();
});

for (const action of [{ type: 'reverse', size: 3 }, { type: 'duplicate' }] as const) {
  test(`38: with events that come in ${action.type === 'reverse' ? 'reverse order' : 'pairs'}, the end is what there is`, async (t) => {
    const cluster = await tenIngresses(t);
    cluster.server.faults.add({ verb: 'watch', action });
    const followed = await follow(t, cluster);
    await followed.started;
    await until('watches are open', () => ingressStats(followed).watches > 0);
    for (let round = 0; round < 60; round++) {
      const name = `web-${round % 7}`;
      if (round % 3 === 2) await cluster.admin.remove(ingress(name, '', ''));
      else await cluster.admin.apply(ingress(name, `${name}.example`, `round-${round}`));
    }
    const real = (): string => cluster.server.all('Ingress').map(({ metadata, spec }) => `${metadata.name} ${JSON.stringify(spec)}`.match(/^\S+|"service":\{"name":"[^"]*"/g)!.join()).sort().join('\n');
    const seen = (): string => [...followed.source.state.objects.Ingress.values()].map(({ metadata, rules }) => {
      const backend = rules[0]!.paths[0]!.backend;
      return `${metadata.name},"service":{"name":"${'service' in backend ? backend.service : ''}"`;
    }).sort().join('\n');
    await until('both are the same', () => real() === seen(), 8_000);
    t.pass();
  });
}

for (const [what, action] of [
  ['a line that is no JSON', { type: 'badLine', after: 1 }],
  ['an ERROR event', { type: 'errorEvent', code: 500, after: 1 }],
  ['a reset', { type: 'resetWatch', after: 1 }],
  ['silence', { type: 'stall', after: 1 }],
] as const) {
  test(`${what} in the middle of a watch loses no event`, async (t) => {
    const cluster = await tenIngresses(t);
    cluster.server.faults.add({ verb: 'watch', resource: 'ingresses', times: 2, action });
    const followed = await follow(t, cluster);
    await followed.started;
    for (let round = 0; round < 6; round++) {
      await cluster.admin.apply(ingress(`late-${round}`, `late-${round}.example`, 'web'));
      await pause(20);
    }
    await until('all are known', () => followed.names('Ingress').length === 16, 8_000, () => followed.names('Ingress'));
    t.pass();
  });
}

test('what no event told is found by a list without need', async (t) => {
  const cluster = await tenIngresses(t, { bookmarkEveryMs: 100 });
  cluster.server.faults.add({ verb: 'watch', resource: 'ingresses', action: { type: 'bookmarksOnly' } });
  const followed = await follow(t, cluster, { timings: { ...FAST, auditMs: 2_000 } });
  await followed.started;
  await cluster.admin.apply(ingress('untold', 'untold.example', 'web'));
  await until('it is found', () => followed.names('Ingress').includes('shop/untold'), 8_000);
  t.pass();
});

for (const kind of KINDS) {
  test(`44 ${kind}: a missing right for one kind is a Problem and one log line, and stops no other kind`, async (t) => {
    const cluster = await Cluster.start(kind, { rights: 'none' });
    t.teardown(() => cluster.stop());
    const rules = ['ingresses', 'ingressclasses', 'services', 'endpointslices'].map((resource) => ({ apiGroups: ['*'], resources: [resource], verbs: ['list', 'watch', 'get'] }));
    const role = { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata: { name: 'fairlead' } };
    await cluster.admin.apply({ ...role, rules: rules.filter(({ resources }) => resources[0] !== 'ingressclasses') });
    await cluster.admin.apply({ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRoleBinding', metadata: { name: 'least' }, subjects: [{ kind: 'ServiceAccount', name: 'fairlead', namespace: 'fairlead' }], roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'fairlead' } });
    await cluster.admin.apply(ingressClass());
    await cluster.admin.apply(ingress('web', 'web.example', 'web'));
    await until('the rights are in force', async () => (await cluster.admin.list('rbac.authorization.k8s.io/v1', 'ClusterRoleBinding')).length > 0);
    const followed = await follow(t, cluster);
    await followed.started;
    t.deepEqual(followed.names('Ingress'), ['shop/web']);
    const [problem] = followed.source.problems();
    t.is(problem?.reason, 'Forbidden');
    t.is(problem?.origin.name, 'ingressclasses.networking.k8s.io');
    await pause(1_500);
    t.is(followed.log.filter((line) => line.includes('may not read')).length, 1, followed.log.join('\n'));
    await cluster.admin.apply({ ...role, rules });
    await until('the right is used as soon as it is there', () => followed.names('IngressClass').length === 1, 8_000);
    t.deepEqual(followed.source.problems(), []);
  });

  test(`45 ${kind}: tokens that are exchanged again and again cost no watch`, async (t) => {
    const cluster = await tenIngresses(t, {}, kind);
    const file = cluster.writeKubeconfig();
    const followed = await follow(t, cluster, {}, file);
    await followed.started;
    for (let round = 1; round <= 6; round++) {
      const token = `rotated-token-${round}`;
      if (kind === 'test server') {
        cluster.server.access.addToken(token, { name: 'system:serviceaccount:fairlead:fairlead', groups: [] });
        writeFileSync(file, kubeconfig({ url: cluster.url, caPem: cluster.caPem, token }));
        cluster.server.access.removeToken(round === 1 ? CONTROLLER_TOKENS[0] : `rotated-token-${round - 1}`);
      } else {
        writeFileSync(file, kubeconfig({ url: cluster.url, caPem: cluster.caPem, token: CONTROLLER_TOKENS[round % 2]! }));
      }
      await pause(700);
    }
    await cluster.admin.apply(ingress('web-new', 'new.example', 'web'));
    await until('watches go on', () => followed.names('Ingress').includes('shop/web-new'), 5_000);
    t.deepEqual(followed.source.stats().map(({ kind: name, failures }) => `${name} ${failures}`).filter((line) => !line.endsWith(' 0')), []);
  });
}

test('45: a new CA in the kubeconfig is used for new connections', async (t) => {
  const cluster = await tenIngresses(t);
  const file = cluster.writeKubeconfig();
  const followed = await follow(t, cluster, {}, file);
  await followed.started;
  cluster.server.renewCertificate();
  writeFileSync(file, kubeconfig({ url: cluster.url, caPem: cluster.server.caPem, token: CONTROLLER_TOKENS[0] }));
  cluster.link.reset();
  cluster.server.write(ingress('web-new', 'new.example', 'web'));
  await until('watches go on', () => followed.names('Ingress').includes('shop/web-new'), 5_000, () => followed.log);
  t.is(followed.names('Ingress').length, 11);
});
