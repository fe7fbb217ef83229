// When a change becomes a table: endpoints at once, routes one table per pause, and what happens when making one throws.
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { selfSigned } from '../../certs/self-signed.ts';
import { DnsWatcher } from '../../controller/dns.ts';
import { KubeStore } from '../../controller/kube/state.ts';
import type { KubeState, Source } from '../../controller/kube/state.ts';
import { listenersOf } from '../../controller/listeners.ts';
import { Pipeline } from '../../controller/pipeline.ts';
import { Reconciler } from '../../controller/reconcile.ts';
import { eventually } from '../support/fairlead-http.ts';
import { endpoints, ingress, service } from '../support/fairlead-manifests.ts';
import { readManifests } from '../support/manifests.ts';

/** A source whose objects the test puts in itself. */
class HandSource implements Source {
  readonly store = new KubeStore();
  broken = false;

  get state(): KubeState {
    if (this.broken) throw new Error('a bug');
    return this.store;
  }

  put(yaml: string): ReturnType<KubeStore['put']>[] {
    return readManifests(yaml).objects.map((object) => this.store.put(object));
  }

  problems(): readonly [] {
    return [];
  }

  locate(): undefined {
    return undefined;
  }

  async start(): Promise<void> {}

  async stop(): Promise<void> {}
}

interface Setup {
  readonly source: HandSource;
  readonly reconciler: Reconciler;
  /** Hostnames and endpoint counts of every table that was made. */
  readonly tables: { readonly hosts: readonly string[]; readonly endpoints: number }[];
  readonly failures: unknown[];
}

const CERTIFICATE = selfSigned({ hostnames: ['test.invalid'] });

function setup(t: ExecutionContext): Setup {
  const source = new HandSource();
  const dns = new DnsWatcher([], () => undefined);
  const tables: Setup['tables'] = [];
  const failures: unknown[] = [];
  const pipeline = new Pipeline({
    controllerClass: 'fairlead.dev/ingress-controller',
    ingressClass: 'fairlead',
    watchIngressWithoutClass: true,
    selfSigned: CERTIFICATE,
    listeners: listenersOf({ bind: '127.0.0.1', httpPort: 80, httpsPort: 443, trustedProxies: [] }),
  });
  const reconciler = new Reconciler(source, pipeline, dns, {
    onResult: ({ sections }) => tables.push({
      hosts: Object.values(sections.virtualHosts).map((host) => host.hostname).sort(),
      endpoints: Object.values(sections.endpoints).flat().length,
    }),
    onFailure: (error) => failures.push(error),
  });
  t.teardown(() => reconciler.stop());
  source.put(ingress('web', { host: 'a.example' }));
  source.put(service('web'));
  reconciler.runAll();
  return { source, reconciler, tables, failures };
}

test('an endpoint change is a table before `changed` returns, however many come', (t) => {
  const { source, reconciler, tables } = setup(t);
  reconciler.changed(source.put(endpoints('web', 8001)));
  reconciler.changed(source.put(endpoints('web', 8002)));
  t.deepEqual(tables.map((table) => table.endpoints), [0, 1, 2]);
});

test('of a burst of route changes the rest waits and comes as one table', async (t) => {
  const { source, reconciler, tables } = setup(t);
  for (const name of ['b', 'c', 'd', 'e']) reconciler.changed(source.put(ingress(name, { host: `${name}.example` })));
  t.true(tables.length < 4);
  await eventually('the last change is in a table', () => tables.at(-1)?.hosts.includes('e.example'));
  t.true(tables.length < 5);
  t.deepEqual(tables.at(-1)?.hosts, ['a.example', 'b.example', 'c.example', 'd.example', 'e.example']);
});

test('a route change after quiet goes at once', async (t) => {
  const { source, reconciler, tables } = setup(t);
  reconciler.changed(source.put(ingress('b', { host: 'b.example' })));
  await eventually('it is there', () => tables.length === 2);
  await eventually('a change is a table before `changed` returns', () => {
    const before = tables.length;
    reconciler.changed(source.put(ingress('b', { host: `${before}.example` })));
    return tables.length === before + 1;
  });
  t.pass();
});

test('an endpoint change takes waiting route changes along', (t) => {
  const { source, reconciler, tables } = setup(t);
  reconciler.changed(source.put(ingress('b', { host: 'b.example' })));
  reconciler.changed(source.put(ingress('c', { host: 'c.example' })));
  reconciler.changed(source.put(endpoints('web', 8001)));
  t.deepEqual(tables.at(-1), { hosts: ['a.example', 'b.example', 'c.example'], endpoints: 1 });
});

test('a run that throws loses nothing: the next one sees all', (t) => {
  const { source, reconciler, tables, failures } = setup(t);
  source.broken = true;
  reconciler.changed(source.put(endpoints('web', 8001)));
  reconciler.changed(source.put(service('late')));
  t.is(failures.length >= 1, true);
  t.is(tables.length, 1);
  source.broken = false;
  reconciler.changed(source.put(endpoints('web', 8002)));
  t.is(tables.at(-1)?.endpoints, 2);
});
