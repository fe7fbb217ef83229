// Create, update, patch and delete, with the rules of the API: resourceVersion preconditions, what each subresource may
// change, what the server fills in, and no new version for a write that changes nothing.
// https://kubernetes.io/docs/reference/using-api/api-concepts/
import { randomBytes, randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { ApiFailure, alreadyExists, badRequest, conflict, invalid, notFound } from './failure.ts';
import type { Writer } from './fields.ts';
import { copy, isMapping } from './json.ts';
import type { ApiObject } from './json.ts';
import { apply, mergePatch, trackUpdate } from './patch.ts';
import { apiVersionOf, resourceKey } from './resources.ts';
import type { ResourceType } from './resources.ts';
import type { Store } from './store.ts';
import { causes } from './validate.ts';

/** Which object a write is about, and who writes. */
export interface Target {
  readonly type: ResourceType;
  readonly namespace: string;
  readonly name: string;
  /** Empty, or `status`. */
  readonly subresource: string;
  readonly manager: string;
}

export class Writes {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  create(target: Target, body: unknown): ApiObject {
    const { type } = target;
    const object = this.#checked(target, body);
    const { metadata } = object;
    if (metadata.resourceVersion !== undefined && metadata.resourceVersion !== '') throw badRequest('resourceVersion should not be set on objects to be created');
    if (metadata.name === undefined && metadata.generateName !== undefined) metadata.name = metadata.generateName + randomBytes(3).toString('hex').slice(0, 5);
    const name = metadata.name ?? '';
    if (name === '') throw invalid(type.kind, '', ['metadata.name: Required value: name or generateName is required']);
    this.#requireNamespace(target);
    if (this.#find(target, name) !== undefined) throw alreadyExists(resourceKey(type), name);
    if (type.hasStatus) delete object.status;
    return this.#store.put(resourceKey(type), key(target, name), this.#finish(undefined, trackUpdate(undefined, object, this.#writer(target, 'Update'))));
  }

  update(target: Target, body: unknown): ApiObject {
    const object = this.#checked(target, body);
    if (object.metadata.name !== target.name) throw badRequest(`the name of the object (${object.metadata.name}) does not match the name on the URL (${target.name})`);
    const live = this.#require(target);
    const version = object.metadata.resourceVersion ?? '';
    if (version === '' && !target.type.unconditionalUpdate) throw invalid(target.type.kind, target.name, ['metadata.resourceVersion: Invalid value: 0x0: must be specified for an update']);
    return this.#replace(target, live, object, 'Update');
  }

  /** `contentType` without parameters. */
  patch(target: Target, contentType: string, body: unknown, options: { readonly force: boolean; readonly manager: string }): ApiObject {
    if (contentType === 'application/apply-patch+yaml') return this.#apply(target, body, options);
    if (contentType !== 'application/merge-patch+json') {
      throw new ApiFailure(415, 'UnsupportedMediaType', 'the body of the request was in an unknown format - accepted media types include: application/merge-patch+json, application/apply-patch+yaml');
    }
    if (options.force) throw invalid('PatchOptions', 'meta.k8s.io', ['force: Forbidden: may not be specified for non-apply patch']);
    if (!isMapping(body)) throw badRequest('the patch must be a mapping');
    const live = this.#require(target);
    return this.#replace(target, live, this.#checked(target, mergePatch(live, body)), 'Update');
  }

  /** `preconditions` as in DeleteOptions. */
  remove(target: Target, body: unknown): ApiObject {
    const live = this.#require(target);
    const wanted = isMapping(body) && isMapping(body.preconditions) ? body.preconditions : {};
    for (const field of ['uid', 'resourceVersion'] as const) {
      if (wanted[field] !== undefined && wanted[field] !== live.metadata[field]) throw conflict(`Precondition failed: ${field} in precondition: ${String(wanted[field])}, ${field} in object meta: ${live.metadata[field]}`);
    }
    const removed = this.#store.remove(resourceKey(target.type), key(target, target.name));
    if (removed === undefined) throw notFound(resourceKey(target.type), target.name);
    if (target.type.kind === 'Namespace') this.#emptyNamespace(target.name);
    return removed;
  }

  #apply(target: Target, body: unknown, { force, manager }: { readonly force: boolean; readonly manager: string }): ApiObject {
    if (manager === '') throw invalid('PatchOptions', 'meta.k8s.io', ['fieldManager: Required value: is required for apply patch']);
    const applied = this.#checked(target, body);
    if (applied.metadata.managedFields !== undefined && applied.metadata.managedFields !== null) throw badRequest('metadata.managedFields must be nil');
    applied.metadata.name ??= target.name;
    const live = this.#find(target, target.name);
    const writer = { ...this.#writer(target, 'Apply'), manager };
    if (live === undefined) {
      if (target.subresource !== '') throw notFound(resourceKey(target.type), target.name);
      this.#requireNamespace(target);
      if (target.type.hasStatus) delete applied.status;
      return this.#store.put(resourceKey(target.type), key(target, target.name), this.#finish(undefined, apply(undefined, applied, writer, force)));
    }
    const next = apply(live, this.#onlyWritable(target, applied), writer, force);
    return this.#replace(target, live, next, undefined);
  }

  /** `operation` undefined: field ownership is recorded in `next` already. */
  #replace(target: Target, live: ApiObject, next: ApiObject, operation: 'Update' | undefined): ApiObject {
    const { type, subresource, name } = target;
    const version = next.metadata.resourceVersion ?? '';
    if (version !== '' && version !== live.metadata.resourceVersion) {
      throw conflict(`Operation cannot be fulfilled on ${resourceKey(type)} "${name}": the object has been modified; please apply your changes to the latest version and try again`);
    }
    if (next.metadata.uid !== undefined && next.metadata.uid !== live.metadata.uid) throw conflict(`Precondition failed: UID in precondition: ${next.metadata.uid}, UID in object meta: ${live.metadata.uid}`);
    const allowed: ApiObject = subresource === 'status'
      ? { ...live, ...(next.status === undefined ? {} : { status: next.status }), metadata: { ...live.metadata, managedFields: next.metadata.managedFields ?? [] } }
      : { ...next, ...(type.hasStatus && live.status !== undefined ? { status: live.status } : {}) };
    if (subresource === '' && type.hasStatus && live.status === undefined) delete allowed.status;
    const tracked = operation === undefined ? allowed : trackUpdate(live, allowed, this.#writer(target, operation));
    const finished = this.#finish(live, tracked);
    return isDeepStrictEqual(withoutTimes(finished), withoutTimes(live)) ? live : this.#store.put(resourceKey(type), key(target, name), finished);
  }

  /** Fills in what is the server's own, and refuses what is invalid. */
  #finish(live: ApiObject | undefined, object: ApiObject): ApiObject {
    const now = `${new Date().toISOString().slice(0, 19)}Z`;
    const { metadata } = object;
    metadata.uid = live?.metadata.uid ?? randomUUID();
    metadata.creationTimestamp = live?.metadata.creationTimestamp ?? now;
    metadata.resourceVersion = live?.metadata.resourceVersion ?? '';
    if (object.spec !== undefined) metadata.generation = live === undefined ? 1 : (live.metadata.generation ?? 1) + (isDeepStrictEqual(live.spec, object.spec) ? 0 : 1);
    if (EMPTY_BALANCER.has(object.kind)) object.status ??= { loadBalancer: {} };
    const wrong = causes(object);
    if (wrong.length > 0) throw invalid(object.kind, metadata.name ?? '', wrong);
    return object;
  }

  #checked({ type, namespace }: Target, body: unknown): ApiObject {
    if (!isMapping(body) || !isMapping(body.metadata ?? {})) throw badRequest('the object provided is unrecognized');
    if (body.kind !== type.kind || body.apiVersion !== apiVersionOf(type)) {
      throw badRequest(`the API version and kind in the data (${String(body.apiVersion)}, ${String(body.kind)}) do not match the expected ones (${apiVersionOf(type)}, ${type.kind})`);
    }
    const object = copy({ ...body, metadata: body.metadata ?? {} }) as ApiObject;
    if (!type.namespaced) delete object.metadata.namespace;
    else if ((object.metadata.namespace ?? namespace) !== namespace) throw badRequest(`the namespace of the provided object does not match the namespace sent on the request`);
    else object.metadata.namespace = namespace;
    return object;
  }

  #onlyWritable({ type, subresource }: Target, object: ApiObject): ApiObject {
    if (subresource === 'status') return { apiVersion: object.apiVersion, kind: object.kind, metadata: { name: object.metadata.name!, ...(type.namespaced ? { namespace: object.metadata.namespace! } : {}) }, ...(object.status === undefined ? {} : { status: object.status }) };
    if (type.hasStatus) delete object.status;
    return object;
  }

  #requireNamespace({ type, namespace }: Target): void {
    if (type.namespaced && this.#store.get('namespaces', `/${namespace}`) === undefined) throw notFound('namespaces', namespace);
  }

  #find(target: Target, name: string): ApiObject | undefined {
    return this.#store.get(resourceKey(target.type), key(target, name))?.object;
  }

  #require(target: Target): ApiObject {
    const live = this.#find(target, target.name);
    if (live === undefined) throw notFound(resourceKey(target.type), target.name);
    return live;
  }

  #emptyNamespace(namespace: string): void {
    for (const resource of this.#store.resources()) {
      for (const { object } of this.#store.list(resource, namespace)) this.#store.remove(resource, `${namespace}/${object.metadata.name}`);
    }
  }

  #writer({ type, subresource, manager }: Target, operation: Writer['operation']): Writer {
    return { manager, operation, subresource, apiVersion: apiVersionOf(type), time: `${new Date().toISOString().slice(0, 19)}Z` };
  }
}

/** Kinds whose status always has this field. */
const EMPTY_BALANCER = new Set(['Ingress', 'Service']);

function key({ type, namespace }: Target, name: string): string {
  return `${type.namespaced ? namespace : ''}/${name}`;
}

/** Times at which fields were claimed do not make two objects differ. */
function withoutTimes(object: ApiObject): ApiObject {
  return { ...object, metadata: { ...object.metadata, managedFields: (object.metadata.managedFields ?? []).map((entry) => ({ ...entry, time: '' })) } };
}
