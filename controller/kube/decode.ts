// Untrusted JSON into typed objects: the one door through which anything of Kubernetes comes in, from files and from the
// API alike. It never throws; an object is taken whole or refused whole, with every reason. Unknown fields are ignored (but see misspelt.ts).
import { readConfigMap, readSecret } from './decode-data.ts';
import { readEndpoints, readEndpointSlice, readService } from './decode-endpoints.ts';
import { readIngress, readIngressClass } from './decode-ingress.ts';
import { CLUSTER_WIDE, nameOf, NAMESPACED, readMetadata } from './decode-metadata.ts';
import type { Scope } from './decode-metadata.ts';
import { isMapping, label } from './decode-readers.ts';
import type { Fields } from './decode-readers.ts';
import { plain, quoted, Reading } from './decode-reading.ts';
import type { Problem } from '../model/problem.ts';
import { misspelt } from './misspelt.ts';
import type { Ingress, Kind, KubeObject, Metadata } from './objects.ts';

/** `remains`: of an Ingress, what can be read of it; the rest of it is as if it were not there, or as it was written. */
export interface Refusal {
  readonly problems: readonly Problem[];
  readonly remains?: Ingress;
}

/** `'passed over'`: a kind that Fairlead does not read. */
export type Decoded = { readonly object: KubeObject } | Refusal | 'passed over';

/** One object of a document. `path` leads from the document's root to it, and is empty unless it stood in a list. */
export interface DecodedItem {
  readonly path: readonly (string | number)[];
  readonly decoded: Decoded;
  /** Of words that Kubernetes does not have; nothing else follows from them. */
  readonly misspelt: readonly Problem[];
}

interface KindReader extends Scope {
  readonly apiVersion: string;
  /** Versions that Kubernetes has removed: whoever still writes them should hear of it. */
  readonly removed: readonly string[];
  read(object: Fields, metadata: Metadata, at: Reading): KubeObject;
}

const KIND_READERS: { readonly [K in Kind]: KindReader } = {
  Ingress: { ...NAMESPACED, apiVersion: 'networking.k8s.io/v1', removed: ['networking.k8s.io/v1beta1', 'extensions/v1beta1'], read: readIngress },
  IngressClass: { ...CLUSTER_WIDE, apiVersion: 'networking.k8s.io/v1', removed: ['networking.k8s.io/v1beta1'], read: readIngressClass },
  Service: { ...NAMESPACED, name: label, apiVersion: 'v1', removed: [], read: readService },
  EndpointSlice: { ...NAMESPACED, apiVersion: 'discovery.k8s.io/v1', removed: ['discovery.k8s.io/v1beta1'], read: readEndpointSlice },
  Endpoints: { ...NAMESPACED, apiVersion: 'v1', removed: [], read: readEndpoints },
  Secret: { ...NAMESPACED, apiVersion: 'v1', removed: [], read: readSecret },
  ConfigMap: { ...NAMESPACED, apiVersion: 'v1', removed: [], read: readConfigMap },
  Namespace: { ...CLUSTER_WIDE, name: label, apiVersion: 'v1', removed: [], read: (_object, metadata) => ({ kind: 'Namespace', metadata }) },
};
const KINDS: ReadonlyMap<unknown, Kind> = new Map((Object.keys(KIND_READERS) as Kind[]).map((kind) => [kind, kind]));

/** Lists may stand in lists, though nobody writes that; a hostile document may do so without end. */
const MAX_LIST_DEPTH = 5;

/** Decodes one object that says by `kind` and `apiVersion` what it is. */
export function decode(input: unknown): Decoded {
  if (!isMapping(input)) return refusal('', 'not a Kubernetes object: it is no mapping with apiVersion, kind and metadata');
  if (typeof input.kind !== 'string' || input.kind === '') return refusal('', 'not a Kubernetes object: it has no kind');
  const kind = KINDS.get(input.kind);
  if (kind === undefined) return 'passed over';
  const { apiVersion, removed } = KIND_READERS[kind];
  if (input.apiVersion === apiVersion) return decodeAs(kind, input);
  if (typeof input.apiVersion === 'string' && input.apiVersion !== '' && !removed.includes(input.apiVersion)) return 'passed over';
  const at = new Reading(() => ({ kind, ...nameOf(input, KIND_READERS[kind]) }));
  at.enter('apiVersion');
  if (typeof input.apiVersion === 'string' && input.apiVersion !== '') at.refuseFor(`found ${quoted(input.apiVersion)}, which Kubernetes has removed; it must be ${apiVersion}`, undefined, 'UnsupportedVersion');
  else at.refuse(input.apiVersion, apiVersion, undefined);
  const found = decodeAs(kind, input);
  return refused(at, input, 'object' in found ? found.object : found.remains);
}

/** Decodes one object whose kind is known from elsewhere: items of an API list do not say it themselves. */
export function decodeAs(kind: Kind, input: unknown): Exclude<Decoded, 'passed over'> {
  const object = isMapping(input) ? input : {};
  const reader = KIND_READERS[kind];
  const at = new Reading(() => ({ kind, ...nameOf(object, reader) }), kind === 'Secret');
  if (object !== input) at.refuse(input, 'a mapping', undefined);
  const metadata = readMetadata(object, reader, at);
  const result = reader.read(object, metadata, at);
  return at.failed ? refused(at, object, result) : { object: result };
}

/** What remains has the name that its Problems have: the one that was written may be anything. */
function refused(at: Reading, object: Fields, remains: KubeObject | undefined): Refusal {
  if (remains?.kind !== 'Ingress') return { problems: at.problems() };
  return { problems: at.problems(), remains: { ...remains, metadata: { ...remains.metadata, ...nameOf(object, KIND_READERS.Ingress) } } };
}

/** Decodes an object, or every object of a list (`List`, `IngressList`, …). */
export function decodeAll(input: unknown): readonly DecodedItem[] {
  const items: DecodedItem[] = [];
  flatten(input, [], items);
  return items;
}

function flatten(input: unknown, path: readonly (string | number)[], into: DecodedItem[]): void {
  if (!isMapping(input) || typeof input.kind !== 'string' || !input.kind.endsWith('List')) {
    into.push({ path, decoded: decode(input), misspelt: isMapping(input) ? misspelt(input) : [] });
    return;
  }
  const itemKind = input.kind.slice(0, -'List'.length);
  const items = input.items ?? [];
  if (!Array.isArray(items)) {
    // A kind of somebody else's may end with these letters, too.
    into.push({ path, decoded: itemKind === '' || KINDS.has(itemKind) ? refusal(input.kind, 'items: it must be a list') : 'passed over', misspelt: [] });
    return;
  }
  if (path.length >= 2 * MAX_LIST_DEPTH) {
    into.push({ path, decoded: refusal(input.kind, `lists stand in lists more than ${MAX_LIST_DEPTH} deep`), misspelt: [] });
    return;
  }
  for (const [index, item] of items.entries()) {
    const typed = itemKind !== '' && isMapping(item) && item.kind === undefined ? { ...item, kind: itemKind, apiVersion: input.apiVersion } : item;
    flatten(typed, [...path, 'items', index], into);
  }
}

function refusal(kind: string, message: string): Decoded {
  return { problems: [{ severity: 'error', reason: 'InvalidObject', origin: { kind: plain(kind), namespace: '', name: '' }, message, effect: 'ObjectRefused' }] };
}
