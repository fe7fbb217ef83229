// What is written back to a cluster, as the whole that serves it puts it together: never before it is known what is ours.
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { setTimeout as pause } from 'node:timers/promises';
import { settingsOf } from '../../controller/cli/options.ts';
import { ClusterSource } from '../../controller/cluster.ts';
import { createLogFor } from '../../controller/log.ts';
import { Cluster } from '../support/kube/cluster.ts';
import { ingress, ingressClass } from '../support/kube/objects.ts';
import { until } from '../support/kube/until.ts';

interface Served {
  readonly source: ClusterSource;
  readonly started: Promise<void>;
  /** Lines of the log. */
  readonly log: string[];
}

function serve(t: ExecutionContext, cluster: Cluster, ...args: readonly string[]): Served {
  const log: string[] = [];
  const settings = settingsOf(['--kubeconfig', cluster.writeKubeconfig(), '--election-ttl', '3s', ...args]);
  const source = new ClusterSource(settings, settings.kube!, createLogFor('debug', (line) => log.push(line)));
  const started = source.start(() => undefined);
  t.teardown(() => source.stop());
  return { source, started, log };
}

test('no status is written while it is not known which classes there are, and none of an Ingress that turns out to be somebody else\'s', async (t) => {
  const cluster = await Cluster.start('test server');
  t.teardown(() => cluster.stop());
  await cluster.admin.apply(ingressClass('nginx', 'k8s.io/ingress-nginx'));
  for (const object of [ingressClass('own'), ingress('foreign', 'foreign.example', 'web', { className: 'nginx' }), ingress('own', 'own.example', 'web', { className: 'own' })]) await cluster.admin.apply(object);
  const fault = cluster.server.faults.add({ verb: 'list', resource: 'ingressclasses', action: { type: 'status', code: 500 } });
  const { source, started } = serve(t, cluster, '--ingress-class', 'nginx', '--publish-status-address', '192.0.2.1');
  const statusOf = async (name: string): Promise<string> => JSON.stringify((await cluster.admin.read(ingress(name, '', '')))?.status ?? {});
  await until('it leads, and knows the Ingresses', () => source.stats().leader && source.state.objects.Ingress.size === 2);
  await pause(1_000);
  fault.remove();
  await started;
  await until('the status of its own is written', async () => (await statusOf('own')).includes('192.0.2.1'), 10_000);
  t.false((await statusOf('foreign')).includes('192.0.2.1'));
});

test('where the status would show nodes and they may not be read, the log says so, once', async (t) => {
  const cluster = await Cluster.start('test server');
  t.teardown(() => cluster.stop());
  cluster.server.access.deny('pods');
  const { started, log } = serve(t, cluster);
  await started;
  const lines = (): string[] => log.filter((line) => line.includes('the status of Ingresses is left alone'));
  await until('it is said', () => lines().length > 0);
  const { length } = cluster.server.requests;
  await until('it was asked again', () => cluster.server.requests.slice(length).some(({ resource }) => resource === 'pods'));
  await pause(100);
  t.is(lines().length, 1);
  t.regex(lines()[0] ?? '', /"level":"warn".*pods.*is forbidden/);
});
