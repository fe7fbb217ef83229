// Words of a manifest that Kubernetes does not have: fields of an Ingress, and kinds. An API server drops the former and refuses the
// latter; in a folder nobody does, and an Ingress with `tsl:` is served without TLS. It is told, and changes nothing else.
import { didYouMean, near } from '../model/near.ts';
import type { Problem } from '../model/problem.ts';
import { seen } from '../model/seen.ts';
import { nameOf, NAMESPACED } from './decode-metadata.ts';
import { isMapping } from './decode-readers.ts';
import type { Fields } from './decode-readers.ts';
import { plain } from './decode-reading.ts';

/** Fields that a mapping, or each mapping of a list, may have; null: what is in them is not looked at. */
interface Shape {
  readonly [field: string]: Shape | null;
}

const BACKEND: Shape = { service: { name: null, port: { name: null, number: null } }, resource: { apiGroup: null, kind: null, name: null } };
const METADATA: Shape = {
  name: null, namespace: null, labels: null, annotations: null, generateName: null, creationTimestamp: null, deletionTimestamp: null, deletionGracePeriodSeconds: null,
  finalizers: null, generation: null, managedFields: null, ownerReferences: null, resourceVersion: null, selfLink: null, uid: null,
};
const INGRESS: Shape = {
  apiVersion: null,
  kind: null,
  metadata: METADATA,
  spec: {
    ingressClassName: null,
    defaultBackend: BACKEND,
    tls: { hosts: null, secretName: null },
    rules: { host: null, http: { paths: { path: null, pathType: null, backend: BACKEND } } },
  },
  status: null,
};

/** Kinds of groups that nobody but Kubernetes may put any into. */
const KINDS: ReadonlyMap<unknown, readonly string[]> = new Map([
  ['networking.k8s.io/v1', ['Ingress', 'IngressClass', 'NetworkPolicy', 'IPAddress', 'ServiceCIDR']],
  ['discovery.k8s.io/v1', ['EndpointSlice']],
]);
/** Much that no API server knows is written under `v1`, such as a kubeconfig: there only what is nearly one of these is told. */
const CORE_KINDS: readonly string[] = ['Service', 'Endpoints', 'Secret', 'ConfigMap', 'Namespace'];

/** Past this nobody reads them, and a hostile object could have millions. */
const MAX_PROBLEMS = 50;

/** What is told of one object, whether or not it can be decoded. */
export function misspelt(object: Fields): readonly Problem[] {
  const { apiVersion, kind } = object;
  if (typeof kind !== 'string') return [];
  if (kind === 'Ingress' && apiVersion === 'networking.k8s.io/v1') return unknownFields(object);
  const kinds = apiVersion === 'v1' ? CORE_KINDS : KINDS.get(apiVersion);
  if (kinds === undefined || kinds.includes(kind)) return [];
  const meant = near(kind, kinds);
  if (meant === undefined && kinds === CORE_KINDS) return [];
  const origin = { kind: plain(kind), ...nameOf(object, NAMESPACED), field: 'kind' };
  return [{ severity: 'warning', reason: 'UnknownKind', origin, message: `${apiVersion} has no kind ${seen(kind)}${didYouMean(meant)}`, effect: 'ObjectRefused' }];
}

function unknownFields(ingress: Fields): readonly Problem[] {
  const problems: Problem[] = [];
  walk(ingress, INGRESS, '', (field, name, known) => {
    if (problems.length === MAX_PROBLEMS) return;
    const origin = { kind: 'Ingress', ...nameOf(ingress, NAMESPACED), field: plain(field) };
    const message = `an Ingress has no field ${seen(name)} here${didYouMean(near(name, known))}`;
    problems.push({ severity: 'warning', reason: 'UnknownField', origin, message, effect: 'ValueIgnored' });
  });
  return problems;
}

function walk(value: unknown, shape: Shape, field: string, tell: (field: string, name: string, known: readonly string[]) => void): void {
  if (Array.isArray(value)) {
    value.forEach((each, index) => isMapping(each) && walk(each, shape, `${field}[${index}]`, tell));
    return;
  }
  if (!isMapping(value)) return;
  for (const name of Object.keys(value)) {
    const at = field === '' ? name : `${field}.${name}`;
    const inside = Object.hasOwn(shape, name) ? shape[name] : undefined;
    if (inside === undefined) tell(at, name, Object.keys(shape));
    else if (inside !== null) walk(value[name], inside, at, tell);
  }
}
