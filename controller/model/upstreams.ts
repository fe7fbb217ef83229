// What several objects say of one upstream, which is a Service and its port as it was written: how requests are shared
// out among its endpoints can only be said once. As in ingress-nginx the oldest object that refers to it decides, and the
// oldest one with sessions about those; whoever wanted something else is told.
import { equal } from '../../proxy/table/equal.ts';
import { originText } from '../../proxy/table/origin.ts';
import { Dependents } from './dependents.ts';
import type { ProblemBook } from './problem-book.ts';
import type { Problem } from './problem.ts';
import { seen } from './seen.ts';
import { CLUSTER_DEFAULTS } from './services.ts';
import type { ClusterDefaults } from './services.ts';
import { byAge } from './translation.ts';
import type { BackendRef, Translation, UpstreamSettings } from './translation.ts';

type UpstreamDefaults = Pick<ClusterDefaults, 'loadBalancer' | 'serviceUpstream'>;

interface Claim {
  readonly translation: Translation;
  readonly backend: BackendRef;
}

/** Name of a backend's upstream. A port by number and the same port by name are two upstreams. */
export function upstreamKey({ namespace, service, port }: Pick<BackendRef, 'namespace' | 'service' | 'port'>): string {
  return `${namespace}/${service}:${port ?? ''}`;
}

export class Upstreams {
  readonly #problems: ProblemBook;
  readonly #defaults: UpstreamDefaults;
  /** Upstream → object → what it says. */
  readonly #claims = new Map<string, Map<string, Claim>>();
  readonly #upstreamsOf = new Dependents();
  readonly #settings = new Map<string, UpstreamSettings>();
  /** Upstreams of which some object says something else than when they were settled. */
  readonly #unsettled = new Set<string>();

  /** `defaults`: where no object says anything. */
  constructor(problems: ProblemBook, defaults: UpstreamDefaults = CLUSTER_DEFAULTS) {
    this.#problems = problems;
    this.#defaults = defaults;
  }

  /** `translation` undefined: the object is gone. In force with the next `takeChanged`. */
  replace(object: string, translation: Translation | undefined): void {
    const claims = claimsOf(translation);
    const touched = new Set([...this.#upstreamsOf.thingsOf(object), ...claims.keys()]);
    this.#upstreamsOf.set(object, new Set(claims.keys()));
    for (const key of touched) {
      const claim = claims.get(key);
      let all = this.#claims.get(key);
      if (claim === undefined) {
        all?.delete(object);
      } else {
        if (all === undefined) this.#claims.set(key, (all = new Map()));
        all.set(object, claim);
      }
      this.#unsettled.add(key);
    }
  }

  /** Settles what was said since this was last called; returns the upstreams whose settings are other ones now. */
  takeChanged(): ReadonlySet<string> {
    const changed = new Set<string>();
    for (const key of this.#unsettled) if (this.#settle(key)) changed.add(key);
    this.#unsettled.clear();
    return changed;
  }

  /** Empty for what nobody refers to. */
  settings(key: string): UpstreamSettings {
    return this.#settings.get(key) ?? NOTHING;
  }

  /** True: its settings are other ones. Thousands of objects may share an upstream, so that each is looked at only once or twice. */
  #settle(key: string): boolean {
    const claims = [...(this.#claims.get(key)?.values() ?? [])];
    const first = oldest(claims);
    const withSessions = oldest(claims.filter(({ backend }) => backend.upstream?.affinity !== undefined));
    const settings = { ...first?.backend.upstream, affinity: withSessions?.backend.upstream?.affinity };
    const changed = !equal(settings, this.settings(key));
    if (first === undefined) {
      this.#settings.delete(key);
      this.#claims.delete(key);
    } else {
      this.#settings.set(key, settings);
    }
    const { loadBalancer, serviceUpstream } = this.#defaults;
    const holding = { ...settings, loadBalancer: settings.loadBalancer ?? loadBalancer, serviceUpstream: settings.serviceUpstream ?? serviceUpstream };
    this.#problems.set(`upstream ${key}`, claims.flatMap((claim) => (claim === first ? [] : overruled(claim, holding, first!, withSessions))));
    return changed;
  }
}

function oldest(claims: readonly Claim[]): Claim | undefined {
  let found: Claim | undefined;
  for (const claim of claims) if (found === undefined || byAge(claim.translation, found.translation) < 0) found = claim;
  return found;
}

const NOTHING: UpstreamSettings = {};

function claimsOf(translation: Translation | undefined): Map<string, Claim> {
  const claims = new Map<string, Claim>();
  for (const { routes, fallback } of translation?.hosts ?? []) {
    for (const { action } of [...routes, fallback]) {
      if (action.type !== 'Forward') continue;
      for (const backend of action.backends) if (!claims.has(upstreamKey(backend))) claims.set(upstreamKey(backend), { translation: translation!, backend });
    }
  }
  return claims;
}

/** A list of one Problem, or of none if the object has what it wants. `settings`: what holds. */
function overruled({ backend }: Claim, settings: UpstreamSettings, first: Claim, withSessions: Claim | undefined): Problem[] {
  const wanted = backend.upstream ?? NOTHING;
  const affinity = wanted.affinity !== undefined && !equal(wanted.affinity, settings.affinity);
  const balancing = wanted.loadBalancer !== undefined && !equal(wanted.loadBalancer, settings.loadBalancer);
  const service = wanted.serviceUpstream !== undefined && wanted.serviceUpstream !== settings.serviceUpstream;
  if (!affinity && !balancing && !service) return [];
  const words = [...(affinity ? ['session affinity'] : []), ...(balancing ? ['load balancing'] : []), ...(service ? ['service-upstream'] : [])];
  const winner = affinity ? (withSessions ?? first) : first;
  return [
    {
      severity: 'warning',
      reason: 'UpstreamConflict',
      origin: backend.origin,
      message: `Service ${seen(`${backend.namespace}/${backend.service}`)} is also a backend of ${originText(winner.translation.origin)}, which is older: ${words.join(' and ')} of its endpoints ${words.length === 1 ? 'is' : 'are'} as that one has it`,
      hint: 'give both the same annotations, or this one a Service of its own',
      effect: 'ValueIgnored',
    },
  ];
}
