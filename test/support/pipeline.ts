// A pipeline for tests, and short ways to ask its table: which cluster does a request get?
import { selfSigned } from '../../certs/self-signed.ts';
import type { KubeState } from '../../controller/kube/state.ts';
import { Pipeline } from '../../controller/pipeline.ts';
import type { DnsAnswers, PipelineResult, PipelineSettings } from '../../controller/pipeline.ts';
import { canonicalPath } from '../../proxy/http/target.ts';
import { compileTable } from '../../proxy/match/compile.ts';
import type { Listener } from '../../proxy/table/listener.ts';
import type { Sections } from '../../proxy/table/snapshot.ts';
import { storeOf } from './manifests.ts';

export const LISTENERS: readonly Listener[] = [
  { name: 'http', address: '::', port: 8080, protocol: 'HTTP', proxyProtocol: false, trustedProxies: [] },
  { name: 'https', address: '::', port: 8443, protocol: 'HTTPS', proxyProtocol: false, trustedProxies: [] },
];

export const SETTINGS: PipelineSettings = {
  controllerClass: 'fairlead.dev/ingress-controller',
  ingressClass: 'fairlead',
  watchIngressWithoutClass: true,
  selfSigned: selfSigned({ hostnames: ['fairlead.invalid'] }),
  listeners: LISTENERS,
};

export function runOnce(state: KubeState | string, settings: Partial<PipelineSettings> = {}, dns: DnsAnswers = new Map()): PipelineResult {
  return new Pipeline({ ...SETTINGS, ...settings }).run(typeof state === 'string' ? storeOf(state) : state, dns);
}

/** What a plain-text GET gets, in one word: the cluster's name, or the status with its reason. */
export function answerTo(sections: Sections, hostname: string, path: string, listener = 'http'): string {
  const canonical = canonicalPath(path);
  if (typeof canonical !== 'string') return '400';
  const route = compileTable(sections).table.match(listener, { hostname, path: canonical, method: 'GET', headers: [], query: '' })?.route;
  if (route === undefined) return '404';
  const { action } = route;
  if (action.type === 'Forward') return action.clusters.map(({ cluster }) => cluster).join('+');
  return action.type === 'Respond' ? `${action.status} ${action.reason}` : `${action.status}`;
}

/** `reason effect origin` of each Problem. */
export function problemLines({ problems }: PipelineResult): string[] {
  return problems.map(({ reason, effect, origin }) => `${reason} ${effect} ${origin.kind} ${origin.name} ${origin.field ?? ''}`.trimEnd());
}

/** Services `name` → cluster `default/name:80`, with one endpoint each. */
export function serviceYaml(...names: readonly string[]): string {
  const each = names.map((name, index) => [
    `{apiVersion: v1, kind: Service, metadata: {name: ${name}}, spec: {ports: [{port: 80}]}}`,
    `{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: ${name}-1, labels: {kubernetes.io/service-name: ${name}}}, addressType: IPv4, ports: [{port: 8080}], endpoints: [{addresses: [10.0.0.${index + 1}]}]}`,
  ]);
  return each.flat().join('\n---\n');
}

export interface IngressWords {
  readonly name: string;
  readonly host?: string;
  /** `Prefix /path service` each. */
  readonly paths?: readonly string[];
  readonly created?: string;
  readonly namespace?: string;
  /** YAML flow mapping entries for metadata.annotations. */
  readonly annotations?: string;
  /** More of `spec`, such as `tls: [...]`. */
  readonly spec?: string;
}

export function ingressYaml({ name, host, paths, created, namespace = 'default', annotations = '', spec }: IngressWords): string {
  const list = (paths ?? []).map((words) => {
    const [pathType = '', path = '', service = ''] = words.split(' ');
    return `{path: "${path}", pathType: ${pathType}, backend: {service: {name: ${service}, port: {number: 80}}}}`;
  });
  const http = list.length === 0 ? '' : `${host === undefined ? '' : ', '}http: {paths: [${list.join(', ')}]}`;
  const rules = host === undefined && list.length === 0 ? [] : [`rules: [{${host === undefined ? '' : `host: "${host}"`}${http}}]`];
  const stamp = created === undefined ? '' : `, creationTimestamp: "${created}"`;
  const all = [...rules, ...(spec === undefined ? [] : [spec])].join(', ');
  return `{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: ${name}, namespace: ${namespace}${stamp}, annotations: {${annotations}}}, spec: {${all}}}`;
}

export const documents = (...yaml: readonly string[]): string => yaml.filter((each) => each !== '').join('\n---\n');
