// A cluster as far as the controller sees one: an API server behind a link that can be cut. The same tests run against the
// test API server and against a real kube-apiserver; only faults inside of answers need the former.
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { kubeconfig } from '../api-server/kubeconfig.ts';
import { ADMIN_TOKEN, ApiServer } from '../api-server/server.ts';
import type { ApiServerOptions } from '../api-server/server.ts';
import { AdminClient } from './admin.ts';
import { Link } from './link.ts';
import { RealApiServer, assets } from './real.ts';
import { until } from './until.ts';

export type ClusterKind = 'test server' | 'kube-apiserver';

/** The kinds that can be had here. */
export function clusterKinds(): readonly ClusterKind[] {
  return assets() === undefined ? ['test server'] : ['test server', 'kube-apiserver'];
}

/** The ServiceAccount that the controller runs as, with two tokens of its own. */
export const CONTROLLER = 'system:serviceaccount:fairlead:fairlead';
export const CONTROLLER_TOKENS = ['token-of-the-controller', 'next-token-of-the-controller'] as const;
const CONTROLLER_GROUPS = ['system:serviceaccounts', 'system:serviceaccounts:fairlead', 'system:authenticated'];

export class Cluster {
  readonly kind: ClusterKind;
  readonly admin: AdminClient;
  readonly link: Link;
  readonly caPem: string;
  readonly #test: ApiServer | undefined;
  readonly #real: RealApiServer | undefined;
  readonly #folder = mkdtempSync(join(tmpdir(), 'fairlead-kubeconfig-'));

  private constructor(kind: ClusterKind, server: ApiServer | RealApiServer, link: Link) {
    this.kind = kind;
    this.#test = server instanceof ApiServer ? server : undefined;
    this.#real = server instanceof RealApiServer ? server : undefined;
    this.link = link;
    this.caPem = server.caPem;
    this.admin = new AdminClient(server.url, server.caPem, ADMIN_TOKEN);
  }

  /** The controller may read and write everything that it needs, unless `rights` is `none`. */
  static async start(kind: ClusterKind, options: ApiServerOptions & { readonly rights?: 'all' | 'none' } = {}): Promise<Cluster> {
    const server = kind === 'test server' ? new ApiServer(options) : new RealApiServer([
      { token: ADMIN_TOKEN, user: 'admin', groups: ['system:masters'] },
      ...CONTROLLER_TOKENS.map((token) => ({ token, user: CONTROLLER, groups: CONTROLLER_GROUPS })),
    ]);
    if (server instanceof ApiServer) {
      server.access.rbac = true;
      for (const token of CONTROLLER_TOKENS) server.access.addToken(token, { name: CONTROLLER, groups: CONTROLLER_GROUPS });
      await server.start();
    } else {
      await server.start(assets()!, ADMIN_TOKEN);
    }
    const link = new Link(server.port);
    await link.open();
    const cluster = new Cluster(kind, server, link);
    try {
      await cluster.#prepare(options.rights ?? 'all');
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  async #prepare(rights: 'all' | 'none'): Promise<void> {
    for (const name of ['fairlead', 'shop']) await this.admin.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    if (rights !== 'none') await this.admin.apply({ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRoleBinding', metadata: { name: 'fairlead-test' }, subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: CONTROLLER }], roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'fairlead-test' } });
    await this.admin.apply({ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata: { name: 'fairlead-test' }, rules: [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }] });
    if (rights !== 'none') await this.untilAllowed();
  }

  /** Resolves when the controller may list Ingresses: a server puts rights in force some time after they were written. */
  async untilAllowed(): Promise<void> {
    const controller = new AdminClient(this.admin.url, this.caPem, CONTROLLER_TOKENS[0]);
    try {
      await until('the rights are in force', async () => (await controller.call('GET', '/apis/networking.k8s.io/v1/ingresses')).status === 200);
    } finally {
      await controller.close();
    }
  }

  /** For faults inside of answers; throws if this is a real one. */
  get server(): ApiServer {
    if (this.#test === undefined) throw new Error('only the test API server does what it is told');
    return this.#test;
  }

  /** The API as clients reach it: through the link. */
  get url(): string {
    return `https://127.0.0.1:${this.link.port}`;
  }

  /** Writes a kubeconfig and returns its path; the same name replaces the same file. */
  writeKubeconfig(token: string = CONTROLLER_TOKENS[0], name = 'kubeconfig', caPem = this.caPem): string {
    const file = join(this.#folder, name);
    // Whoever reads it meanwhile sees the one before or this one, as with what the kubelet exchanges.
    writeFileSync(`${file}.new`, kubeconfig({ url: this.url, caPem, token, namespace: 'fairlead' }), { mode: 0o600 });
    renameSync(`${file}.new`, file);
    return file;
  }

  /** A second way in, which can be cut without anybody else noticing; it ends with the test. */
  async anotherLink(t: ExecutionContext): Promise<{ readonly link: Link; readonly kubeconfig: string }> {
    const link = new Link((this.#test ?? this.#real)!.port);
    await link.open();
    t.teardown(() => link.refuse());
    const file = join(this.#folder, `kubeconfig-${link.port}`);
    writeFileSync(file, kubeconfig({ url: `https://127.0.0.1:${link.port}`, caPem: this.caPem, token: CONTROLLER_TOKENS[0], namespace: 'fairlead' }), { mode: 0o600 });
    return { link, kubeconfig: file };
  }

  async stop(): Promise<void> {
    await this.admin.close();
    await this.link.refuse();
    await (this.#test ?? this.#real)?.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
