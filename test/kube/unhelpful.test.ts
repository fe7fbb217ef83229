// API servers that answer and do not help: rights that are missing, watches that say nothing, lists that are refused as if they
// were watches. The source makes do with what there is, or waits; it never takes what it may not see for what is not there.
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { setTimeout as pause } from 'node:timers/promises';
import { Cluster } from '../support/kube/cluster.ts';
import { FAST } from '../support/kube/fast.ts';
import { endpointSlice, ingress, ingressClass } from '../support/kube/objects.ts';
import { follow } from '../support/kube/source.ts';
import { until } from '../support/kube/until.ts';

/** A cluster with an Ingress and a slice, that is stopped when the test ends. */
async function small(t: ExecutionContext): Promise<Cluster> {
  const cluster = await Cluster.start('test server');
  t.teardown(() => cluster.stop());
  for (const object of [ingressClass(), endpointSlice('web', 8080, [{ address: '10.1.0.1' }]), ingress('web', 'web.example', 'web')]) await cluster.admin.apply(object);
  return cluster;
}

for (const missing of ['ingresses', 'services', 'endpointslices']) {
  test.serial(`44: without the right to ${missing} nothing has been read yet, and the start goes on when it is there`, async (t) => {
    const cluster = await small(t);
    const allow = cluster.server.access.deny(missing);
    const { started, log, names } = await follow(t, cluster);
    let over = false;
    void started.then(() => (over = true));
    await until('it is refused', () => log.some((line) => line.includes('may not read') && line.includes(missing)), 10_000, () => log);
    await pause(500);
    t.false(over);
    allow();
    await started;
    t.deepEqual(names('Ingress'), ['shop/web']);
  });
}

test.serial('a cluster whose discovery is for administrators alone is served by its EndpointSlices', async (t) => {
  const cluster = await small(t);
  cluster.server.access.discovery = false;
  const { started, names } = await follow(t, cluster);
  await started;
  t.deepEqual(names('EndpointSlice'), ['shop/web-1']);
});

test.serial('where every watch is over before it says a word, lists tell what changes', async (t) => {
  const cluster = await small(t);
  const fault = cluster.server.faults.add({ verb: 'watch', resource: 'ingresses', action: { type: 'endsAtOnce' } });
  const { started, names, source } = await follow(t, cluster);
  await started;
  await until('watches have ended', () => fault.hits >= 2);
  await cluster.admin.apply(ingress('untold', 'untold.example', 'web'));
  await until('it is found', () => names('Ingress').includes('shop/untold'));
  t.true(source.stats().find(({ kind }) => kind === 'Ingress')!.lists <= fault.hits + 1, 'there are no more lists than watches that failed to do their work');
});

test.serial('410 for every list is met with pauses that grow, as any other error', async (t) => {
  const cluster = await small(t);
  const fault = cluster.server.faults.add({ verb: 'list', resource: 'ingresses', action: { type: 'status', code: 410 } });
  const { started, names } = await follow(t, cluster, { timings: { ...FAST, maxBackoffMs: 30_000 } });
  // Each time with pages and without. 12 to 25 ms at first, twice as long every time: after five times it is 200 ms at least.
  await until('it was asked five times', () => fault.hits >= 10);
  const asked = fault.hits;
  await pause(300);
  t.true(fault.hits - asked <= 2, `${fault.hits - asked} more requests in three tenths of a second`);
  fault.remove();
  await started;
  t.deepEqual(names('Ingress'), ['shop/web']);
});
