// The manifests of manifests/install against an API server: the rights that they give are enough for everything that Fairlead
// does, and it does without the right to list all Secrets.
import test from 'ava';
import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { selfSigned } from '../../certs/self-signed.ts';
import { get } from '../support/fairlead-http.ts';
import { startFairlead } from '../support/fairlead-run.ts';
import type { Manifest } from '../support/kube/admin.ts';
import { CONTROLLER_TOKENS, Cluster, clusterKinds } from '../support/kube/cluster.ts';
import { endpointSlice, ingress, service, tlsSecret } from '../support/kube/objects.ts';
import { peerOf } from '../support/kube/peer.ts';
import { startPod } from '../support/kube/pod.ts';
import { until } from '../support/kube/until.ts';

const COMMON = fileURLToPath(new URL('../../manifests/install/common/', import.meta.url));
const manifests = (): Manifest[] => readdirSync(COMMON).filter((name) => name !== 'kustomization.yaml' && name.endsWith('.yaml')).sort()
  .flatMap((name) => parseAllDocuments(readFileSync(`${COMMON}${name}`, 'utf8')).map((document) => document.toJS() as Manifest));
const RBAC = 'rbac.authorization.k8s.io/v1';

/** A token of the ServiceAccount that the manifests make, as a pod would get it. */
async function tokenOf(cluster: Cluster): Promise<string> {
  if (cluster.kind === 'test server') return CONTROLLER_TOKENS[0];
  const { body } = await cluster.admin.call('POST', '/api/v1/namespaces/fairlead/serviceaccounts/fairlead/token', { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 600 } });
  return (body.status as { token: string }).token;
}

for (const kind of clusterKinds()) {
  for (const secrets of ['as installed', 'by name alone'] as const) {
    test(`${kind}: the rights of manifests/install are enough, with Secrets ${secrets}`, async (t) => {
      const cluster = await Cluster.start(kind, { rights: 'none' });
      t.teardown(() => cluster.stop());
      for (const manifest of manifests()) {
        const aboutSecrets = manifest.metadata.name === 'fairlead-secrets';
        if (!aboutSecrets || secrets === 'as installed') await cluster.admin.apply(manifest);
      }
      if (secrets === 'by name alone') {
        await cluster.admin.apply({ apiVersion: RBAC, kind: 'Role', metadata: { name: 'fairlead-tls', namespace: 'shop' }, rules: [{ apiGroups: [''], resources: ['secrets'], resourceNames: ['tls'], verbs: ['list', 'watch'] }] });
        await cluster.admin.apply({ apiVersion: RBAC, kind: 'RoleBinding', metadata: { name: 'fairlead-tls', namespace: 'shop' }, roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'fairlead-tls' }, subjects: [{ kind: 'ServiceAccount', name: 'fairlead', namespace: 'fairlead' }] });
      }
      await cluster.untilAllowed();
      const pod = await startPod(t, 'web');
      const published = service('fairlead', 'fairlead', { type: 'LoadBalancer' });
      for (const object of [published, service('web'), endpointSlice('web', pod.port, [pod]), tlsSecret('tls', selfSigned({ hostnames: ['web.example'] })), tlsSecret('other', selfSigned({ hostnames: ['other.example'] })), ingress('web', 'web.example', 'web', { secretName: 'tls' }), ingress('lost', 'lost.example', 'nobody')]) await cluster.admin.apply(object);
      await cluster.admin.patch(published, { status: { loadBalancer: { ingress: [{ ip: '198.51.100.7' }] } } }, '/status');

      const fairlead = await startFairlead(t, { source: ['--kubeconfig', cluster.writeKubeconfig(await tokenOf(cluster))], args: ['--election-id', 'fairlead', '--publish-service', 'fairlead/fairlead'], env: { POD_NAMESPACE: 'fairlead', POD_NAME: 'fairlead-0' } });
      t.is((await get(fairlead.http, '/', { host: 'lost.example' })).status, 503);
      t.is((await peerOf(fairlead.https, 'web.example')).names, 'DNS:web.example');
      await until('the status is written', async () => JSON.stringify((await cluster.admin.read(ingress('web', '', '')))?.status).includes('198.51.100.7'), 10_000, () => fairlead.log);
      await until('an Event is written', async () => JSON.stringify(await cluster.admin.list('v1', 'Event', 'shop')).includes('BackendNotFound'), 10_000, () => fairlead.log);
      const problems = (await get(fairlead.admin, '/problems?output=json')).body;
      t.false(problems.includes('Forbidden'), problems);
      t.deepEqual(fairlead.log.filter(({ reason }) => String(reason).startsWith('403')), []);
      if (secrets === 'by name alone') {
        await cluster.admin.apply(ingress('other', 'other.example', 'web', { secretName: 'other' }));
        await until('what may not be read is a Problem', async () => (await get(fairlead.admin, '/problems')).body.includes('Forbidden'));
        t.is((await get(fairlead.http, '/', { host: 'web.example', headers: { 'x-forwarded-proto': 'https' } })).status < 500, true);
        t.is((await peerOf(fairlead.https, 'web.example')).names, 'DNS:web.example');
      }
      t.is(await fairlead.stop(), 0);
    });
  }
}
