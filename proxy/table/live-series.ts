// Which series still stand for something: an object that routes no longer, or a service that nobody uses any more, must not
// stay on the metrics page until the process ends.
import { readSeriesKey } from './metrics.ts';
import type { MetricDefinition } from './metrics.ts';
import type { Sections } from './snapshot.ts';

/** Stands for all objects and services beyond those that have series of their own. */
export const OTHER = '_other';

/** What the table has at one version. */
export interface LiveSeries {
  /** True: some route comes from this object. */
  object(namespace: string, name: string): boolean;
  /** `service`: the name of a cluster. */
  service(service: string): boolean;
}

/** Looks at every route once. */
export function liveSeries({ virtualHosts, clusters }: Pick<Sections, 'virtualHosts' | 'clusters'>): LiveSeries {
  const namespaces = new Map<string, Set<string>>();
  for (const { routes } of Object.values(virtualHosts)) {
    for (const { origin: { namespace, name } } of routes) {
      const names = namespaces.get(namespace);
      if (names === undefined) namespaces.set(namespace, new Set([name]));
      else names.add(name);
    }
  }
  return {
    object: (namespace, name) => namespaces.get(namespace)?.has(name) ?? false,
    service: (service) => Object.hasOwn(clusters, service),
  };
}

/** False: the series of `key` is about an object or a service that is gone. What names none of them, or `_other` ones, is about no object. */
export function isLiveSeries(key: string, definitions: ReadonlyMap<string, MetricDefinition>, live: LiveSeries): boolean {
  const { name, values } = readSeriesKey(key);
  const valueOf = (label: string): string => values[definitions.get(name)?.labels.indexOf(label) ?? -1] ?? '';
  const [namespace, ingress, service] = [valueOf('namespace'), valueOf('ingress'), valueOf('service')];
  if (namespace !== '' && !live.object(namespace, ingress)) return false;
  return service === '' || service === OTHER || live.service(service);
}
