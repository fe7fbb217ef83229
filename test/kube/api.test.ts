// What the controller relies on in an API server, asked of the test API server and of a real one: they must answer alike, or
// the other tests of this suite would prove nothing.
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { Agent, request } from 'undici';
import { ADMIN_TOKEN } from '../support/api-server/server.ts';
import { Cluster, clusterKinds } from '../support/kube/cluster.ts';
import type { Manifest } from '../support/kube/admin.ts';

const INGRESSES = '/apis/networking.k8s.io/v1/namespaces/shop/ingresses';
const LEASES = '/apis/coordination.k8s.io/v1/namespaces/shop/leases';
const ingress = (name: string, more: object = {}): Manifest => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'Ingress',
  metadata: { name, namespace: 'shop' },
  spec: { defaultBackend: { service: { name: 'web', port: { number: 80 } } } },
  ...more,
});
const configMap = (name: string, labels: Record<string, string> = {}): Manifest => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'shop', labels }, data: { a: '1' } });

/** A watch's events as they come: `type name`. */
async function watch(t: ExecutionContext, cluster: Cluster, query: string): Promise<{ readonly seen: string[]; readonly ended: Promise<void> }> {
  const agent = new Agent({ connect: { ca: cluster.caPem } });
  t.teardown(() => agent.destroy());
  const { body, statusCode } = await request(`${cluster.url}/api/v1/namespaces/shop/configmaps?watch=1&${query}`, { dispatcher: agent, headers: { authorization: `Bearer ${ADMIN_TOKEN}` } });
  const seen: string[] = [`${statusCode}`];
  const ended = (async () => {
    let text = '';
    for await (const chunk of body) {
      text += String(chunk);
      for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n')) {
        const { type, object } = JSON.parse(text.slice(0, end)) as { type: string; object: { code?: number; metadata: { name?: string } } };
        seen.push(`${type} ${object.metadata.name ?? object.code ?? ''}`.trim());
        text = text.slice(end + 1);
      }
    }
  })();
  return { seen, ended };
}

