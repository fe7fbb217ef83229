// What several Ingresses say of one Service and port: the oldest decides for all of them, whatever comes and goes.
import test from 'ava';
import type { KubeStore } from '../../controller/kube/state.ts';
import { CLUSTER_DEFAULTS } from '../../controller/model/services.ts';
import { Pipeline } from '../../controller/pipeline.ts';
import type { PipelineResult } from '../../controller/pipeline.ts';
import type { Cluster } from '../../proxy/table/cluster.ts';
import { objectOf, storeOf } from '../support/manifests.ts';
import { SETTINGS, answerTo, documents, ingressYaml, problemLines, runOnce, serviceYaml } from '../support/pipeline.ts';

const ingress = (name: string, created: string, annotations: string, path = `Prefix / web`): string =>
  ingressYaml({ name, host: `${name}.example`, paths: [path], created: `2026-01-0${created}T00:00:00Z`, annotations });
const EWMA = 'nginx.ingress.kubernetes.io/load-balance: ewma';
const LEAST = 'fairlead.dev/load-balance: least_request';
const SESSIONS = 'nginx.ingress.kubernetes.io/affinity: cookie';

interface Run {
  readonly store: KubeStore;
  /** Puts or removes an Ingress and runs again with that change alone. */
  change(name: string, yaml?: string): PipelineResult;
  readonly first: PipelineResult;
}

function start(...yaml: readonly string[]): Run {
  const store = storeOf(documents(serviceYaml('web'), ...yaml));
  const pipeline = new Pipeline(SETTINGS);
  return {
    store,
    first: pipeline.run(store, new Map()),
    change(name, text) {
      const key = `default/${name}`;
      if (text === undefined) store.remove('Ingress', key);
      else store.put(objectOf('Ingress', text));
      return pipeline.run(store, new Map(), [{ kind: 'Ingress', key }]);
    },
  };
}

function clusterOf({ sections }: PipelineResult, host: string): Cluster {
  return sections.clusters[answerTo(sections, `${host}.example`, '/')]!;
}

test('the oldest Ingress that refers to a Service says how it is balanced, also by saying nothing', (t) => {
  const { first } = start(ingress('a', '1', ''), ingress('b', '2', EWMA));
  t.is(clusterOf(first, 'a').loadBalancer.type, 'RoundRobin');
  t.is(clusterOf(first, 'b').name, clusterOf(first, 'a').name);
  t.deepEqual(problemLines(first), ['UpstreamConflict ValueIgnored Ingress b spec.rules[0].http.paths[0].backend.service']);
});

test('where the oldest one says nothing the flags count: whoever wants that is not told, and whoever wants something else is', (t) => {
  const annotations = (words: string): string => words.replaceAll(/(load-balance|service-upstream)/g, 'fairlead.dev/$1');
  for (const [clusterDefaults, wanted, told] of [
    [CLUSTER_DEFAULTS, 'load-balance: round_robin, service-upstream: "false"', false],
    [{ ...CLUSTER_DEFAULTS, serviceUpstream: true }, 'service-upstream: "true"', false],
    [{ ...CLUSTER_DEFAULTS, serviceUpstream: true }, 'service-upstream: "false"', true],
    [{ ...CLUSTER_DEFAULTS, loadBalancer: { type: 'PeakEwma' as const } }, 'load-balance: ewma', false],
    [{ ...CLUSTER_DEFAULTS, loadBalancer: { type: 'PeakEwma' as const } }, 'load-balance: round_robin', true],
  ] as const) {
    const result = runOnce(documents(serviceYaml('web'), ingress('a', '1', ''), ingress('b', '2', annotations(wanted))), { clusterDefaults });
    t.deepEqual(result.problems.map(({ reason }) => reason), told ? ['UpstreamConflict'] : [], wanted);
  }
});

test('when the oldest one goes or says something else, the routes of all others follow', (t) => {
  const run = start(ingress('a', '1', EWMA), ingress('b', '2', LEAST), ingress('c', '3', ''));
  for (const host of ['a', 'b', 'c']) t.is(clusterOf(run.first, host).loadBalancer.type, 'PeakEwma', host);
  const changed = run.change('a', ingress('a', '1', LEAST));
  for (const host of ['a', 'b', 'c']) t.is(clusterOf(changed, host).loadBalancer.type, 'LeastRequest', host);
  t.deepEqual(problemLines(changed), []);
  const removed = run.change('a');
  t.is(clusterOf(removed, 'b').loadBalancer.type, 'LeastRequest');
  const younger = run.change('b');
  t.is(clusterOf(younger, 'c').loadBalancer.type, 'RoundRobin');
  t.deepEqual(Object.keys(younger.sections.clusters), ['default/web:80']);
});

test('sessions are those of the oldest Ingress that has any; only Ingresses with sessions begin them', (t) => {
  const { first } = start(ingress('a', '1', ''), ingress('b', '2', SESSIONS), ingress('c', '3', `${SESSIONS}, nginx.ingress.kubernetes.io/session-cookie-name: other`));
  for (const host of ['a', 'b', 'c']) t.is(clusterOf(first, host).affinity?.cookie.name, 'INGRESSCOOKIE', host);
  const begins = (host: string): string | undefined => {
    const { action } = first.sections.virtualHosts[`http+https/${host}.example`]!.routes[0]!;
    return action.type === 'Forward' ? action.sessionPath : undefined;
  };
  t.deepEqual(['a', 'b', 'c'].map(begins), [undefined, '/', '/']);
  t.deepEqual(problemLines(first), ['UpstreamConflict ValueIgnored Ingress c spec.rules[0].http.paths[0].backend.service']);
});

test('a Service and its port by number and by name are two upstreams', (t) => {
  const named = `{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: n, namespace: default, annotations: {${EWMA}}}, spec: {rules: [{host: n.example, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {name: http}}}}]}}]}}`;
  const service = '{apiVersion: v1, kind: Service, metadata: {name: web, namespace: default}, spec: {ports: [{name: http, port: 80}]}}';
  const result = new Pipeline(SETTINGS).run(storeOf(documents(service, ingress('a', '1', LEAST), named)), new Map());
  t.is(clusterOf(result, 'a').loadBalancer.type, 'LeastRequest');
  t.is(clusterOf(result, 'n').loadBalancer.type, 'PeakEwma');
});

test('a change of an Ingress that has nothing to say of a shared Service rebuilds no other host', (t) => {
  const run = start(ingress('a', '1', EWMA), ingress('b', '2', ''));
  const { touched } = run.change('b', ingress('b', '2', 'nginx.ingress.kubernetes.io/proxy-body-size: 1m'));
  t.deepEqual([...touched.virtualHosts], ['http+https/b.example']);
  t.deepEqual([...touched.clusters], []);
});
