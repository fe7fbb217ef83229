// metadata of every kind.
import { anyText, asWritten, field, fields, integer, isMapping, label, mapOf, optional, optionalText, subdomain, text } from './decode-readers.ts';
import type { Fields, Read } from './decode-readers.ts';
import { plain } from './decode-reading.ts';
import type { Reading } from './decode-reading.ts';
import type { Metadata } from './objects.ts';

/** `TotalAnnotationSizeLimitB` of the API server: keys and values of all annotations together, in bytes. */
const MAX_ANNOTATION_BYTES = 256 * 1024;
/** A copy of the whole object (of a Secret: with its data) that kubectl leaves behind; nobody here may ever see it. */
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/** What differs between kinds. `namespaced`: its objects live in a namespace. */
export interface Scope {
  readonly namespaced: boolean;
  /** How `metadata.name` is read. */
  readonly name: Read<string>;
}

export const NAMESPACED: Scope = { namespaced: true, name: subdomain };
export const CLUSTER_WIDE: Scope = { namespaced: false, name: subdomain };

export function readMetadata(object: Fields, scope: Scope, at: Reading): Metadata {
  at.enter('metadata');
  const of = fields(object.metadata, at);
  const metadata = {
    namespace: scope.namespaced ? field(of, 'namespace', namespace, at) : '',
    name: field(of, 'name', scope.name, at),
    uid: field(of, 'uid', anyText, at),
    resourceVersion: field(of, 'resourceVersion', anyText, at),
    creationTimestamp: field(of, 'creationTimestamp', timestamp, at),
    generation: field(of, 'generation', generation, at),
    labels: field(of, 'labels', labels, at),
    annotations: field(of, 'annotations', annotations, at),
  };
  at.leave();
  return metadata;
}

/** Namespace and name as far as they can be made out, for the origin of an object's Problems. */
export function nameOf(object: Fields, scope: Scope): { readonly namespace: string; readonly name: string } {
  const metadata = isMapping(object.metadata) ? object.metadata : {};
  const shown = (value: unknown): string => (value === undefined || typeof value === 'object' ? '' : plain(String(value)));
  return { namespace: scope.namespaced ? shown(metadata.namespace) || 'default' : '', name: shown(metadata.name) };
}

const namespace = optionalText(label, 'default');
const generation = optional(integer(0, Number.MAX_SAFE_INTEGER), 0);
const labels = mapOf(text, text);

/** Annotation values alone may have several lines (snippets, JSON). */
const annotationValue: Read<string> = (value, at) => {
  if (typeof value !== 'string') return at.refuse(value, 'a string (write true, false and numbers in quotes)', asWritten(value));
  return /[\r\0]/.test(value) ? at.refuse(value, 'a string without CR and NUL', value.replace(/[\r\0]/g, '')) : value;
};
const annotationMap = mapOf(text, annotationValue);

const annotations: Read<ReadonlyMap<string, string>> = (value, at) => {
  const result = annotationMap(value, at);
  let bytes = 0;
  for (const [key, content] of result) bytes += Buffer.byteLength(key) + Buffer.byteLength(content);
  if (bytes > MAX_ANNOTATION_BYTES) at.refuseFor(`all annotations together have ${bytes} bytes; at most ${MAX_ANNOTATION_BYTES} are allowed`, undefined);
  (result as Map<string, string>).delete(LAST_APPLIED);
  return result;
};

/** RFC 3339 in UTC to the second, the one form that Kubernetes writes: ages are compared as strings. */
const timestamp: Read<string> = (value, at) => {
  if (value === undefined || value === null || value === '') return '';
  if (typeof value === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/.test(value)) {
    const time = Date.parse(value);
    if (!Number.isNaN(time)) return value.length === 20 ? value : `${new Date(time).toISOString().slice(0, 19)}Z`;
  }
  return at.refuse(value, 'an RFC 3339 time such as 2026-01-31T12:00:00Z', '');
};
