// The manifests that install Fairlead, and the Dockerfile: what a cluster would refuse, or would not say until it is too late.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { parseAllDocuments } from 'yaml';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const INSTALL = join(ROOT, 'manifests/install');

type Value = Readonly<Record<string, unknown>>;

/** Whatever stands at a path such as `spec.template.spec`; undefined if nothing does. */
function at(value: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((inner, key) => (typeof inner === 'object' && inner !== null ? (inner as Value)[key] : undefined), value);
}

function list(value: unknown, path = ''): readonly Value[] {
  const found = path === '' ? value : at(value, path);
  return Array.isArray(found) ? (found as Value[]) : [];
}

function filesIn(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? filesIn(path) : [path];
  });
}

function documents(file: string): Value[] {
  return parseAllDocuments(readFileSync(file, 'utf8')).map((document) => {
    if (document.errors.length > 0) throw new Error(`${file}: ${String(document.errors[0])}`);
    return document.toJS() as Value;
  });
}

const FILES = filesIn(INSTALL);
const KUSTOMIZATIONS = FILES.filter((file) => file.endsWith('/kustomization.yaml'));
const OVERLAYS = join(INSTALL, 'overlays');
/** Whole objects: neither kustomizations nor patches of overlays. */
const OBJECTS = FILES.filter((file) => !KUSTOMIZATIONS.includes(file) && (!file.startsWith(OVERLAYS) || file.endsWith('/daemonset.yaml'))).flatMap(documents);

function object(kind: string, name = 'fairlead'): Value {
  const found = OBJECTS.find((candidate) => candidate['kind'] === kind && at(candidate, 'metadata.name') === name);
  if (found === undefined) throw new Error(`there is no ${kind} ${name}`);
  return found;
}

const WORKLOADS = ['Deployment', 'DaemonSet'] as const;

function container(workload: string): Value {
  const containers = list(object(workload), 'spec.template.spec.containers');
  if (containers.length !== 1) throw new Error(`${workload}: ${containers.length} containers`);
  return containers[0] as Value;
}

function flagsOf(workload: string): Map<string, string> {
  return new Map((at(container(workload), 'args') as string[]).map((arg): [string, string] => [arg.split('=')[0] ?? '', arg.split('=')[1] ?? '']));
}

test('every file is YAML, with an object of a kind and a name', (t) => {
  t.true(FILES.length > 15);
  for (const file of FILES) {
    for (const one of documents(file)) {
      t.is(typeof one['apiVersion'], 'string', file);
      t.is(typeof one['kind'], 'string', file);
      if (!KUSTOMIZATIONS.includes(file)) t.is(typeof at(one, 'metadata.name'), 'string', file);
    }
  }
});

test('what a kustomization names is there, and what is there is named by one', (t) => {
  const named = new Set<string>();
  for (const file of KUSTOMIZATIONS) {
    const [one] = documents(file);
    const paths = [...(list(one, 'resources') as unknown as string[]), ...(list(one, 'components') as unknown as string[]), ...list(one, 'patches').map(({ path }) => String(path))];
    for (const path of paths) {
      const target = join(dirname(file), path);
      t.true(existsSync(target), `${relative(INSTALL, file)} names ${path}`);
      named.add(statSync(target).isDirectory() ? join(target, 'kustomization.yaml') : target);
    }
  }
  const entries = ['.', 'overlays/nodeport', 'overlays/hostnetwork'].map((folder) => join(INSTALL, folder, 'kustomization.yaml'));
  t.deepEqual(FILES.filter((file) => !named.has(file) && !entries.includes(file)), []);
});

test('Fairlead may do what it does, and no more', (t) => {
  const rights = OBJECTS.filter(({ kind }) => kind === 'ClusterRole' || kind === 'Role').flatMap((role) =>
    list(role, 'rules').flatMap((rule) => list(rule, 'resources').map((resource) => {
      const names = at(rule, 'resourceNames') === undefined ? '' : ` named ${String(at(rule, 'resourceNames'))}`;
      return `${String(role['kind'])} ${String(at(role, 'metadata.name'))}: ${String(at(rule, 'verbs'))} ${String(resource)}.${String(at(rule, 'apiGroups'))}${names}`;
    })));
  t.deepEqual(rights.toSorted(), [
    'ClusterRole fairlead-nodes: get nodes.',
    'ClusterRole fairlead-secrets: list,watch secrets.',
    'ClusterRole fairlead: create,get,patch events.',
    'ClusterRole fairlead: list,watch endpointslices.discovery.k8s.io',
    'ClusterRole fairlead: list,watch ingressclasses.networking.k8s.io',
    'ClusterRole fairlead: list,watch ingresses.networking.k8s.io',
    'ClusterRole fairlead: list,watch services.',
    'ClusterRole fairlead: patch ingresses/status.networking.k8s.io',
    'Role fairlead-pods: get,list pods.',
    'Role fairlead: create leases.coordination.k8s.io',
    'Role fairlead: get,update leases.coordination.k8s.io named fairlead',
  ]);
});

