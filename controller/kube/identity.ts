// Who Fairlead is to the API server, and where that is: from a kubeconfig file, or from the ServiceAccount that every pod
// has. The one place that uses @kubernetes/client-node, and only to read: its import costs most of a second and 80 MB, so
// it is loaded on first use, and its HTTP side makes a new connection for every call.
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** All that is needed to talk to one API server as somebody. */
export interface Identity {
  /** Without a slash at the end; may have a path. */
  readonly server: string;
  readonly tls: {
    readonly ca?: Buffer | string;
    readonly cert?: Buffer | string;
    readonly key?: Buffer | string;
    readonly servername?: string;
    readonly rejectUnauthorized?: boolean;
  };
  /** Authorization, impersonation. */
  readonly headers: Readonly<Record<string, string>>;
  /** Of the current context or the pod; `default` if it does not say. */
  readonly namespace: string;
}

const SERVICE_ACCOUNT_TOKEN = '/var/run/secrets/kubernetes.io/serviceaccount/token';

/** Options as client-node fills them in; it is typed for the `https` module. */
interface Options {
  headers: Record<string, string>;
  auth?: string;
  ca?: Buffer | string;
  cert?: Buffer | string;
  key?: Buffer | string;
  servername?: string;
  rejectUnauthorized?: boolean;
}

/** Undefined: there is something to read an identity from; else why not. Costs nothing, unlike reading it. */
export function whyNoIdentity(kubeconfig: string): string | undefined {
  if (kubeconfig !== '') return existsSync(kubeconfig) ? undefined : `there is no file ${kubeconfig}`;
  if (isInCluster() || (process.env.KUBECONFIG ?? '') !== '' || existsSync(join(homedir(), '.kube', 'config'))) return undefined;
  return 'this is no pod with a ServiceAccount, and there is no kubeconfig ($KUBECONFIG, ~/.kube/config)';
}

function isInCluster(): boolean {
  return process.env.KUBERNETES_SERVICE_HOST !== undefined && existsSync(SERVICE_ACCOUNT_TOKEN);
}

/**
 * Reads everything anew, so that rotated tokens and certificates are found. `kubeconfig`: a file; empty: the pod's ServiceAccount in a
 * cluster, else $KUBECONFIG or ~/.kube/config. Throws if there is none or it cannot be used.
 */
export async function readIdentity(kubeconfig: string): Promise<Identity> {
  const { KubeConfig } = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  if (kubeconfig !== '') config.loadFromFile(kubeconfig);
  else if (isInCluster()) config.loadFromCluster();
  else config.loadFromDefault();

  const cluster = config.getCurrentCluster();
  if (cluster === null || config.getCurrentContext() === 'loaded-context') throw new Error('the kubeconfig names no cluster');
  if (cluster.proxyUrl !== undefined) throw new Error(`the kubeconfig's proxy-url (${cluster.proxyUrl}) is not supported`);
  const options: Options = { headers: {} };
  await config.applyToHTTPSOptions(options as unknown as Parameters<typeof config.applyToHTTPSOptions>[0]);
  const headers = { ...options.headers };
  // client-node remembers the text of a token file for a minute; a token that has just been exchanged is needed now.
  const tokenFile: unknown = config.getCurrentUser()?.authProvider?.config?.tokenFile;
  if (typeof tokenFile === 'string') headers.Authorization = `Bearer ${readFileSync(tokenFile, 'utf8')}`;
  if (options.auth !== undefined) headers.Authorization = `Basic ${Buffer.from(options.auth).toString('base64')}`;
  return {
    server: cluster.server.replace(/\/+$/, ''),
    tls: {
      ...(options.ca === undefined ? {} : { ca: options.ca }),
      ...(options.cert === undefined ? {} : { cert: options.cert }),
      ...(options.key === undefined ? {} : { key: options.key }),
      ...(options.servername === undefined ? {} : { servername: options.servername }),
      ...(options.rejectUnauthorized === undefined ? {} : { rejectUnauthorized: options.rejectUnauthorized }),
    },
    // Token files often end with a line feed, which no header may hold.
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value.trim()])),
    namespace: config.getContextObject(config.getCurrentContext())?.namespace?.trim() || 'default',
  };
}

/** True: both are reached over the same connections. */
export function sameConnection(a: Identity, b: Identity): boolean {
  return a.server === b.server && connectionText(a) === connectionText(b);
}

export function sameHeaders(a: Identity, b: Identity): boolean {
  return JSON.stringify(a.headers) === JSON.stringify(b.headers);
}

function connectionText({ tls }: Identity): string {
  return [tls.ca, tls.cert, tls.key, tls.servername, tls.rejectUnauthorized].map(String).join('\0');
}
