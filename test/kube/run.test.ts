// Fairlead as a process against a cluster: from objects of the API to live traffic, and what it writes back.
import test from 'ava';
import { get } from '../support/fairlead-http.ts';
import { runCli, startFairlead, temporaryFolder } from '../support/fairlead-run.ts';
import { Cluster, clusterKinds } from '../support/kube/cluster.ts';
import { endpointSlice, ingress, ingressClass, service, tlsSecret } from '../support/kube/objects.ts';
import { peerOf } from '../support/kube/peer.ts';
import { authority, issue } from '../support/pki.ts';
import { startPod } from '../support/kube/pod.ts';
import { until } from '../support/kube/until.ts';

/** Those that one host has in turn. They are made before anything else runs, for the tests of this file share one thread. */
const CA = authority('authority');
const CERTIFICATES = Array.from({ length: process.env['SOAK'] === undefined ? 4 : 201 }, (_, nth) => issue(CA, 'tls.example', { names: ['tls.example'], until: 10 + nth })).map(({ certPem, keyPem }) => ({ chainPem: certPem, keyPem }));

for (const kind of clusterKinds()) {
  let cluster: Cluster;
  test.before(`${kind}: start`, async () => {
    cluster = await Cluster.start(kind);
    await cluster.admin.apply(ingressClass());
  });
  test.after.always(`${kind}: stop`, () => cluster.stop());

  test(`${kind}: an Ingress reaches its pods, and what changes in the cluster changes at once`, async (t) => {
    const one = await startPod(t, 'one');
    const two = await startPod(t, 'two');
    for (const object of [service('web'), endpointSlice('web', one.port, [one]), ingress('web', 'web.example', 'web')]) await cluster.admin.apply(object);
    const fairlead = await startFairlead(t, { source: ['--kubeconfig', cluster.writeKubeconfig()], args: ['--publish-status-address', '192.0.2.80,edge.example', '--ingress-class', 'fairlead'] });
    const body = async (host: string): Promise<string> => (await get(fairlead.http, '/x', { host })).body;
    await until('the first answers', async () => (await body('web.example')).startsWith('one'));
    await cluster.admin.apply(endpointSlice('web', two.port, [two]));
    const moved = await until('the second answers', async () => (await body('web.example')).startsWith('two'));
    await cluster.admin.apply(ingress('later', 'later.example', 'web'));
    const added = await until('the new host answers', async () => (await body('later.example')).startsWith('two'));
    t.log(`endpoints after ${Math.round(moved)} ms, host after ${Math.round(added)} ms`);
    await until('the status shows the addresses', async () => JSON.stringify((await cluster.admin.read(ingress('later', '', '')))?.status) === '{"loadBalancer":{"ingress":[{"ip":"192.0.2.80"},{"hostname":"edge.example"}]}}', 10_000);

    await cluster.admin.apply(ingress('lost', 'lost.example', 'nobody'));
    const event = async () => (await cluster.admin.list('v1', 'Event', 'shop')).find(({ involvedObject }) => (involvedObject as { name?: string }).name === 'lost');
    await until('an Event says that there is no such Service', async () => (await event())?.reason === 'BackendNotFound', 10_000);

    const metrics = (await get(fairlead.admin, '/metrics')).body;
    for (const line of ['fairlead_kube_objects{kind="Ingress"} ', 'fairlead_leader 1', 'fairlead_table_from_disk 0', 'fairlead_kube_view_age_seconds{kind="EndpointSlice"}', 'fairlead_status_writes_total']) t.true(metrics.includes(line), line);
    const lease = (await cluster.admin.list('coordination.k8s.io/v1', 'Lease', 'fairlead'))[0];
    t.is(lease?.metadata.name, 'fairlead-fairlead');
    t.is(await fairlead.stop(), 0);
    await until('the Lease is given back', async () => JSON.stringify(await cluster.admin.list('coordination.k8s.io/v1', 'Lease', 'fairlead')).includes('"holderIdentity":""'));
    t.deepEqual((await cluster.admin.read(ingress('later', '', '')))?.status, { loadBalancer: { ingress: [{ ip: '192.0.2.80' }, { hostname: 'edge.example' }] } }, 'the end of a replica changes no status');
  });

  test(`${kind}: a certificate of a Secret is served, and a new one right after it`, async (t) => {
    const pod = await startPod(t, 'tls');
    for (const object of [service('tls'), endpointSlice('tls', pod.port, [pod]), tlsSecret('tls', CERTIFICATES[0]!), ingress('tls', 'tls.example', 'tls', { secretName: 'tls' })]) await cluster.admin.apply(object);
    const fairlead = await startFairlead(t, { source: ['--kubeconfig', cluster.writeKubeconfig()], args: ['--update-status', 'false', '--disable-leader-election'] });
    const took: number[] = [];
    for (const certificate of CERTIFICATES.slice(1)) {
      const { validTo } = await peerOf(fairlead.https, 'tls.example');
      await cluster.admin.apply(tlsSecret('tls', certificate));
      took.push(await until('the new one is served', async () => (await peerOf(fairlead.https, 'tls.example')).validTo !== validTo));
    }
    took.sort((a, b) => a - b);
    t.log(`${took.length} changes: served ${Math.round(took[took.length >> 1] ?? 0)} ms (median), ${Math.round(took[Math.ceil(took.length * 0.99) - 1] ?? 0)} ms (p99) after the API has taken it`);
    t.is(await fairlead.stop(), 0);
  });

  test(`39 ${kind}: a cold start while the API is away serves the last table, says so, and catches up when it can`, async (t) => {
    const pod = await startPod(t, 'kept');
    for (const object of [service('kept'), endpointSlice('kept', pod.port, [pod]), ingress('kept', 'kept.example', 'kept')]) await cluster.admin.apply(object);
    const own = await cluster.anotherLink(t);
    const stateDir = temporaryFolder(t);
    const options = { source: ['--kubeconfig', own.kubeconfig], args: ['--state-dir', stateDir, '--update-status', 'false'] };
    const first = await startFairlead(t, options);
    await until('it serves', async () => (await get(first.http, '/', { host: 'kept.example' })).status === 200);
    t.is(await first.stop(), 0);

    await own.link.refuse();
    const startedAt = performance.now();
    const second = await startFairlead(t, options);
    const took = performance.now() - startedAt;
    t.is((await get(second.http, '/', { host: 'kept.example' })).status, 200);
    t.log(`served after ${Math.round(took)} ms`);
    t.true((await get(second.admin, '/metrics')).body.includes('fairlead_table_from_disk 1'));
    t.is((await get(second.admin, '/readyz')).status, 200);
    await own.link.open();
    await until('objects are read', async () => (await get(second.admin, '/metrics')).body.includes('fairlead_table_from_disk 0'));
    t.is((await get(second.http, '/', { host: 'kept.example' })).status, 200);
    t.is(await second.stop(), 0);
  });
}

