// Fairlead as in a pod: identity from the ServiceAccount's folder and the environment, whose token the kubelet exchanges. The
// folder has a fixed place, so the process gets a /run of its own (a mount namespace, which needs no root).
import test from 'ava';
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { get } from '../support/fairlead-http.ts';
import { temporaryFolder } from '../support/fairlead-run.ts';
import { CONTROLLER_TOKENS, Cluster } from '../support/kube/cluster.ts';
import { endpointSlice, ingress, ingressClass, service } from '../support/kube/objects.ts';
import { startPod } from '../support/kube/pod.ts';
import { until } from '../support/kube/until.ts';

const CLI = fileURLToPath(new URL('../../controller/cli.ts', import.meta.url));
const UNSHARE = ['--user', '--map-root-user', '--mount'];
const SETUP = 'mount -t tmpfs none /run && mkdir -p /run/secrets/kubernetes.io/serviceaccount && mount --rbind "$ACCOUNT" /run/secrets/kubernetes.io/serviceaccount';
/** /var/run is /run everywhere where pods run; elsewhere, and where namespaces are forbidden, this cannot be shown. */
const possible = spawnSync('unshare', [...UNSHARE, 'sh', '-c', `${SETUP} && test -d /var/run/secrets/kubernetes.io/serviceaccount`], { env: { ...process.env, ACCOUNT: tmpdir() } }).status === 0;

/** The folder as the kubelet keeps it: files are links into a folder that is replaced as a whole. */
function accountFolder(folder: string, caPem: string): (token: string) => void {
  let version = 0;
  const write = (token: string): void => {
    const data = `..${version++}`;
    mkdirSync(join(folder, data));
    for (const [name, text] of [['token', token], ['ca.crt', caPem], ['namespace', 'fairlead']] as const) writeFileSync(join(folder, data, name), text);
    symlinkSync(data, join(folder, '..data_tmp'));
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
  };
  for (const name of ['token', 'ca.crt', 'namespace']) symlinkSync(join('..data', name), join(folder, name));
  return write;
}

(possible ? test : test.skip)(`45: in a pod, tokens that the kubelet exchanges cost no watch${possible ? '' : ' (skipped: this machine forbids mount namespaces)'}`, async (t) => {
  const cluster = await Cluster.start('test server');
  t.teardown(() => cluster.stop());
  const pod = await startPod(t, 'web');
  for (const object of [ingressClass(), service('web'), endpointSlice('web', pod.port, [pod]), ingress('web', 'web.example', 'web')]) await cluster.admin.apply(object);
  const folder = temporaryFolder(t);
  const exchange = accountFolder(folder, cluster.caPem);
  exchange(CONTROLLER_TOKENS[0]);
  const child = spawn('unshare', [...UNSHARE, 'sh', '-c', `${SETUP} && exec "$@"`, 'pod', process.execPath, CLI, 'run', '--http-port', '0', '--https-port', '0', '--admin-port', '0', '--bind', '127.0.0.1', '--workers', '1', '--access-log', 'off', '--election-ttl', '3s', '--update-status', 'false'], {
    env: { ...process.env, ACCOUNT: folder, HOME: '/nonexistent', KUBECONFIG: '', KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: String(cluster.link.port) }, stdio: ['ignore', 'pipe', 'ignore'],
  });
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  t.teardown(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const ready = await new Promise<{ readonly http: number; readonly admin: number }>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => resolve(JSON.parse(line)));
    void ended.then((code) => reject(new Error(`it ended with ${code}`)));
  });
  t.is((await get(ready.http, '/', { host: 'web.example' })).status, 200);
  for (let round = 1; round <= 3; round++) {
    cluster.server.access.addToken(`exchanged-${round}`, { name: 'system:serviceaccount:fairlead:fairlead', groups: [] });
    exchange(`exchanged-${round}`);
    cluster.server.access.removeToken(round === 1 ? CONTROLLER_TOKENS[0] : `exchanged-${round - 1}`);
    // Whoever asks anew has to have the new one.
    await cluster.admin.apply({ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: 'fairlead-fairlead', namespace: 'fairlead' }, spec: { holderIdentity: 'thief' } });
    await until('the Lease is won back', async () => !JSON.stringify(await cluster.admin.list('coordination.k8s.io/v1', 'Lease', 'fairlead')).includes('thief'), 15_000);
    await cluster.admin.apply(ingress(`round-${round}`, `round-${round}.example`, 'web'));
    await until('a new host is served', async () => (await get(ready.http, '/', { host: `round-${round}.example` })).status === 200);
  }
  const failures = (await get(ready.admin, '/metrics')).body.split('\n').filter((line) => line.startsWith('fairlead_kube_failures_total{') && !line.endsWith(' 0'));
  t.deepEqual(failures, []);
  child.kill('SIGTERM');
  t.is(await ended, 0);
});
