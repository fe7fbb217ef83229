// The source of objects against an API server: what it reads, what it leaves alone, and how soon it knows.
import test from 'ava';
import { selfSigned } from '../../certs/self-signed.ts';
import { Cluster, clusterKinds } from '../support/kube/cluster.ts';
import { endpointSlice, ingress, ingressClass, namespace, service, tlsSecret } from '../support/kube/objects.ts';
import { follow } from '../support/kube/source.ts';
import { until } from '../support/kube/until.ts';

for (const kind of clusterKinds()) {
  let cluster: Cluster;
  test.before(`${kind}: start`, async () => {
    cluster = await Cluster.start(kind);
    await cluster.admin.apply(ingressClass());
  });
  test.after.always(`${kind}: stop`, () => cluster.stop());

  test.serial(`${kind}: what is there at the start is known when it has started, and what comes later is reported`, async (t) => {
    for (const object of [service('web'), endpointSlice('web', 8080, [{ address: '10.1.0.1' }]), ingress('web', 'web.example', 'web')]) await cluster.admin.apply(object);
    const { source, started, changes, names } = await follow(t, cluster);
    await started;
    t.deepEqual(names('Ingress'), ['shop/web']);
    t.true(names('Service').includes('shop/web'));
    t.true(names('EndpointSlice').includes('shop/web-1'));
    t.deepEqual(names('IngressClass'), ['/fairlead']);
    t.deepEqual(changes, []);

    await cluster.admin.apply(endpointSlice('web', 8080, [{ address: '10.1.0.1' }, { address: '10.1.0.2' }]));
    await until('the slice is reported', () => changes.includes('EndpointSlice shop/web-1'));
    t.is(source.state.objects.EndpointSlice.get('shop/web-1')?.endpoints.length, 2);
    await cluster.admin.remove(ingress('web', '', ''));
    await until('the Ingress is gone', () => names('Ingress').length === 0);
    t.deepEqual(source.problems(), []);
  });

  test.serial(`${kind}: a write that changes no content is no change`, async (t) => {
    await cluster.admin.apply(endpointSlice('quiet', 8080, [{ address: '10.1.0.1' }]));
    const { source, started, changes } = await follow(t, cluster);
    await started;
    const before = source.state.objects.EndpointSlice.get('shop/quiet-1');
    const slice = endpointSlice('quiet', 8080, []);
    await cluster.admin.patch(slice, { endpoints: [{ addresses: ['10.1.0.1'], conditions: { ready: true, serving: true, terminating: false }, deprecatedTopology: { x: 'y' } }] });
    await cluster.admin.patch(slice, { endpoints: [{ addresses: ['10.1.0.1'], conditions: { ready: true, serving: true, terminating: false } }] });
    await cluster.admin.apply(service('after-the-quiet-one'));
    await until('a later change is there', () => changes.includes('Service shop/after-the-quiet-one'));
    await cluster.admin.apply(endpointSlice('loud', 8080, [{ address: '10.1.0.1' }]));
    await until('a later change of the same kind is there', () => changes.includes('EndpointSlice shop/loud-1'));
    t.false(changes.includes('EndpointSlice shop/quiet-1'));
    t.is(source.state.objects.EndpointSlice.get('shop/quiet-1'), before);
  });

  test.serial(`${kind}: only Secrets that an Ingress names are read, each by its name, and not for longer than it is named`, async (t) => {
    const certificate = selfSigned({ hostnames: ['tls.example'] });
    await cluster.admin.apply(tlsSecret('tls', certificate));
    await cluster.admin.apply(tlsSecret('other', certificate));
    await cluster.admin.apply(ingress('tls', 'tls.example', 'web', { secretName: 'tls' }));
    const { started, changes, names } = await follow(t, cluster);
    await started;
    t.deepEqual(names('Secret'), ['shop/tls']);
    if (kind === 'test server') t.true(cluster.server.requests.every(({ resource, name }) => resource !== 'secrets' || name !== '' ), 'all Secrets were listed');

    await cluster.admin.apply(ingress('tls', 'tls.example', 'web', { secretName: 'later' }));
    await until('the old one is dropped', () => names('Secret').length === 0);
    await cluster.admin.apply(tlsSecret('later', certificate));
    await until('the new one is read', () => names('Secret').includes('shop/later'));
    changes.length = 0;
    await cluster.admin.patch(tlsSecret('later', certificate), { data: { extra: 'eA==' } });
    await until('its change is reported', () => changes.includes('Secret shop/later'));
    await cluster.admin.remove(ingress('tls', '', ''));
    await until('nothing is wanted', () => names('Secret').length === 0);
  });

  for (const allowed of [true, false]) {
    test.serial(`${kind}: very many Secrets are read by one watch over all, ${allowed ? 'which keeps those that are wanted' : 'or by name after all if that is forbidden'}`, async (t) => {
      const own = await Cluster.start(kind, { rights: 'none' });
      t.teardown(() => own.stop());
      const names = Array.from({ length: 12 }, (_, index) => `many-${index}`);
      const read = { verbs: ['get', 'list', 'watch'] };
      await own.admin.apply({
        apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata: { name: 'fairlead' },
        rules: [
          { apiGroups: ['networking.k8s.io', 'discovery.k8s.io'], resources: ['ingresses', 'ingressclasses', 'endpointslices'], ...read },
          { apiGroups: [''], resources: ['services'], ...read },
          { apiGroups: [''], resources: ['secrets'], ...read, ...(allowed ? {} : { resourceNames: [...names, 'later'] }) },
        ],
      });
      await own.admin.apply({ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRoleBinding', metadata: { name: 'fairlead' }, subjects: [{ kind: 'ServiceAccount', name: 'fairlead', namespace: 'fairlead' }], roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'fairlead' } });
      const certificate = selfSigned({ hostnames: ['many.example'] });
      await own.admin.apply(tlsSecret('unwanted', certificate));
      for (const name of names) {
        await own.admin.apply(tlsSecret(name, certificate));
        await own.admin.apply(ingress(name, `${name}.example`, 'web', { secretName: name }));
      }
      const { source, started, changes, names: known, log } = await follow(t, own, { mostByName: 5 });
      await started;
      t.deepEqual(known('Secret'), names.map((name) => `shop/${name}`).sort());
      t.is(source.stats().find(({ kind: of }) => of === 'Secret')?.lists, allowed ? 1 : 12);
      t.deepEqual(source.problems(), [], log.join('\n'));

      await own.admin.apply(ingress('later', 'later.example', 'web', { secretName: 'later' }));
      await own.admin.apply(tlsSecret('later', certificate));
      await until('a new one is read', () => known('Secret').includes('shop/later'));
      changes.length = 0;
      await own.admin.patch(tlsSecret('many-3', certificate), { data: { extra: 'eA==' } });
      await until('a change is reported', () => changes.includes('Secret shop/many-3'));
      await own.admin.remove(ingress('many-4', '', ''));
      await until('what is not wanted any more is dropped', () => !known('Secret').includes('shop/many-4'));
      await own.admin.apply(ingress('many-4', 'many-4.example', 'web', { secretName: 'many-4' }));
      await until('and read again when it is', () => known('Secret').includes('shop/many-4'));
      await own.admin.remove(tlsSecret('many-5', certificate));
      await until('and gone when it is', () => !known('Secret').includes('shop/many-5'));
    });
  }

  test.serial(`${kind}: with --watch-namespace nothing else is read but what flags name`, async (t) => {
    await cluster.admin.apply(namespace('elsewhere'));
    await cluster.admin.apply(ingress('inside', 'inside.example', 'web'));
    await cluster.admin.apply(ingress('outside', 'outside.example', 'web', { namespace: 'elsewhere' }));
    for (const name of ['default-backend', 'not-named']) {
      await cluster.admin.apply(service(name, 'elsewhere'));
      await cluster.admin.apply(endpointSlice(name, 8080, [{ address: '10.1.0.9' }], { namespace: 'elsewhere' }));
    }
    const { started, names } = await follow(t, cluster, { namespaces: ['shop'], services: ['elsewhere/default-backend', 'shop/inside'] });
    await started;
    t.deepEqual(names('Ingress').filter((name) => name.endsWith('side')), ['shop/inside']);
    t.deepEqual(names('Service').filter((name) => name.startsWith('elsewhere')), ['elsewhere/default-backend']);
    t.deepEqual(names('EndpointSlice').filter((name) => name.startsWith('elsewhere')), ['elsewhere/default-backend-1']);
    await cluster.admin.apply(service('default-backend', 'elsewhere', { type: 'ClusterIP' }));
  });

  test.serial(`${kind}: with --watch-namespace-selector Ingresses come and go with the labels of their namespaces`, async (t) => {
    await cluster.admin.apply(namespace('chosen', { ingress: 'yes' }));
    await cluster.admin.apply(namespace('later'));
    for (const name of ['chosen', 'later']) await cluster.admin.apply(ingress('web', `${name}.example`, 'web', { namespace: name }));
    const { started, names, changes } = await follow(t, cluster, { namespaceSelector: 'ingress=yes' });
    await started;
    t.deepEqual(names('Ingress'), ['chosen/web']);
    await cluster.admin.patch(namespace('later'), { metadata: { labels: { ingress: 'yes' } } });
    await until('it is chosen', () => names('Ingress').length === 2);
    t.true(changes.includes('Ingress later/web'));
    await cluster.admin.patch(namespace('chosen'), { metadata: { labels: { ingress: null } } });
    await until('it is left out', () => names('Ingress').length === 1);
    t.deepEqual(names('Ingress'), ['later/web']);
    for (const name of ['chosen', 'later']) await cluster.admin.remove(ingress('web', '', '', { namespace: name }));
    await until('all are gone', () => names('Ingress').length === 0);
  });

  test.serial(`${kind}: Endpoints are read in place of EndpointSlices where a flag says so`, async (t) => {
    await cluster.admin.apply({ apiVersion: 'v1', kind: 'Endpoints', metadata: { name: 'old', namespace: 'shop' }, subsets: [{ addresses: [{ ip: '10.1.0.7' }], ports: [{ name: 'http', port: 8080 }] }] });
    const { source, started, names } = await follow(t, cluster, { endpointsApi: 'endpoints' });
    await started;
    t.deepEqual(source.state.objects.Endpoints.get('shop/old')?.subsets[0]?.addresses, ['10.1.0.7']);
    t.deepEqual(names('EndpointSlice'), []);
  });

  test.serial(`${kind}: counts say what is known and how old that is`, async (t) => {
    const { source, started } = await follow(t, cluster);
    await started;
    await until('watches are open', () => source.stats().every(({ watches }) => watches > 0));
    for (const { kind: name, lists, denied, ageMs } of source.stats()) {
      t.true(lists >= 1 && !denied, name);
      t.true(ageMs !== undefined && ageMs < 10_000, `${name} ${ageMs}`);
    }
  });
}

test('a cluster without EndpointSlices is served by its Endpoints', async (t) => {
  const cluster = await Cluster.start('test server');
  t.teardown(() => cluster.stop());
  cluster.server.hide('endpointslices');
  await cluster.admin.apply({ apiVersion: 'v1', kind: 'Endpoints', metadata: { name: 'old', namespace: 'shop' }, subsets: [{ addresses: [{ ip: '10.1.0.7' }], ports: [{ name: 'http', port: 8080 }] }] });
  const { started, names } = await follow(t, cluster);
  await started;
  t.deepEqual(names('Endpoints'), ['shop/old']);
});

test('objects without a name and kinds that nobody knows are counted and skipped, and the rest is read', async (t) => {
  const cluster = await Cluster.start('test server');
  t.teardown(() => cluster.stop());
  for (const name of ['a', 'b']) cluster.server.write(ingress(name, `${name}.example`, 'web'));
  cluster.server.write({ ...ingress('c', 'c.example', 'web'), metadata: { namespace: 'shop', name: 'c', uid: 7 as unknown as string } });
  cluster.server.write({ apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', metadata: { namespace: 'shop' }, spec: {} });
  const { source, started, names } = await follow(t, cluster);
  await started;
  t.deepEqual(names('Ingress'), ['shop/a', 'shop/b']);
  t.is(source.stats().find(({ kind }) => kind === 'Ingress')?.skipped, 1);
  t.true(source.problems().every(({ origin }) => origin.name === 'c'), JSON.stringify(source.problems()));
});

test('a version that does not decode leaves the one before in force, with a Problem for as long as it lasts', async (t) => {
  const cluster = await Cluster.start('test server');
  t.teardown(() => cluster.stop());
  await cluster.admin.apply(ingress('web', 'web.example', 'web'));
  const { source, started, changes } = await follow(t, cluster);
  await started;
  const good = source.state.objects.Ingress.get('shop/web');
  cluster.server.write({ apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', metadata: { name: 'web', namespace: 'shop' }, spec: { rules: 'nonsense' } });
  await until('the Problem is there', () => source.problems().length > 0);
  t.is(source.state.objects.Ingress.get('shop/web'), good);
  t.is(source.problems()[0]?.effect, 'None');
  t.deepEqual(changes, []);
  await cluster.admin.call('DELETE', '/apis/networking.k8s.io/v1/namespaces/shop/ingresses/web');
  await until('it is gone, and its Problem with it', () => source.state.objects.Ingress.size === 0 && source.problems().length === 0);
});

test('what can be read of an Ingress of which no version decodes is there for those who close it, as it is now', async (t) => {
  const cluster = await Cluster.start('test server');
  t.teardown(() => cluster.stop());
  const write = (host: string, value = 'b\r'): unknown =>
    cluster.server.write({ apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', metadata: { name: 'web', namespace: 'shop', annotations: { a: value } }, spec: { rules: [{ host }] } });
  write('a.example');
  const { source, started, changes } = await follow(t, cluster);
  await started;
  const remains = () => source.state.refused.Ingress.get('shop/web')?.remains;
  t.deepEqual([remains()?.rules[0]?.host, remains()?.metadata.annotations.get('a')], ['a.example', 'b']);
  write('b.example');
  await until('the change is told', () => changes.includes('Ingress shop/web'));
  t.is(remains()?.rules[0]?.host, 'b.example');
  write('b.example', 'b');
  await until('it is repaired', () => source.state.objects.Ingress.has('shop/web') && remains() === undefined);
});

test('a Secret that does not decode is known to be there, until it is repaired, gone, or nobody wants it any more', async (t) => {
  const cluster = await Cluster.start('test server');
  t.teardown(() => cluster.stop());
  await cluster.admin.apply(ingress('tls', 'tls.example', 'web', { secretName: 'tls' }));
  const { source, started, changes } = await follow(t, cluster);
  await started;
  const write = (data: string): unknown => cluster.server.write({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'tls', namespace: 'shop' }, type: 'Opaque', data: { 'tls.crt': data } });
  write('%');
  await until('it is told', () => changes.includes('Secret shop/tls'));
  t.regex(source.state.refused.Secret.get('shop/tls')?.refused ?? '', /^data\[tls\.crt\]: found a string of 1 characters; it must be base64/);
  changes.length = 0;
  write('eA==');
  await until('it is repaired', () => source.state.objects.Secret.has('shop/tls'));
  t.deepEqual([source.state.refused.Secret.size, changes.length], [0, 1]);
  await cluster.admin.call('DELETE', '/api/v1/namespaces/shop/secrets/tls');
  await until('it is gone', () => !source.state.objects.Secret.has('shop/tls'));
  write('%');
  await until('it is refused again', () => source.state.refused.Secret.has('shop/tls'));
  await cluster.admin.remove(ingress('tls', '', ''));
  await until('nobody wants it', () => source.state.refused.Secret.size === 0);
});