test('without a cluster and without a folder it says so in one line', async (t) => {
  const { code, stderr } = await runCli(['run', '--http-port', '0', '--https-port', '0', '--admin-port', '0'], { HOME: '/nonexistent', KUBECONFIG: '' });
  t.is(code, 2);
  t.regex(stderr, /^fairlead: run needs --manifests DIR or a cluster: this is no pod[^\n]*\n$/);
});

test('flags for a cluster and flags for a folder exclude each other, in one line and with code 2', async (t) => {
  for (const [args, pattern] of [
    [['--manifests', '.', '--publish-service', 'a/b'], /--publish-service is for a cluster/],
    [['--watch-namespace', 'a', '--watch-namespace-selector', 'b=c'], /exclude each other/],
    [['--publish-service', 'a/b', '--publish-status-address', '192.0.2.1'], /exclude each other/],
    [['--publish-status-address', 'no_host'], /Allowed: IP addresses and hostnames/],
    [['--watch-namespace', 'Shop'], /Allowed: names of namespaces/],
    [['--election-ttl', '1s'], /Allowed: a time from 3s to 1h/],
  ] as const) {
    const { code, stderr } = await runCli(['run', ...args]);
    t.is(code, 2, args.join(' '));
    t.regex(stderr, pattern);
    t.is(stderr.split('\n').length, 2);
  }
});