test('every binding gives a role that exists to Fairlead\'s ServiceAccount', (t) => {
  const bindings = OBJECTS.filter(({ kind }) => String(kind).endsWith('RoleBinding'));
  t.is(bindings.length, OBJECTS.filter(({ kind }) => kind === 'ClusterRole' || kind === 'Role').length);
  for (const binding of bindings) {
    t.notThrows(() => object(String(at(binding, 'roleRef.kind')), String(at(binding, 'roleRef.name'))));
    t.deepEqual(at(binding, 'subjects'), [{ kind: 'ServiceAccount', name: 'fairlead', namespace: 'fairlead' }]);
  }
  t.is(at(object('ServiceAccount'), 'automountServiceAccountToken'), false);
  for (const workload of WORKLOADS) {
    t.is(at(object(workload), 'spec.template.spec.serviceAccountName'), 'fairlead');
    t.is(at(object(workload), 'spec.template.spec.automountServiceAccountToken'), true);
  }
});

test('the pods run without privileges', (t) => {
  for (const workload of WORKLOADS) {
    const own = at(container(workload), 'securityContext');
    t.is(at(own, 'allowPrivilegeEscalation'), false);
    t.is(at(own, 'readOnlyRootFilesystem'), true);
    t.deepEqual(at(own, 'capabilities.drop'), ['ALL']);
    t.is(at(object(workload), 'spec.template.spec.securityContext.seccompProfile.type'), 'RuntimeDefault');
    t.is(typeof at(container(workload), 'resources.requests.cpu'), 'string');
    t.is(typeof at(container(workload), 'resources.requests.memory'), 'string');
    t.is(typeof at(container(workload), 'resources.limits.memory'), 'string');
  }
  t.is(at(object('Deployment'), 'spec.template.spec.securityContext.runAsNonRoot'), true);
  t.is((at(object('Namespace'), 'metadata.labels') as Value)['pod-security.kubernetes.io/enforce'], 'restricted');
  // The one exception: ports 80 and 443 of a node's own network.
  t.is(at(container('Deployment'), 'securityContext.capabilities.add'), undefined);
  t.deepEqual(at(container('DaemonSet'), 'securityContext.capabilities.add'), ['NET_BIND_SERVICE']);
});

test('selectors find the pods', (t) => {
  const want = { 'app.kubernetes.io/name': 'fairlead', 'app.kubernetes.io/component': 'controller' };
  for (const workload of WORKLOADS) {
    t.deepEqual(at(object(workload), 'spec.selector.matchLabels'), want);
    t.like(at(object(workload), 'spec.template.metadata.labels'), want);
  }
  t.deepEqual(at(object('Service'), 'spec.selector'), want);
  t.deepEqual(at(object('PodDisruptionBudget'), 'spec.selector.matchLabels'), want);
  t.deepEqual(at(object('NetworkPolicy'), 'spec.podSelector.matchLabels'), want);
  for (const spread of list(object('Deployment'), 'spec.template.spec.topologySpreadConstraints')) t.deepEqual(at(spread, 'labelSelector.matchLabels'), want);
  t.true(Number(at(object('Deployment'), 'spec.replicas')) > Number(at(object('PodDisruptionBudget'), 'spec.minAvailable')));
});

test('ports are the same in flags, containers, probes, Service, policy and Dockerfile', (t) => {
  const defaults = { http: 8080, https: 8443, admin: 10254 };
  const dockerfile = readFileSync(join(ROOT, 'Dockerfile'), 'utf8');
  t.regex(dockerfile, new RegExp(`^EXPOSE ${Object.values(defaults).join(' ')}$`, 'm'));
  t.true(dockerfile.includes(`http://127.0.0.1:${defaults.admin}/healthz`));
  for (const workload of WORKLOADS) {
    const flags = flagsOf(workload);
    const expected = Object.entries(defaults).map(([name, port]) => ({ name, containerPort: Number(flags.get(`--${name}-port`) ?? port) }));
    t.deepEqual(at(container(workload), 'ports'), expected);
    for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe']) t.is(at(container(workload), `${probe}.httpGet.port`), 'admin');
    t.is(at(container(workload), 'readinessProbe.httpGet.path'), '/readyz');
    t.is(at(container(workload), 'livenessProbe.httpGet.path'), '/healthz');
  }
  t.deepEqual(list(object('Service'), 'spec.ports').map(({ port, targetPort }) => [port, targetPort]), [[80, 'http'], [443, 'https']]);
  t.deepEqual(list(object('NetworkPolicy'), 'spec.ingress').flatMap((rule) => list(rule, 'ports').map(({ port }) => port)), ['http', 'https', 'admin']);
});

