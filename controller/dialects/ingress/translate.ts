// The dialect `ingress`: networking.k8s.io/v1 Ingress as the Kubernetes documentation has it, without annotations.
// One object goes in, its Translation comes out; a rule or path that is wrong is left out alone, with a Problem.
import type { Origin } from '../../../proxy/table/origin.ts';
import type { RouteMatch } from '../../../proxy/table/route.ts';
import type { Ingress, IngressBackend, IngressPath, IngressRule } from '../../kube/objects.ts';
import { checkRuleHost } from '../../model/hostname.ts';
import type { Problem } from '../../model/problem.ts';
import { seen } from '../../model/seen.ts';
import type { ActionIntent, HostIntent, RouteIntent, TlsIntent, Translation } from '../../model/translation.ts';
import { readPath } from './path.ts';

/** For an Ingress that is ours (classes.ts). */
export function translateIngress(ingress: Ingress): Translation {
  const { namespace, name, creationTimestamp } = ingress.metadata;
  const origin: Origin = { kind: 'Ingress', namespace, name };
  const problems: Problem[] = [];
  const createdAt = Date.parse(creationTimestamp);
  return {
    origin,
    createdAt: Number.isNaN(createdAt) ? Infinity : createdAt,
    hosts: translateRules(ingress, origin, problems),
    tls: translateTls(ingress, origin, problems),
    problems,
  };
}

function translateRules(ingress: Ingress, origin: Origin, problems: Problem[]): HostIntent[] {
  const own = ingress.defaultBackend === undefined ? undefined : backendAction(ingress.defaultBackend, at(origin, 'spec.defaultBackend'), problems);
  const routes = new Map<string, RouteIntent[]>();
  ingress.rules.forEach((rule, index) => {
    const hostname = translateHost(rule, at(origin, `spec.rules[${index}].host`), problems);
    if (hostname === undefined) return;
    const found = routes.get(hostname) ?? [];
    routes.set(hostname, found);
    rule.paths.forEach((path, pathIndex) => found.push(...translatePath(path, index, pathIndex, origin, problems)));
  });
  // Without rules the default backend is all that there is: it takes what no other Ingress names.
  if (ingress.rules.length === 0 && own !== undefined) routes.set('*', []);
  return [...routes].map(([hostname, found]) => ({ hostname, routes: found, fallback: fallbackRoute(origin, own), ownFallback: own !== undefined }));
}

function translateHost(rule: IngressRule, origin: Origin, problems: Problem[]): string | undefined {
  if (rule.host === '') return '*';
  const check = checkRuleHost(rule.host);
  if ('wrong' in check) {
    problems.push({
      severity: 'error',
      reason: 'InvalidHost',
      origin,
      message: `host ${seen(rule.host)} ${check.wrong}`,
      ...(rule.host === '*' && { hint: 'leave the host out to serve every host' }),
      effect: 'RouteRefused',
    });
    return undefined;
  }
  if (check.hostname !== rule.host) {
    problems.push({
      severity: 'warning',
      reason: 'InvalidHost',
      origin,
      message: `host ${seen(rule.host)} is read as ${seen(check.hostname)}: Kubernetes takes lower case only`,
      effect: 'None',
    });
  }
  return check.hostname;
}

/** A list of one route, or of none if the path is refused. */
function translatePath(path: IngressPath, ruleIndex: number, pathIndex: number, origin: Origin, problems: Problem[]): RouteIntent[] {
  const field = `spec.rules[${ruleIndex}].http.paths[${pathIndex}]`;
  const read = readPath(path.path, path.pathType);
  if ('wrong' in read) {
    problems.push({
      severity: 'error',
      reason: 'InvalidPath',
      origin: at(origin, `${field}.path`),
      message: `path ${seen(path.path)} ${read.wrong}`,
      ...(read.hint !== undefined && { hint: read.hint }),
      effect: 'RouteRefused',
    });
    return [];
  }
  const action = backendAction(path.backend, at(origin, `${field}.backend`), problems);
  if (action === undefined) return [];
  return [
    {
      name: `${origin.namespace}/${origin.name}/rules[${ruleIndex}].paths[${pathIndex}]`,
      match: { ...ANY, path: read.match },
      writtenPath: read.written,
      filters: [],
      tlsFilters: [],
      action,
      origin: at(origin, field),
    },
  ];
}

/** For requests to a host that match none of its paths. */
function fallbackRoute(origin: Origin, own: ActionIntent | undefined): RouteIntent {
  return {
    name: `${origin.namespace}/${origin.name}/defaultBackend`,
    match: { ...ANY, path: { type: 'PathPrefix', value: '/' } },
    filters: [],
    tlsFilters: [],
    action: own ?? { type: 'DefaultBackend' },
    origin: own === undefined ? origin : at(origin, 'spec.defaultBackend'),
  };
}

const ANY: Omit<RouteMatch, 'path'> = { headers: [], queryParams: [], cookies: [] };

function backendAction(backend: IngressBackend, origin: Origin, problems: Problem[]): ActionIntent | undefined {
  if ('resource' in backend) {
    const { apiGroup, kind, name } = backend.resource;
    problems.push({
      severity: 'error',
      reason: 'InvalidKind',
      origin: at(origin, `${origin.field}.resource`),
      message: `a backend of kind ${seen(apiGroup === '' ? kind : `${kind}.${apiGroup}`)} (${seen(name)}) is not served; a Service is`,
      effect: 'RouteRefused',
    });
    return undefined;
  }
  const port = 'number' in backend.port ? backend.port.number : backend.port.name;
  return {
    type: 'Forward',
    backends: [{ namespace: origin.namespace, service: backend.service, port, weight: 1, origin: at(origin, `${origin.field}.service`) }],
    settings: {},
  };
}

function translateTls(ingress: Ingress, origin: Origin, problems: Problem[]): TlsIntent[] {
  if (ingress.tls.length > 0 && ingress.rules.every(({ host }) => host === '')) {
    problems.push({
      severity: 'warning',
      reason: 'TlsWithoutHost',
      origin: at(origin, 'spec.tls'),
      message: 'no rule of this Ingress names a host, so its certificates are not used: TLS is served with the default certificate',
      hint: 'name the hosts in the rules, or give the certificate to --default-ssl-certificate',
      effect: 'ValueIgnored',
    });
  }
  return ingress.tls.map(({ hosts, secretName }, index) => ({
    hosts: hosts.map((host) => host.toLowerCase()),
    secret: secretName === '' ? undefined : `${origin.namespace}/${secretName}`,
    origin: at(origin, `spec.tls[${index}]`),
  }));
}

function at(origin: Origin, field: string): Origin {
  return { ...origin, field };
}
