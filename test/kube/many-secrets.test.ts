// One watch over all Secrets in place of very many by name, while it is still being tried: what is wanted, or over, meanwhile.
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { setTimeout as pause } from 'node:timers/promises';
import { selfSigned } from '../../certs/self-signed.ts';
import type { Fault } from '../support/api-server/faults.ts';
import type { Seen } from '../support/api-server/handler.ts';
import { CONTROLLER, Cluster } from '../support/kube/cluster.ts';
import { ingress, tlsSecret } from '../support/kube/objects.ts';
import { follow } from '../support/kube/source.ts';
import type { Followed } from '../support/kube/source.ts';
import { until } from '../support/kube/until.ts';

const CERTIFICATE = selfSigned({ hostnames: ['many.example'] });

interface Trial extends Followed {
  readonly cluster: Cluster;
  /** The list of all Secrets fails for as long as this is there. */
  readonly fault: Fault;
  /** The source's requests for Secrets that came later than this, in milliseconds of `performance.now()`: for one of a name, or for all (empty). */
  since(ms: number, name: string): readonly Seen[];
}

/** A source that tries to read all Secrets at its start, because three are too many to be watched by name. */
async function trial(t: ExecutionContext): Promise<Trial> {
  const cluster = await Cluster.start('test server');
  t.teardown(() => cluster.stop());
  for (const name of ['one', 'two', 'three']) {
    await cluster.admin.apply(tlsSecret(name, CERTIFICATE));
    await cluster.admin.apply(ingress(name, `${name}.example`, 'web', { secretName: name }));
  }
  const fault = cluster.server.faults.add({ verb: 'list', resource: 'secrets', action: { type: 'status', code: 500 } });
  const followed = await follow(t, cluster, { mostByName: 2 });
  await until('all Secrets are asked for', () => fault.hits > 0);
  return { ...followed, cluster, fault, since: (ms, of) => cluster.server.requests.filter(({ at, resource, name, user }) => at > ms && resource === 'secrets' && name === of && user === CONTROLLER) };
}

test('a Secret that is wanted while all are first read is watched once, and no longer than it is wanted', async (t) => {
  const { cluster, fault, started, names, since } = await trial(t);
  await cluster.admin.apply(tlsSecret('meanwhile', CERTIFICATE));
  await cluster.admin.apply(ingress('meanwhile', 'meanwhile.example', 'web', { secretName: 'meanwhile' }));
  await until('it is asked for', () => since(0, 'meanwhile').length > 0);
  fault.remove();
  await started;
  t.deepEqual(names('Secret'), ['shop/meanwhile', 'shop/one', 'shop/three', 'shop/two']);
  await until('it is watched', () => since(0, 'meanwhile').some(({ verb }) => verb === 'watch'));
  await cluster.admin.remove(ingress('meanwhile', '', ''));
  await until('it is dropped', () => !names('Secret').includes('shop/meanwhile'));
  const dropped = performance.now();
  // A watch lasts two seconds at most, here.
  await until('three more watches over all have begun', () => since(dropped, '').filter(({ verb }) => verb === 'watch').length >= 3);
  t.deepEqual(since(dropped, 'meanwhile'), []);
});

test('a source that is stopped while all Secrets are first read asks for nothing any more', async (t) => {
  const { source, since } = await trial(t);
  await source.stop();
  const stopped = performance.now();
  // It would try again after a tenth of a second, or sooner.
  await pause(1_000);
  t.deepEqual(since(stopped, ''), []);
});