function seconds(text: string | undefined): number {
  const match = /^(\d+)s$/.exec(text ?? '');
  return match === null ? Number.NaN : Number(match[1]);
}

test('a drain ends before the kubelet loses patience', (t) => {
  for (const workload of WORKLOADS) {
    const flags = flagsOf(workload);
    const drain = seconds(flags.get('--shutdown-delay')) + seconds(flags.get('--drain-timeout'));
    t.true(drain + 5 <= Number(at(object(workload), 'spec.template.spec.terminationGracePeriodSeconds')), `${workload}: ${drain} s`);
    t.is(at(container(workload), 'lifecycle'), undefined);
  }
});

test('every flag and variable of the manifests is one that Fairlead knows', (t) => {
  const help = execFileSync(process.execPath, [join(ROOT, 'controller/cli.ts'), 'run', '--help'], { encoding: 'utf8' });
  for (const workload of WORKLOADS) {
    const variables = list(container(workload), 'env').map(({ name }) => String(name)).filter((name) => name.startsWith('FAIRLEAD_'));
    for (const flag of [...flagsOf(workload).keys(), ...variables.map((name) => `--${name.slice('FAIRLEAD_'.length).toLowerCase().replaceAll('_', '-')}`)]) {
      t.true(help.includes(`${flag} `), flag);
    }
    const mounts = list(container(workload), 'volumeMounts').map(({ mountPath }) => mountPath);
    t.true(mounts.includes(flagsOf(workload).get('--state-dir')));
  }
});

test('the Lease that the Role allows is the one that the election uses, and the class is Fairlead\'s', (t) => {
  for (const workload of WORKLOADS) t.is(flagsOf(workload).get('--election-id'), 'fairlead');
  t.is(at(object('IngressClass'), 'spec.controller'), 'fairlead.dev/ingress-controller');
});

test('the image runs as a user by number, ends by SIGTERM, and needs no shell', (t) => {
  const dockerfile = readFileSync(join(ROOT, 'Dockerfile'), 'utf8');
  const last = dockerfile.slice(dockerfile.lastIndexOf('\nFROM '));
  const user = /^USER (\d+):\d+$/m.exec(last)?.[1];
  t.is(at(object('Deployment'), 'spec.template.spec.securityContext.runAsUser'), Number(user));
  t.regex(last, /^STOPSIGNAL SIGTERM$/m);
  t.regex(last, /^ENTRYPOINT \["node", "controller\/cli\.ts", "run"\]$/m);
  t.regex(last, /^ {2}CMD \["node", "-e", /m);
  t.notRegex(last, /^RUN /m);
  const ignored = readFileSync(join(ROOT, '.dockerignore'), 'utf8').split('\n');
  for (const source of [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, sources]) => (sources ?? '').split(' '))) {
    t.true(existsSync(join(ROOT, source)), source);
    t.true(ignored.includes(`!${source}`), `.dockerignore lets ${source} in`);
  }
});

const kubectl = spawnSync('kubectl', ['version', '--client']).status === 0;

for (const [folder, expected] of [['.', 'Deployment LoadBalancer'], ['overlays/nodeport', 'Deployment NodePort 30080 30443'], ['overlays/hostnetwork', 'DaemonSet']] as const) {
  (kubectl ? test : test.skip)(`kustomize builds ${folder}: ${expected}${kubectl ? '' : ' (needs kubectl)'}`, (t) => {
    const objects = parseAllDocuments(execFileSync('kubectl', ['kustomize', join(INSTALL, folder)], { encoding: 'utf8' })).map((document) => document.toJS() as Value);
    const service = objects.find(({ kind }) => kind === 'Service');
    const workload = objects.find(({ kind }) => (WORKLOADS as readonly unknown[]).includes(kind));
    const nodePorts = list(service, 'spec.ports').flatMap(({ nodePort }) => (nodePort === undefined ? [] : [nodePort]));
    t.is([workload?.['kind'], at(service, 'spec.type'), ...nodePorts].filter((part) => part !== undefined).join(' '), expected);
    const [only] = list(workload, 'spec.template.spec.containers');
    t.is(only?.['image'], `fairlead:${String(at(JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')), 'version'))}`);
    // Without a Service that has addresses for clients, those of the nodes are shown, and that takes rights.
    const published = list(only, 'env').some(({ name }) => name === 'FAIRLEAD_PUBLISH_SERVICE');
    t.is(objects.some((one) => at(one, 'metadata.name') === 'fairlead-nodes'), !published);
    t.true(objects.every((one) => at(one, 'metadata.namespace') === undefined || at(one, 'metadata.namespace') === 'fairlead'));
  });
}
