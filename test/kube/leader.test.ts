// Leader election against an API server: one leader at most, whatever the clocks say and whoever meddles with the Lease.
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { setTimeout as pause } from 'node:timers/promises';
import { KubeClient } from '../../controller/kube/client.ts';
import { readIdentity } from '../../controller/kube/identity.ts';
import { LeaderElection } from '../../controller/kube/leader.ts';
import { Cluster, clusterKinds } from '../support/kube/cluster.ts';
import type { Manifest } from '../support/kube/admin.ts';
import { until } from '../support/kube/until.ts';

/** Leases count in whole seconds. */
const TTL_MS = 2_000;
const HOUR_MS = 3_600_000;

interface Candidate {
  readonly election: LeaderElection;
  readonly history: boolean[];
  /** Reasons of its warnings. */
  readonly warnings: string[];
}

async function candidate(t: ExecutionContext, cluster: Cluster, name: string, identity: string, { skewMs = 0, ttlMs = TTL_MS } = {}): Promise<Candidate> {
  const client = await KubeClient.connect(() => readIdentity(cluster.writeKubeconfig()));
  const history: boolean[] = [];
  const warnings: string[] = [];
  const quiet = (): void => undefined;
  const election = new LeaderElection({
    client, log: { info: quiet, warn: (fields) => void warnings.push((fields as { reason: string }).reason), error: quiet }, namespace: 'fairlead', name, identity, ttlMs,
    onChange: (leader) => history.push(leader), wallClock: () => new Date(Date.now() + skewMs),
  });
  election.start();
  t.teardown(async () => {
    await election.stop();
    await client.close();
  });
  return { election, history, warnings };
}

const lease = (name: string): Manifest => ({ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name, namespace: 'fairlead' } });
const holderOf = async (cluster: Cluster, name: string): Promise<unknown> => ((await cluster.admin.read(lease(name)))?.spec as { holderIdentity?: unknown } | undefined)?.holderIdentity;

/** Steals the Lease as no candidate would: without asking. */
async function steal(cluster: Cluster, name: string): Promise<void> {
  await cluster.admin.patch(lease(name), { spec: { holderIdentity: 'thief', renewTime: '2026-01-01T00:00:00.000000Z' } });
}

for (const kind of clusterKinds()) {
  let cluster: Cluster;
  test.before(`${kind}: start`, async () => {
    cluster = await Cluster.start(kind);
  });
  test.after.always(`${kind}: stop`, () => cluster.stop());

  test(`${kind}: of three replicas one leads, and when it ends another does at once`, async (t) => {
    const all = await Promise.all(['a', 'b', 'c'].map((identity) => candidate(t, cluster, 'three', identity)));
    await until('somebody leads', () => all.some(({ election }) => election.isLeader));
    await pause(TTL_MS);
    const leaders = all.filter(({ election }) => election.isLeader);
    t.is(leaders.length, 1);
    await leaders[0]!.election.stop();
    t.false(leaders[0]!.election.isLeader);
    const took = await until('another leads', () => all.some((one) => one !== leaders[0] && one.election.isLeader), 10_000);
    t.true(took < TTL_MS, `${took} ms: the Lease was given back, nobody had to wait for its end`);
  });

  test(`43 ${kind}: clocks that are an hour off make no second leader`, async (t) => {
    const fast = await candidate(t, cluster, 'skew', 'fast', { skewMs: HOUR_MS });
    await until('one leads', () => fast.election.isLeader);
    const slow = await candidate(t, cluster, 'skew', 'slow', { skewMs: -HOUR_MS });
    const slower = await candidate(t, cluster, 'skew', 'slower', { skewMs: -2 * HOUR_MS });
    await pause(2 * TTL_MS);
    t.deepEqual([fast.history, slow.history, slower.history], [[true], [], []]);
  });

  test(`43 ${kind}: a Lease that is stolen twice is noticed and won back when the thief does not renew it`, async (t) => {
    const { election, history } = await candidate(t, cluster, 'stolen', 'owner');
    for (let round = 0; round < 2; round++) {
      await until('it leads', () => election.isLeader);
      await steal(cluster, 'stolen');
      await until('it notices', () => !election.isLeader);
      t.is(await holderOf(cluster, 'stolen'), 'thief');
    }
    await until('it leads again', () => election.isLeader);
    t.deepEqual(history, [true, false, true, false, true]);
  });
}

test('43: whoever cannot reach the API no longer takes itself for the leader before anybody else may be', async (t) => {
  const own = await Cluster.start('test server');
  t.teardown(() => own.stop());
  const { election } = await candidate(t, own, 'cut-off', 'owner');
  await until('it leads', () => election.isLeader);
  await own.link.refuse();
  const took = await until('it gives up', () => !election.isLeader);
  t.true(took <= (TTL_MS * 2) / 3 + 200, `${took} ms`);
  t.like(own.server.read('Lease', 'fairlead/cut-off'), { spec: { holderIdentity: 'owner' } });
  await own.link.open();
  await until('it leads again', () => election.isLeader);
});

test('two renewals in a row that fail cost no leadership, and one line in the log', async (t) => {
  const own = await Cluster.start('test server');
  t.teardown(() => own.stop());
  const { election, history, warnings } = await candidate(t, own, 'shaken', 'owner', { ttlMs: 6_000 });
  await until('it leads', () => election.isLeader);
  const fault = own.server.faults.add({ verb: 'update', resource: 'leases', times: 2, action: { type: 'status', code: 500 } });
  await until('both have failed', () => fault.hits === 2);
  const failed = performance.now();
  await until('one has gone well', () => own.server.requests.some(({ at, verb, resource }) => at > failed && verb === 'update' && resource === 'leases'));
  t.deepEqual(history, [true]);
  t.is(warnings.length, 1);
});

test('what goes wrong with the Lease for long is logged once a minute', async (t) => {
  const own = await Cluster.start('test server');
  t.teardown(() => own.stop());
  const fault = own.server.faults.add({ resource: 'leases', action: { type: 'status', code: 500 } });
  const { history, warnings } = await candidate(t, own, 'broken', 'owner');
  await until('it was tried several times', () => fault.hits >= 4);
  t.deepEqual(history, []);
  t.is(warnings.length, 1);
});
