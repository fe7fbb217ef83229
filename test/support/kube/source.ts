// A KubeSource on a test cluster, with everything that it reports kept for the test to look at.
import type { ExecutionContext } from 'ava';
import { KubeClient } from '../../../controller/kube/client.ts';
import { readIdentity } from '../../../controller/kube/identity.ts';
import type { Kind } from '../../../controller/kube/objects.ts';
import { KubeSource } from '../../../controller/kube/source.ts';
import type { KubeSourceOptions } from '../../../controller/kube/source.ts';
import type { Change } from '../../../controller/kube/state.ts';
import type { Cluster } from './cluster.ts';
import { FAST } from './fast.ts';

export interface Followed {
  readonly source: KubeSource;
  readonly client: KubeClient;
  /** Every change that was reported after the start: `Ingress shop/web`. */
  readonly changes: string[];
  /** Log lines: level, message, reason. */
  readonly log: string[];
  /** Resolves when the source has started. */
  readonly started: Promise<void>;
  names(kind: Kind): string[];
}

/** Follows the cluster until the test ends. */
export async function follow(t: ExecutionContext, cluster: Cluster, options: Partial<KubeSourceOptions> = {}, kubeconfig = cluster.writeKubeconfig()): Promise<Followed> {
  const client = await KubeClient.connect(() => readIdentity(kubeconfig));
  const changes: string[] = [];
  const log: string[] = [];
  const write = (level: string) => (fields: object, message: string): void => void log.push(`${level} ${message} ${JSON.stringify(fields)}`);
  const source = new KubeSource({
    client,
    log: { info: write('info'), warn: write('warn'), error: write('error') },
    namespaces: [],
    namespaceSelector: '',
    endpointsApi: 'auto',
    services: [],
    named: [],
    references: (ingress) => ingress.tls.map(({ secretName }) => ({ kind: 'Secret', key: `${ingress.metadata.namespace}/${secretName}` })),
    timings: FAST,
    ...options,
  });
  const started = source.start((changed: readonly Change[]) => changes.push(...changed.map(({ kind, key }) => `${kind} ${key}`)));
  // Whoever stops before the start is complete does not wait for it.
  started.catch(() => undefined);
  t.teardown(async () => {
    await source.stop();
    await client.close();
  });
  return { source, client, changes, log, started, names: (kind) => [...source.state.objects[kind].keys()].sort() };
}
