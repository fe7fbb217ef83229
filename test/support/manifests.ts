// Kubernetes objects for tests, written as the YAML that users write and read by the decoder that reads theirs.
import { parseAllDocuments } from 'yaml';
import { decodeAll } from '../../controller/kube/decode.ts';
import type { Kind, KubeObject, ObjectOf } from '../../controller/kube/objects.ts';
import { KubeStore } from '../../controller/kube/state.ts';
import type { Problem } from '../../controller/model/problem.ts';

export interface Manifests {
  readonly objects: readonly KubeObject[];
  /** Of objects that did not decode. */
  readonly problems: readonly Problem[];
}

export function readManifests(yaml: string): Manifests {
  const objects: KubeObject[] = [];
  const problems: Problem[] = [];
  for (const document of parseAllDocuments(yaml)) {
    if (document.errors.length > 0) throw document.errors[0]!;
    if (document.contents === null) continue;
    for (const { decoded } of decodeAll(document.toJS())) {
      if (decoded === 'passed over') continue;
      if ('object' in decoded) objects.push(decoded.object);
      else problems.push(...decoded.problems);
    }
  }
  return { objects, problems };
}

/** Throws where something does not decode. */
export function storeOf(yaml: string): KubeStore {
  const { objects, problems } = readManifests(yaml);
  if (problems.length > 0) throw new Error(problems.map(({ message }) => message).join('\n'));
  const store = new KubeStore();
  for (const object of objects) store.put(object);
  return store;
}

/** The only object of a document. */
export function objectOf<K extends Kind>(kind: K, yaml: string): ObjectOf<K> {
  const { objects, problems } = readManifests(yaml);
  const [object] = objects;
  if (object?.kind !== kind) throw new Error(`no ${kind}: ${JSON.stringify(problems)}`);
  return object as ObjectOf<K>;
}

/** A Secret with a certificate. */
export function secretYaml(name: string, chainPem: string, keyPem: string, namespace = 'default'): string {
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  return `{apiVersion: v1, kind: Secret, type: kubernetes.io/tls, metadata: {name: ${name}, namespace: ${namespace}}, data: {tls.crt: ${base64(chainPem)}, tls.key: ${base64(keyPem)}}}`;
}
