// A kubeconfig for one user of one server, as text. https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/
import { stringify } from 'yaml';

export interface Access {
  readonly url: string;
  readonly caPem: string;
  readonly token: string;
  readonly namespace?: string;
}

export function kubeconfig({ url, caPem, token, namespace = 'default' }: Access): string {
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster: { server: url, 'certificate-authority-data': Buffer.from(caPem).toString('base64') } }],
    users: [{ name: 'test', user: { token } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test', namespace } }],
    'current-context': 'test',
  });
}
