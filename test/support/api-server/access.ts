// Who asks, and what they may: bearer tokens, denials on command, and RBAC read from the Role and ClusterRole objects that
// are stored, so that a test can show which rights are enough.
// https://kubernetes.io/docs/reference/access-authn-authz/rbac/
import { forbidden, unauthorized } from './failure.ts';
import { isMapping } from './json.ts';
import type { ApiObject, JsonObject } from './json.ts';
import { resourceKey } from './resources.ts';
import type { ResourceType } from './resources.ts';
import type { Store } from './store.ts';

export interface User {
  readonly name: string;
  readonly groups: readonly string[];
}

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection';

/** What a request wants to do. */
export interface Attempt {
  readonly verb: Verb;
  readonly type: ResourceType;
  /** Empty, or `status`. */
  readonly subresource: string;
  readonly namespace: string;
  /** Empty for a collection; a list or watch narrowed to one object by `metadata.name` has its name. */
  readonly name: string;
}

export const ADMIN: User = { name: 'admin', groups: ['system:masters'] };

export class Access {
  readonly #store: Store;
  readonly #tokens = new Map<string, User>();
  readonly #denials = new Set<{ readonly resource: string; readonly verbs: readonly Verb[] | undefined; readonly user: string | undefined }>();
  /** False: everybody whose token is known may do anything that is not denied. */
  rbac = false;
  /** False: the documents of discovery are for administrators alone, as where the right of all users to them was taken away. */
  discovery = true;

  constructor(store: Store) {
    this.#store = store;
  }

  addToken(token: string, user: User): void {
    this.#tokens.set(token, user);
  }

  removeToken(token: string): void {
    this.#tokens.delete(token);
  }

  /** Answers 403 to these verbs (undefined: all) on `plural` or `plural.group`, until the returned function is called. */
  deny(resource: string, verbs?: readonly Verb[], user?: string): () => void {
    const denial = { resource, verbs, user };
    this.#denials.add(denial);
    return () => this.#denials.delete(denial);
  }

  /** Throws 401. */
  authenticate(authorization: string | undefined): User {
    const token = /^Bearer ([A-Za-z0-9._~+/-]+=*)$/.exec(authorization ?? '')?.[1];
    const user = token === undefined ? undefined : this.#tokens.get(token);
    if (user === undefined) throw unauthorized();
    return user;
  }

  /** Throws 403. `path`: of a document of discovery. */
  authorizeDiscovery(user: User, path: string): void {
    if (this.discovery || user.groups.includes('system:masters')) return;
    throw forbidden(`forbidden: User "${user.name}" cannot get path "${path}"`);
  }

  /** Throws 403. */
  authorize(user: User, attempt: Attempt): void {
    const denied = [...this.#denials].some(({ resource, verbs, user: whom }) =>
      (resource === attempt.type.plural || resource === resourceKey(attempt.type)) && (verbs === undefined || verbs.includes(attempt.verb)) && (whom === undefined || whom === user.name));
    if (!denied && (!this.rbac || user.groups.includes('system:masters') || this.#isGranted(user, attempt))) return;
    const { type, subresource, name, verb, namespace } = attempt;
    const where = namespace === '' ? 'at the cluster scope' : `in the namespace "${namespace}"`;
    const named = name === '' ? '' : ` "${name}"`;
    throw forbidden(`${resourceKey(type)}${named} is forbidden: User "${user.name}" cannot ${verb} resource "${type.plural}${subresource === '' ? '' : `/${subresource}`}" in API group "${type.group}" ${where}`);
  }

  #isGranted(user: User, attempt: Attempt): boolean {
    const cluster = this.#store.list('clusterrolebindings.rbac.authorization.k8s.io', '');
    const local = attempt.namespace === '' ? [] : this.#store.list('rolebindings.rbac.authorization.k8s.io', attempt.namespace);
    return [...cluster, ...local].some(({ object }) => bindsTo(object, user) && this.#rules(object).some((rule) => allows(rule, attempt)));
  }

  #rules(binding: ApiObject): JsonObject[] {
    const { kind, name } = binding.roleRef as { kind: string; name: string };
    const role = kind === 'ClusterRole'
      ? this.#store.get('clusterroles.rbac.authorization.k8s.io', `/${name}`)
      : this.#store.get('roles.rbac.authorization.k8s.io', `${binding.metadata.namespace}/${name}`);
    return ((role?.object.rules ?? []) as unknown[]).filter(isMapping);
  }
}

function bindsTo(binding: ApiObject, user: User): boolean {
  return ((binding.subjects ?? []) as { kind: string; name: string; namespace?: string }[]).some((subject) => {
    if (subject.kind === 'ServiceAccount') return user.name === `system:serviceaccount:${subject.namespace ?? binding.metadata.namespace}:${subject.name}`;
    return subject.kind === 'Group' ? user.groups.includes(subject.name) : user.name === subject.name;
  });
}

function allows(rule: JsonObject, { verb, type, subresource, name }: Attempt): boolean {
  const lists = (field: string, value: string): boolean => ((rule[field] ?? []) as string[]).some((entry) => entry === '*' || entry === value);
  const names = (rule.resourceNames ?? []) as string[];
  return lists('apiGroups', type.group) && lists('resources', subresource === '' ? type.plural : `${type.plural}/${subresource}`) && lists('verbs', verb)
    && (names.length === 0 || (name !== '' && names.includes(name)));
}