for (const kind of clusterKinds()) {
  let cluster: Cluster;
  test.before(`${kind}: start`, async () => {
    cluster = await Cluster.start(kind);
  });
  test.after.always(`${kind}: stop`, () => cluster.stop());

  test(`${kind}: a write with an old resourceVersion is a conflict, one without overwrites`, async (t) => {
    const first = await cluster.admin.create(ingress('versions'));
    const changed = { ...first, metadata: { ...first.metadata, labels: { a: '1' } } };
    t.is((await cluster.admin.call('PUT', `${INGRESSES}/versions`, changed)).status, 200);
    const again = await cluster.admin.call('PUT', `${INGRESSES}/versions`, changed);
    t.is(again.status, 409);
    t.is(again.body.reason, 'Conflict');
    t.is((await cluster.admin.call('PUT', `${INGRESSES}/versions`, ingress('versions'))).status, 200);
    t.is((await cluster.admin.call('PATCH', `${INGRESSES}/versions`, { metadata: { resourceVersion: first.metadata.resourceVersion, labels: { b: '1' } } }, 'application/merge-patch+json')).status, 409);
  });

  test(`${kind}: a write that changes nothing makes no new version`, async (t) => {
    const first = await cluster.admin.apply(ingress('same'));
    const second = await cluster.admin.apply(ingress('same'));
    t.is(second.metadata.resourceVersion, first.metadata.resourceVersion);
  });

  test(`${kind}: status is written through its subresource alone, and a patch of it touches nothing else`, async (t) => {
    const status = { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } };
    const created = await cluster.admin.create(ingress('status', { status }));
    t.deepEqual(created.status, { loadBalancer: {} }, 'a status that was sent with the object is dropped');
    const patched = await cluster.admin.patch(ingress('status'), { metadata: { labels: { x: 'y' } }, spec: { ingressClassName: 'x' }, status }, '/status');
    t.deepEqual(patched.status, status);
    t.is((patched.spec as { ingressClassName?: string }).ingressClassName, undefined);
    t.deepEqual(((await cluster.admin.patch(ingress('status'), { status: { loadBalancer: { ingress: null } } })).status), status, 'the main resource leaves status alone');
    t.deepEqual(((await cluster.admin.patch(ingress('status'), { status: { loadBalancer: { ingress: null } } }, '/status')).status), { loadBalancer: {} });
  });

  test(`${kind}: a status with an address that is none is refused`, async (t) => {
    await cluster.admin.create(ingress('wrong-status'));
    const answer = await cluster.admin.call('PATCH', `${INGRESSES}/wrong-status/status`, { status: { loadBalancer: { ingress: [{ ip: 'nonsense' }] } } }, 'application/merge-patch+json');
    t.is(answer.status, 422);
    t.is(answer.body.reason, 'Invalid');
  });

  test(`${kind}: a Lease is created once, updated with its version only, and validated`, async (t) => {
    const lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: 'l', namespace: 'shop' }, spec: { holderIdentity: 'a', leaseDurationSeconds: 15, renewTime: '2026-01-01T00:00:00.000000Z', leaseTransitions: 0 } };
    const { body } = await cluster.admin.call('POST', LEASES, lease);
    t.is((await cluster.admin.call('POST', LEASES, lease)).body.reason, 'AlreadyExists');
    t.is((await cluster.admin.call('PUT', `${LEASES}/l`, lease)).status, 422, 'without a resourceVersion');
    const taken = { ...lease, metadata: body.metadata, spec: { ...lease.spec, holderIdentity: 'b' } };
    t.is((await cluster.admin.call('PUT', `${LEASES}/l`, taken)).status, 200);
    t.is((await cluster.admin.call('PUT', `${LEASES}/l`, taken)).status, 409);
    t.is((await cluster.admin.call('POST', LEASES, { ...lease, metadata: { name: 'zero', namespace: 'shop' }, spec: { leaseDurationSeconds: 0 } })).status, 422);
  });

  test(`${kind}: an Event stands in the namespace of its object and has a type that exists`, async (t) => {
    const event = {
      apiVersion: 'v1', kind: 'Event', metadata: { name: 'e', namespace: 'shop' }, involvedObject: { kind: 'Ingress', apiVersion: 'networking.k8s.io/v1', namespace: 'shop', name: 'x' },
      reason: 'R', message: 'm', type: 'Warning', source: { component: 'fairlead' }, reportingComponent: 'fairlead', reportingInstance: 'a', firstTimestamp: '2026-01-01T00:00:00Z', lastTimestamp: '2026-01-01T00:00:00Z', count: 1,
    };
    const path = '/api/v1/namespaces/shop/events';
    t.is((await cluster.admin.call('POST', path, event)).status, 201);
    t.is((await cluster.admin.call('POST', path, event)).body.reason, 'AlreadyExists');
    t.is((await cluster.admin.call('POST', path, { ...event, metadata: { name: 'f', namespace: 'shop' }, involvedObject: { ...event.involvedObject, namespace: 'default' } })).status, 422);
    t.is((await cluster.admin.call('PATCH', `${path}/e`, { count: 2, lastTimestamp: '2026-01-01T00:01:00Z' }, 'application/merge-patch+json')).body.count, 2);
  });

  test(`${kind}: lists come in pages, all of one version, and a continue token that was never given out is refused`, async (t) => {
    for (let index = 0; index < 5; index++) await cluster.admin.apply(configMap(`page-${index}`, { pages: 'yes' }));
    const path = '/api/v1/namespaces/shop/configmaps?labelSelector=pages%3Dyes&limit=2';
    const names: string[] = [];
    let version: string | undefined;
    for (let token = ''; ; ) {
      const { body } = await cluster.admin.call('GET', `${path}${token === '' ? '' : `&continue=${encodeURIComponent(token)}`}`);
      const metadata = body.metadata as { resourceVersion: string; continue?: string };
      names.push(...(body.items as Manifest[]).map((item) => item.metadata.name));
      version ??= metadata.resourceVersion;
      t.is(metadata.resourceVersion, version);
      token = metadata.continue ?? '';
      if (token === '') break;
      await cluster.admin.apply(configMap('page-9', { pages: 'yes' }));
    }
    t.deepEqual(names, [0, 1, 2, 3, 4].map((index) => `page-${index}`));
    t.is((await cluster.admin.call('GET', `${path}&continue=nonsense`)).status, 400);
  });

  test(`${kind}: a watch tells what happened since a version, with bookmarks, and ends in time`, async (t) => {
    const { metadata } = await cluster.admin.apply(configMap('watched-0'));
    await cluster.admin.apply(configMap('watched-1'));
    const { seen, ended } = await watch(t, cluster, `resourceVersion=${metadata.resourceVersion}&allowWatchBookmarks=true&timeoutSeconds=4&fieldSelector=metadata.name%3Dwatched-1`);
    await cluster.admin.patch(configMap('watched-1'), { data: { a: '2' } });
    await cluster.admin.remove(configMap('watched-1'));
    await ended;
    t.deepEqual(seen.filter((line) => line !== 'BOOKMARK'), ['200', 'ADDED watched-1', 'MODIFIED watched-1', 'DELETED watched-1']);
    t.true(seen.includes('BOOKMARK'), seen.join());
  });

  test(`${kind}: an object that leaves or enters a selector is deleted or added for its watchers`, async (t) => {
    await cluster.admin.apply(configMap('moving', { tier: 'a' }));
    const list = await cluster.admin.call('GET', '/api/v1/namespaces/shop/configmaps?labelSelector=tier%3Da');
    const { seen, ended } = await watch(t, cluster, `labelSelector=tier%3Da&timeoutSeconds=3&resourceVersion=${list.body.metadata.resourceVersion}`);
    await cluster.admin.patch(configMap('moving'), { metadata: { labels: { tier: 'b' } } });
    await cluster.admin.patch(configMap('moving'), { metadata: { labels: { tier: 'a' } } });
    await ended;
    t.deepEqual(seen, ['200', 'DELETED moving', 'ADDED moving']);
  });

  test(`${kind}: whoever has no token is told 401, whoever has no right 403, and what is not there is 404`, async (t) => {
    const agent = new Agent({ connect: { ca: cluster.caPem } });
    t.teardown(() => agent.destroy());
    const { statusCode, body } = await request(`${cluster.url}${INGRESSES}`, { dispatcher: agent, headers: { authorization: 'Bearer nonsense' } });
    await body.dump();
    t.is(statusCode, 401);
    t.is((await cluster.admin.call('GET', `${INGRESSES}/nobody`)).status, 404);
    t.is((await cluster.admin.call('GET', '/apis/networking.k8s.io/v1/namespaces/shop/nonsense')).status, 404);
    t.is((await cluster.admin.call('POST', INGRESSES, ingress('x', { spec: {} }))).status, 422);
    t.is((await cluster.admin.call('GET', '/api/v1/namespaces/shop/configmaps?fieldSelector=data.a%3D1')).status, 400);
  });

  test(`${kind}: server-side apply owns fields, refuses to take those of others, and drops what it no longer says`, async (t) => {
    const path = `${INGRESSES}/applied?fieldManager=`;
    const with_ = (annotations: object): Manifest => ({ ...ingress('applied'), metadata: { name: 'applied', namespace: 'shop', annotations } });
    const apply = (manager: string, annotations: object, force = false) => cluster.admin.call('PATCH', `${path}${manager}${force ? '&force=true' : ''}`, with_(annotations), 'application/apply-patch+yaml');
    t.is((await apply('a', { 'x/one': '1', 'x/two': '2' })).status, 201);
    t.is((await apply('b', { 'x/one': 'other' })).status, 409);
    t.is((await apply('b', { 'x/three': '3' })).status, 200);
    const { body } = await apply('a', { 'x/one': '1' });
    t.deepEqual(body.metadata, { ...body.metadata, annotations: { 'x/one': '1', 'x/three': '3' } } as unknown as typeof body.metadata);
    t.is((await apply('b', { 'x/one': 'other' }, true)).status, 200);
  });
}
