// What clients ask before they ask for anything: versions, groups, and the resources of each group.
// https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api
import { RESOURCES, apiVersionOf } from './resources.ts';
import type { ResourceType } from './resources.ts';

const VERBS = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];

/** The document at this path; undefined: it is no path of discovery. `hidden`: resources that this server does not have. */
export function discovery(path: string, hidden: ReadonlySet<string>): object | undefined {
  const resources = RESOURCES.filter(({ plural }) => !hidden.has(plural));
  const groups = [...new Set(resources.map(({ group }) => group))].filter((group) => group !== '').map(describeGroup);
  switch (path) {
    case '/version':
      return { major: '1', minor: '34', gitVersion: 'v1.34.0-test', gitCommit: '', gitTreeState: 'clean', buildDate: '2026-01-01T00:00:00Z', goVersion: '', compiler: '', platform: '' };
    case '/api':
      return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] };
    case '/apis':
      return { kind: 'APIGroupList', apiVersion: 'v1', groups };
    case '/openapi/v3':
      return { paths: {} };
    case '/openapi/v2':
      return { swagger: '2.0', info: { title: 'Kubernetes', version: 'v1.34.0-test' }, paths: {}, definitions: {} };
  }
  const named = /^\/apis\/([^/]+)$/.exec(path)?.[1];
  if (named !== undefined) return groups.find(({ name }) => name === named);
  const match = path === '/api/v1' ? ['', '', 'v1'] : /^\/apis\/([^/]+)\/([^/]+)$/.exec(path);
  if (match === null) return undefined;
  const own = resources.filter(({ group, version }) => group === match[1] && version === match[2]);
  return own.length === 0 ? undefined : { kind: 'APIResourceList', apiVersion: 'v1', groupVersion: apiVersionOf(own[0]!), resources: own.flatMap(describeResource) };
}

function describeGroup(group: string): { kind: string; apiVersion: string; name: string; versions: object[]; preferredVersion: object } {
  const version = { groupVersion: `${group}/v1`, version: 'v1' };
  return { kind: 'APIGroup', apiVersion: 'v1', name: group, versions: [version], preferredVersion: version };
}

function describeResource({ plural, kind, namespaced, shortNames, hasStatus }: ResourceType): object[] {
  const main = { name: plural, singularName: kind.toLowerCase(), namespaced, kind, verbs: VERBS, ...(shortNames.length > 0 ? { shortNames } : {}) };
  return hasStatus ? [main, { name: `${plural}/status`, singularName: '', namespaced, kind, verbs: ['get', 'patch', 'update'] }] : [main];
}
