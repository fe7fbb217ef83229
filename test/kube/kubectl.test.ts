// kubectl against both servers, as an operator would use it: apply, get, describe.
import test from 'ava';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ADMIN_TOKEN } from '../support/api-server/server.ts';
import { Cluster, clusterKinds } from '../support/kube/cluster.ts';
import { endpointSlice, ingress, ingressClass, service } from '../support/kube/objects.ts';

const INSTALL = fileURLToPath(new URL('../../manifests/install/', import.meta.url));
const EXAMPLES = fileURLToPath(new URL('../../manifests/examples/', import.meta.url));
const hasKubectl = spawnSync('kubectl', ['version', '--client']).status === 0;

for (const kind of clusterKinds()) {
  (hasKubectl ? test : test.skip)(`${kind}: kubectl applies, gets and describes, and installs Fairlead${hasKubectl ? '' : ' (skipped: there is no kubectl)'}`, async (t) => {
    const cluster = await Cluster.start(kind);
    const folder = mkdtempSync(join(tmpdir(), 'fairlead-kubectl-'));
    t.teardown(async () => {
      rmSync(folder, { recursive: true });
      await cluster.stop();
    });
    const config = cluster.writeKubeconfig(ADMIN_TOKEN, 'admin');
    const { spawn } = await import('node:child_process');
    const kubectl = (...args: string[]): Promise<{ readonly code: number | null; readonly out: string }> => new Promise((resolve) => {
      const child = spawn('kubectl', args, { env: { ...process.env, KUBECONFIG: config, HOME: folder } });
      let out = '';
      child.stdout.on('data', (chunk) => (out += String(chunk)));
      child.stderr.on('data', (chunk) => (out += String(chunk)));
      child.once('close', (code) => resolve({ code, out }));
    });
    const file = join(folder, 'site.json');
    writeFileSync(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [ingressClass(), service('web'), endpointSlice('web', 8080, [{ address: '10.1.0.1' }]), ingress('web', 'web.example', 'web')] }));
    for (let round = 0; round < 2; round++) {
      const applied = await kubectl('apply', '--server-side', '--validate=false', '-f', file);
      t.is(applied.code, 0, applied.out);
      t.regex(applied.out, /ingress\.networking\.k8s\.io\/web serverside-applied/);
    }
    const got = await kubectl('-n', 'shop', 'get', 'ingress');
    t.is(got.code, 0, got.out);
    t.regex(got.out, /NAME\s+CLASS\s+HOSTS\s+ADDRESS\s+PORTS\s+AGE\nweb\s+fairlead\s+web\.example\s+80/);
    t.regex((await kubectl('-n', 'shop', 'get', 'ing', 'web', '-o', 'jsonpath={.spec.rules[0].host}')).out, /^web\.example$/);
    t.is((await kubectl('-n', 'shop', 'annotate', 'ingress', 'web', 'example.com/x=y')).code, 0);
    const described = await kubectl('-n', 'shop', 'describe', 'ingress', 'web');
    t.is(described.code, 0, described.out);
    t.regex(described.out, /example\.com\/x: y/);
    // A real server says which fields it does not know.
    const validate = kind === 'test server' ? '--validate=false' : '--validate=strict';
    for (const folder of ['', 'overlays/nodeport', 'overlays/hostnetwork']) {
      const installed = await kubectl('apply', '--server-side', validate, '-k', join(INSTALL, folder));
      t.is(installed.code, 0, installed.out);
    }
    const examples = await kubectl('apply', '--server-side', validate, '-f', EXAMPLES);
    t.is(examples.code, 0, examples.out);
    t.is((await kubectl('-n', 'shop', 'delete', 'ingress', 'web')).code, 0);
  });
}
